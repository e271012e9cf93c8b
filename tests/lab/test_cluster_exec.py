"""Exec through the real client against a lab: both protocols, input, much output, dead paths."""

import dataclasses
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_aksnet.cluster import stream, wire
from pytest_aksnet.cluster.connect import Cluster, connect
from pytest_aksnet.cluster.exec import StreamExecutor
from pytest_aksnet.model.execution import Completed, NotCompleted, Reason
from pytest_aksnet.model.peers import PodRef
from tests.lab.half_open import Way
from tests.lab.running_lab import RunningLab
from tests.lab.user import User, is_ready


@pytest.fixture(scope="module")
def pod(lab: RunningLab) -> Iterator[PodRef]:
    with User(lab) as user:
        user.create_pod("pod")
        user.eventually(lambda: is_ready(user.pod("pod")), "the pod is ready")
        yield PodRef(
            namespace=user.namespace, name="pod", container="main", node="", ip=user.pod_ip("pod")
        )


@pytest.fixture(scope="module")
def cluster(lab: RunningLab) -> Iterator[Cluster]:
    connected = connect(str(lab.kubeconfig), None)
    yield connected
    connected.close()


@pytest.fixture
def executor(cluster: Cluster) -> StreamExecutor:
    return StreamExecutor(cluster)


@pytest.fixture(params=[stream.V5, stream.V4])
def protocol(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The only protocol that we offer."""
    monkeypatch.setattr(stream, "SUBPROTOCOLS", (request.param,))
    return str(request.param)


@pytest.mark.usefixtures("protocol")
@pytest.mark.parametrize("code", [0, 3, 126, 127])
def test_exit_codes_come_back(executor: StreamExecutor, pod: PodRef, code: int) -> None:
    done = executor.run(pod, ["sh", "-c", f"echo out; echo err >&2; exit {code}"], timeout_s=20)
    assert isinstance(done, Completed)
    assert (done.exit_code, done.stdout, done.stderr) == (code, "out\n", "err\n")


@pytest.mark.usefixtures("protocol")
def test_input_arrives_and_ends(executor: StreamExecutor, pod: PodRef) -> None:
    data = bytes(range(256)) * 2000
    done = executor.run(pod, ["sh", "-c", "wc -c; echo end"], timeout_s=20, stdin=data)
    assert isinstance(done, Completed)
    assert done.stdout.split() == [str(len(data)), "end"]


@pytest.mark.usefixtures("protocol")
def test_six_megabytes_each_way_are_not_lost(executor: StreamExecutor, pod: PodRef) -> None:
    data = b"0123456789abcdef" * (6 * 65536)
    done = executor.run(pod, ["cat"], timeout_s=60, stdin=data)
    assert isinstance(done, Completed)
    assert done.stdout.encode() == data


def test_a_hundred_commands_at_once(executor: StreamExecutor, pod: PodRef) -> None:
    with ThreadPoolExecutor(100) as pool:
        done = list(
            pool.map(lambda n: executor.run(pod, ["echo", str(n)], timeout_s=60), range(100))
        )
    assert [one.stdout for one in done] == [f"{n}\n" for n in range(100)]


@pytest.fixture
def way(lab: RunningLab, tmp_path: Path) -> Iterator[Way]:
    made = Way(lab.kubeconfig, tmp_path)
    yield made
    made.close()


@pytest.fixture
def by_way(way: Way) -> Iterator[StreamExecutor]:
    connected = connect(str(way.kubeconfig), None)
    yield StreamExecutor(connected)
    connected.close()


def runs(executor: StreamExecutor, pod: PodRef, command: str) -> bool:
    # One bracket keeps pgrep from finding itself and the shell around it.
    done = executor.run(pod, ["pgrep", "-f", f"{command[:-1]}[{command[-1]}]"], timeout_s=20)
    assert isinstance(done, Completed)
    return done.exit_code == 0


def test_the_deadline_ends_the_command_though_the_path_is_dead(
    executor: StreamExecutor, by_way: StreamExecutor, way: Way, pod: PodRef
) -> None:
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(by_way.run, pod, ["sleep", "87654"], timeout_s=3)
        while not runs(executor, pod, "sleep 87654"):
            assert not waiting.done()
        way.freeze()  # the end of input that closing the stream means never arrives
        done = waiting.result()
    assert isinstance(done, NotCompleted)
    assert done.reason is Reason.DEADLINE
    deadline = time.monotonic() + 20
    while runs(executor, pod, "sleep 87654"):
        assert time.monotonic() < deadline, "the command still runs"


def test_a_dead_path_is_replaced(
    executor: StreamExecutor,
    by_way: StreamExecutor,
    way: Way,
    pod: PodRef,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "PING_AFTER_S", 0.1)
    monkeypatch.setattr(wire, "DEAD_AFTER_S", 1.0)
    # Long enough for a ping to be answered: else silence would prove nothing.
    assert isinstance(by_way.run(pod, ["sleep", "1"], timeout_s=20), Completed)
    script = "test -e /tmp/second && exit 7; touch /tmp/second; exec sleep 76543"
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(by_way.run, pod, ["sh", "-c", script], timeout_s=20)
        while not runs(executor, pod, "sleep 76543"):
            assert not waiting.done()
        way.freeze()
        done = waiting.result()
    assert isinstance(done, Completed)
    assert (done.exit_code, done.attempts) == (7, 2)
    assert by_way.retries.counts() == {"silent": 1}


def test_a_lab_that_answers_pings_is_not_dead(
    executor: StreamExecutor, pod: PodRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wire, "PING_AFTER_S", 0.05)
    monkeypatch.setattr(wire, "DEAD_AFTER_S", 1.0)
    done = executor.run(pod, ["sleep", "2"], timeout_s=20)
    assert isinstance(done, Completed)
    assert done.attempts == 1


def test_a_second_stream_resumes_the_first_ones_tls_session(cluster: Cluster, pod: PodRef) -> None:
    async def reused() -> bool | None:
        opened = await stream.open_exec(cluster.access, pod, ["true"], time.monotonic() + 20)
        tls = opened.tls
        await opened.close()
        return tls.session_reused if tls is not None else None

    assert cluster.access.tls is not None
    cluster.loop.run(reused())
    assert cluster.loop.run(reused()) is True


def test_a_pod_that_is_gone_is_told(executor: StreamExecutor, pod: PodRef) -> None:
    done = executor.run(dataclasses.replace(pod, name="gone"), ["true"], timeout_s=20)
    assert isinstance(done, NotCompleted)
    assert (done.reason, done.attempts) == (Reason.POD_GONE, 1)
