"""Starts a lab and ends it: the outer process, and what is handed to the lab's main coroutine.

`run` is the whole life of a lab, as the process that was started for it:

    outer       in the machine's namespaces: listener, state directory, life pipe
    `- guard    in the lab's namespaces, except pid: ends the lab when outer is gone (inside.py)
       `- first process   pid 1 of the lab: reaps; ends when a child of it below ends
          |- fork server  forked before asyncio is imported; starts every process of sandboxes
          `- main         `lab_main` in asyncio, with the machine's file system as it is

Whichever of them dies, SIGKILL included, all end, and the state directory is removed. This module
must not import asyncio, nor must what calls it: the fork server would carry that.
"""

import json
import os
import resource
import selectors
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from pytest_aksnet.lab.container import inside
from pytest_aksnet.lab.container.context import LabMain, Listeners
from pytest_aksnet.lab.container.inside import NOBODY, SANDBOX_USER
from pytest_aksnet.lab.kernel.namespaces import write_identity_maps

_NEWS_BYTES = 65_536


def run(
    load_main: Callable[[], LabMain],
    *,
    life_fd: int | None,
    report: Callable[[Mapping[str, object]], None],
) -> int:
    """Run a lab until its end; the exit status for this process: 0, or 1 where it failed.

    `load_main` imports and returns the main coroutine function; it is called inside the lab, after
    the fork server was forked. The lab ends when that coroutine returns, at SIGTERM or SIGHUP, at
    the end of file on `life_fd`, or, without one, at SIGINT (with one, SIGINT is left to whoever
    started the lab: a terminal sends it to both).

    `report` is called at most twice, in this process: with what the lab announces, and with
    {"error": "one line that names the remedy"} where it cannot start or dies.
    Not for use in a process that has threads or an event loop.
    """
    # Two descriptors for each process of the lab, six for each sandbox.
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    listeners = Listeners(api=_listen(), arm=_listen(), identity=_listen())
    state_dir = Path(tempfile.mkdtemp(prefix="aksnet-lab-")).resolve()
    try:
        woken = _catch_signals(interactive=life_fd is None)
        news, told = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        hold, held = os.pipe()
        guard = os.fork()
        if guard == 0:
            for unwanted in (held, news.detach(), woken.detach(), life_fd):
                if unwanted is not None:
                    os.close(unwanted)
            inside.become_guard(load_main, listeners, state_dir, told, hold)
        for listener in listeners:
            listener.close()
        told.close()
        os.close(hold)
        outer = _Outer(life_fd, report, news, guard)
        asked = outer.watch(woken)
        # The guard ends the lab when this closes.
        os.close(held)
        _, status = os.waitpid(guard, 0)
        while outer.hear():
            pass
        if status != 0 and not asked:
            outer.fail("the lab died: one of its processes was killed")
        return int(outer.failed)
    finally:
        for listener in listeners:
            listener.close()
        shutil.rmtree(state_dir, ignore_errors=True)


def _listen() -> socket.socket:
    """A socket that listens on a free port of the machine's loopback, and keeps that port.

    A port that the kernel chose is given back when a socket stops listening, and somebody else's
    connection may take it before it listens again; one that was asked for stays with its socket.
    """
    with socket.socket() as chosen:
        chosen.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        chosen.bind(("127.0.0.1", 0))
        return socket.create_server(chosen.getsockname(), backlog=1024)


def report_line(fd: int) -> Callable[[Mapping[str, object]], None]:
    """A `report` for `run` that writes one JSON line to a pipe, and closes it after the first.

    An error that comes later is one line on stderr.
    """
    unused = [fd]

    def report(message: Mapping[str, object]) -> None:
        if not unused and "error" in message:
            sys.stderr.write(f"aksnet-lab: {message['error']}\n")
        while unused:
            with open(unused.pop(), "w", encoding="utf-8") as pipe:
                pipe.write(json.dumps(dict(message)) + "\n")

    return report


class _Outer:
    """The outer process while the lab lives."""

    def __init__(
        self,
        life_fd: int | None,
        report: Callable[[Mapping[str, object]], None],
        news: socket.socket,
        guard: int,
    ) -> None:
        self._life_fd = life_fd
        self._report = report
        self._news = news
        self._guard = guard
        self.failed = False

    def watch(self, woken: socket.socket) -> bool:
        """Relay news until the lab ends by itself (False) or is to end (True)."""
        guard = os.pidfd_open(self._guard)
        with selectors.DefaultSelector() as selector:
            selector.register(self._news, selectors.EVENT_READ)
            selector.register(woken, selectors.EVENT_READ)
            selector.register(guard, selectors.EVENT_READ)
            if self._life_fd is not None:
                selector.register(self._life_fd, selectors.EVENT_READ)
            try:
                while True:
                    ready = {key.fileobj for key, _ in selector.select()}
                    if self._news in ready and not self.hear():
                        selector.unregister(self._news)
                    if woken in ready and set(woken.recv(64)) - {signal.SIGCHLD}:
                        return True
                    if self._life_fd in ready and not os.read(self._life_fd or 0, 64):
                        return True
                    if guard in ready:
                        return False
            finally:
                os.close(guard)

    def hear(self) -> bool:
        """Take one message from inside, False where there will be none any more."""
        try:
            text = self._news.recv(_NEWS_BYTES)
        except (BlockingIOError, ConnectionError):
            return False
        if not text:
            return False
        message = json.loads(text)
        if "unshared" in message:
            self._news.send(json.dumps(self._map_identities(message["unshared"])).encode())
        elif "error" in message:
            self.fail(message["error"])
        else:
            self._report({**message, "pid": os.getpid()})
        return True

    def fail(self, text: str) -> None:
        """Report an error, the first one only: what follows is its consequence."""
        if not self.failed:
            self.failed = True
            self._report({"error": text})

    def _map_identities(self, with_sandbox_user: bool) -> dict[str, object]:
        sandbox = [(SANDBOX_USER, NOBODY)] if with_sandbox_user else []
        try:
            write_identity_maps(
                self._guard, [(0, os.geteuid()), *sandbox], [(0, os.getegid()), *sandbox]
            )
        except OSError as error:
            return {"errno": error.errno}
        return {"errno": 0}


def _catch_signals(interactive: bool) -> socket.socket:
    """Have the signals that end the lab written to a socket; the end to read from."""
    woken, wake = socket.socketpair()
    wake.setblocking(False)
    signal.set_wakeup_fd(wake.detach(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) != signal.SIG_IGN:  # nohup(1) is meant
            signal.signal(number, lambda _number, _frame: None)
    signal.signal(signal.SIGINT, (lambda _number, _frame: None) if interactive else signal.SIG_IGN)
    return woken
