"""The controller's side of the socket: one thread for each worker that asks.

A worker that dies only closes its connection; what it was told stays, and so does what it told.
"""

import contextlib
import pickle
import socket
import threading
from collections.abc import Callable
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge

from pytest_aksnet.shared import Shared
from pytest_aksnet.shared_wire import CALLS, Answer, Call, Raised, raised, receive, send


def serve(
    first: socket.socket, listening: socket.socket, key: bytes, shared: Callable[[], Shared]
) -> None:
    """Serve `first` and whoever else connects and knows the key, until the socket is shut down.

    `shared` is asked for when somebody calls.
    """
    accepted = first
    while True:
        threading.Thread(
            target=_serve_one,
            args=(Connection(accepted.detach()), key, shared),
            name="aksnet-worker",
            daemon=True,
        ).start()
        try:
            accepted, _ = listening.accept()
        except OSError:
            return


def _serve_one(
    connection: "Connection[object, object]", key: bytes, shared: Callable[[], Shared]
) -> None:
    with contextlib.closing(connection), contextlib.suppress(OSError, EOFError):
        try:
            deliver_challenge(connection, key)
            answer_challenge(connection, key)
        except AuthenticationError:
            return
        while True:
            try:
                called = receive(connection)
            except pickle.UnpicklingError:
                return
            send(connection, _answer(called, shared))


def _answer(called: object, shared: Callable[[], Shared]) -> Answer | Raised:
    if not isinstance(called, Call) or called.name not in CALLS:
        return Raised("", "no such call")
    try:
        return Answer(getattr(shared(), called.name)(*called.positional, **called.named))
    except Exception as error:
        return raised(error)
