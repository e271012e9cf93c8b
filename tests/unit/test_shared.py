"""What goes between workers and controller: data of ours, errors as themselves, nothing else."""

import os
import pickle
import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Client, Connection, Pipe
from typing import Any

import pytest

from pytest_aksnet.model.errors import (
    ApiRefused,
    EnvironmentProblem,
    ImageRefused,
    OutputUnparsable,
    SettingsError,
)
from pytest_aksnet.model.peers import NodeRef, PodRef
from pytest_aksnet.model.profile import Fact, NetworkProfile
from pytest_aksnet.model.record import CheckOutcome, CheckRecord, Retries, Severity
from pytest_aksnet.model.rights import Preflight, Right, Where
from pytest_aksnet.needs import Need
from pytest_aksnet.shared import Opening
from pytest_aksnet.shared_client import RemoteShared
from pytest_aksnet.shared_server import serve
from pytest_aksnet.shared_wire import Answer, Call, error_of, raised, receive, send
from pytest_aksnet.warm_pods import ImageVerdict

NODE = NodeRef(name="node-a", addresses=("10.0.0.4",), labels={"a": "b"})
POD = PodRef(namespace="n", name="p", container="c", node="node-a", ip="10.1.0.1")
OPENING = Opening(kubeconfig="k", context=None, version="v1", nodes=(NODE,), left_out={"b": "no"})
RIGHT = Right(resource="pods", verb="create", where=Where.RUN)
RECORD = CheckRecord(
    id="dns.name",
    nodeid="test_it[ä]",
    title="Resolves.",
    feature="dns",
    severity=Severity.MAJOR,
    controls=("CIS",),
    outcome=CheckOutcome.PASSED,
    reason="\x00\ud800",
    duration_s=0.5,
    attempts=1,
    retries=Retries(exec={"cut": 1}),
    observations=({"kind": "DnsAnswer", "addresses": ["10.0.0.1"]},),
)


class Known:
    """A `Shared` that remembers what it was told."""

    def __init__(self) -> None:
        self.records: list[CheckRecord] = []
        self.asked = 0
        self.blocked = threading.Event()

    def opening(self) -> Opening:
        self.asked += 1
        return OPENING

    def profile(self) -> NetworkProfile:
        return NetworkProfile(facts={"mode": Fact(value="overlay", source="here")}, unknown={})

    def preflight(self, need: Need) -> Preflight:
        return Preflight(denied=need.rights)

    def warm(self, nodes: tuple[NodeRef, ...], *, host_network: bool) -> tuple[PodRef, ...]:
        if host_network:
            raise ApiRefused("no", status=429, reason="TooMany", retry_after_s=1.5)
        return tuple(replace(POD, node=node.name) for node in nodes)

    def keep(self, worker: str, record: CheckRecord) -> None:
        self.records.append(record)

    def image_refused(self) -> str:
        raise ZeroDivisionError("a bug")

    def pool_namespace(self) -> str:
        self.blocked.wait(30)
        return "late"


class Served:
    """A controller's side on a socket without a file."""

    def __init__(self) -> None:
        self.known: Any = Known()
        self.name = f"aksnet-test-{os.urandom(8).hex()}"
        self.key = os.urandom(16)
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(f"\0{self.name}")
        self._socket.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        try:
            first, _ = self._socket.accept()
        except OSError:
            return
        serve(first, self._socket, self.key, lambda: self.known)

    def client(self) -> RemoteShared:
        return RemoteShared(self.name, self.key)

    def stop(self) -> None:
        self.known.blocked.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


@pytest.fixture
def served() -> Iterator[Served]:
    controller = Served()
    yield controller
    controller.stop()


@pytest.mark.parametrize(
    "value",
    [
        OPENING,
        RECORD,
        POD,
        Need(rights=frozenset({RIGHT}), optional={RIGHT: "unknown"}, actions=frozenset({"x"})),
        Preflight(denied=frozenset({RIGHT}), unknown={RIGHT: "?"}, impossible={"a": "b"}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_data_of_ours_arrives_whole(value: object) -> None:
    here, there = Pipe()
    send(here, Answer(value))
    assert receive(there) == Answer(value)


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("echo never",)


@pytest.mark.parametrize("value", [Evil(), os.getcwd, Connection])
def test_nothing_else_is_read(value: object) -> None:
    here, there = Pipe()
    here.send_bytes(pickle.dumps(Answer(value)))
    with pytest.raises(pickle.UnpicklingError, match="is not sent between our processes"):
        receive(there)


@pytest.mark.parametrize(
    "error",
    [
        SettingsError("name it"),
        EnvironmentProblem("gone"),
        ImageRefused("ErrImagePull: not found"),
        ApiRefused("no", status=429, reason="TooMany", retry_after_s=1.5),
        OutputUnparsable("what?", raw="raw"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_our_errors_travel_as_themselves(error: Exception) -> None:
    here, there = Pipe()
    send(here, raised(error))
    arrived: Any = receive(there)
    again = error_of(arrived)
    assert (type(again), str(again), vars(again)) == (type(error), str(error), vars(error))


def test_a_worker_asks_and_tells(served: Served) -> None:
    worker = served.client()
    assert worker.opening() == worker.opening() == OPENING
    assert served.known.asked == 1
    assert worker.profile().get("mode") == "overlay"
    assert worker.preflight(Need(rights=frozenset({RIGHT}))).denied == {RIGHT}
    assert worker.warm([NODE], host_network=False) == (POD,)
    worker.keep("gw0", RECORD)
    assert served.known.records == [RECORD]
    worker.close()


def test_errors_of_the_controller_reach_the_worker(served: Served) -> None:
    worker = served.client()
    with pytest.raises(ApiRefused) as refused:
        worker.warm([NODE], host_network=True)
    assert refused.value.retry_after_s == 1.5
    with pytest.raises(RuntimeError, match="ZeroDivisionError: a bug"):
        worker.image_refused()
    assert worker.warm([NODE], host_network=False) == (POD,)
    worker.close()


def test_a_worker_that_dies_disturbs_no_other(served: Served) -> None:
    dying, worker = served.client(), served.client()
    assert dying.opening() == OPENING
    dying.close()
    assert worker.warm([NODE], host_network=False) == (POD,)
    worker.close()


def test_the_answer_to_an_interrupted_call_is_not_taken_for_the_next(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = served.client()

    def interrupted(connection: object) -> object:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pytest_aksnet.shared_client.receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            worker.pool_namespace()
    served.known.blocked.set()
    assert worker.warm([NODE], host_network=False) == (POD,)
    worker.close()


def test_whoever_lacks_the_key_is_not_let_in(served: Served) -> None:
    stranger = RemoteShared(served.name, b"wrong")
    with pytest.raises(SettingsError, match="cannot reach the controller"):
        stranger.opening()
    worker = served.client()
    assert worker.opening() == OPENING
    worker.close()


def test_only_what_is_shared_can_be_called(served: Served) -> None:
    with Client(f"\0{served.name}", family="AF_UNIX", authkey=served.key) as connection:
        send(connection, Call("connection"))
        answer: Any = receive(connection)
        assert answer.message == "no such call"
        connection.send_bytes(b"no pickle")
        with pytest.raises(EOFError):
            receive(connection)


def test_a_controller_that_is_gone_is_no_verdict(served: Served) -> None:
    with pytest.raises(SettingsError, match="same machine"):
        RemoteShared("aksnet-nobody", b"key").opening()


@pytest.mark.parametrize(
    ("nodes", "tried", "refused"),
    [
        (3, ["no"], ""),
        (3, ["no", "no"], "no"),
        (1, ["no"], "no"),
        (3, ["no", "no", ""], ""),
        (3, ["", "no", "no"], ""),
    ],
)
def test_two_pods_settle_that_there_is_no_image(nodes: int, tried: list[str], refused: str) -> None:
    verdict = ImageVerdict(nodes)
    for problem in tried:
        verdict.tried(problem)
    assert verdict.refused() == refused
