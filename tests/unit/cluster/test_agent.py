"""The agents' client against real agents as local processes: answers, replacement, end."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from pytest_aksnet.cluster.agent import AgentPool
from pytest_aksnet.cluster.loop import StreamLoop
from pytest_aksnet.cluster.stream import StreamFailed
from pytest_aksnet.model.errors import SettingsError
from pytest_aksnet.model.execution import Reason
from pytest_aksnet.model.probing import AgentScript, Finding, Kind, Probe
from pytest_aksnet.probes import agent_without_python
from tests.unit.cluster.local_agents import POD, LocalPods, script
from tests.unit.probes.agent_process import free_port, running_reflector

HERE = "127.0.0.1"
NO_PYTHON = AgentScript(argv=("python-that-nobody-has",), text="", lease_s=30)


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    port = free_port()
    with running_reflector(port):
        yield port


@pytest.fixture
def loop() -> Iterator[StreamLoop]:
    started = StreamLoop()
    yield started
    started.close()


@pytest.fixture
def pods(loop: StreamLoop) -> Iterator[LocalPods]:
    made = LocalPods()
    yield made
    loop.run(made.ended())


@pytest.fixture
def pool(loop: StreamLoop, pods: LocalPods) -> Iterator[AgentPool]:
    made = AgentPool(loop, pods.open, [script()], heartbeat_s=1.5)
    yield made
    made.close()


def _probes(port: int, number: int = 20) -> list[Probe]:
    return [
        Probe(kind=(Kind.TCP, Kind.UDP)[n % 2], host=HERE, port=port, options={"pod": "web"})
        for n in range(number)
    ]


def _slow(port: int) -> Probe:
    """A probe whose answer takes a moment: what it waits for never comes."""
    return Probe(
        kind=Kind.TCP,
        host=HERE,
        port=port,
        until=frozenset({Finding.REFUSED}),
        within_s=0.6,
    )


def _meanwhile(action: Callable[[], object]) -> threading.Timer:
    timer = threading.Timer(0.2, action)
    timer.start()
    return timer


def test_answers_come_in_the_order_of_the_probes(pool: AgentPool, port: int) -> None:
    probes = [*_probes(port, 5), Probe(kind=Kind.CONNECT, host=HERE, port=free_port())]
    batch = pool.probe(POD, probes, budget_s=10)
    assert batch.complete
    assert [answer and answer.finding for answer in batch.answers] == [
        *[Finding.OK] * 5,
        Finding.REFUSED,
    ]
    first = batch.answers[0]
    assert first is not None
    assert (first.facts["pod"], first.facts["source"]) == ("web", HERE)


def test_one_stream_serves_all_lists_of_a_pod(pool: AgentPool, pods: LocalPods, port: int) -> None:
    other = replace(POD, name="other")
    for _ in range(3):
        batches = pool.probe_many({POD: _probes(port), other: _probes(port)}, budget_s=10)
        assert all(batch.complete for batch in batches.values())
    assert len(pods.streams) == 2


def test_an_empty_list_is_complete(pool: AgentPool, pods: LocalPods) -> None:
    assert pool.probe(POD, [], budget_s=1).complete
    assert not pods.streams


@pytest.mark.parametrize("how", ["killed", "stopped", "cut", "deaf", "gap"])
def test_a_broken_stream_is_replaced_and_the_rest_asked_again(
    pool: AgentPool, pods: LocalPods, loop: StreamLoop, port: int, how: str
) -> None:
    def disturb() -> None:
        stream = pods.streams[0]
        if how in ("killed", "stopped"):
            stream.process.send_signal(signal.SIGKILL if how == "killed" else signal.SIGSTOP)
        elif how == "cut":
            loop.run(_call(stream.cut))
        elif how == "deaf":
            stream.deaf = True
        else:
            stream.lose_a_line = True

    assert pool.probe(POD, _probes(port), budget_s=10).complete
    timer = _meanwhile(disturb)
    batch = pool.probe(POD, [*_probes(port), _slow(port)], budget_s=10)
    timer.join()
    assert batch.complete, batch.problem
    assert {answer and answer.finding for answer in batch.answers} == {Finding.OK}
    assert batch.streams == 2
    assert batch.asked_again == 1
    assert batch.gaps == (1 if how == "gap" else 0)
    assert pool.retries.counts() == {"agent stream broken": 1}
    if how == "stopped":
        pods.streams[0].process.send_signal(signal.SIGCONT)


async def _call(function: Callable[[], object]) -> None:
    function()


def test_what_is_not_answered_in_time_is_not_looked_at(pool: AgentPool, port: int) -> None:
    slow = replace(_slow(port), within_s=30.0)
    for budget_s in (0.5, 2.0, 8.0):  # a busy machine starts an agent late
        batch = pool.probe(POD, [*_probes(port, 3), slow], budget_s=budget_s)
        assert batch.answers[3] is None
        assert not batch.ended
        if None not in batch.answers[:3]:
            break
    assert None not in batch.answers[:3]
    assert f"{budget_s:g} s, was over" in batch.problem


def test_a_stream_that_never_opens_leaves_nothing_looked_at(
    pool: AgentPool, pods: LocalPods, port: int
) -> None:
    pods.refusals = [StreamFailed(Reason.POD_GONE, "pod not found", started=False)]
    batch = pool.probe(POD, _probes(port, 2), budget_s=5)
    assert batch.answers == (None, None)
    assert (batch.ended, batch.streams, batch.problem) == (False, 0, "pod not found")


def test_a_refusal_that_may_pass_is_tried_again_and_counted(
    pool: AgentPool, pods: LocalPods, port: int
) -> None:
    pods.refusals = [
        StreamFailed(Reason.REFUSED, "429", transient=True, cause="http 429", retry_after_s=0.01)
    ] * 2
    assert pool.probe(POD, _probes(port), budget_s=10).complete
    assert pool.retries.counts() == {"http 429": 2}


def test_without_python_the_shell_looks(loop: StreamLoop, pods: LocalPods, port: int) -> None:
    pool = AgentPool(loop, pods.open, [NO_PYTHON, agent_without_python.script()])
    probes = [*_probes(port, 2), Probe(kind=Kind.CONNECT, host=HERE, port=free_port())]
    batch = pool.probe(POD, probes, budget_s=20)
    pool.close()
    assert batch.ended, batch.problem
    findings = [answer and answer.finding for answer in batch.answers]
    assert findings == [Finding.OK, Finding.LOCAL, Finding.REFUSED]
    assert batch.complete is False


def test_an_image_that_can_run_no_agent_says_so(
    loop: StreamLoop, pods: LocalPods, port: int
) -> None:
    pool = AgentPool(loop, pods.open, [NO_PYTHON])
    batch = pool.probe(POD, _probes(port, 1), budget_s=5)
    assert batch.answers == (None,)
    assert "python-that-nobody-has" in batch.problem
    assert len(pods.streams) == 1


def test_hostile_values_reach_the_agent_as_values(pool: AgentPool, port: int) -> None:
    nasty = "$(touch /tmp/x)`id`;\n\x1b[31m ü \udcff"
    batch = pool.probe(
        POD,
        [
            Probe(kind=Kind.TCP, host=HERE, port=port, options={"pod": "; rm -rf / $(x)"}),
            Probe(kind=Kind.DNS, host=HERE, port=port, options={"name": "a b\nc"}, timeout_s=0.2),
            Probe(kind=Kind.HTTP, host=HERE, port=port, options={"path": "/\r\nX: y"}),
            Probe(kind=Kind.TCP, host=HERE, port=port, options={"pod": nasty[:-1]}),
        ],
        budget_s=10,
    )
    assert batch.ended
    findings = [answer and answer.finding for answer in batch.answers]
    assert findings[0] is Finding.WRONG
    assert findings[2:] == [Finding.LOCAL, Finding.WRONG]


@pytest.mark.parametrize(
    "probe",
    [
        Probe(kind=Kind.TCP, host="a b", port=1),
        Probe(kind=Kind.TCP, host="$(id)", port=1),
        Probe(kind=Kind.TCP, host=HERE, port=70000),
        Probe(kind=Kind.TCP, host=HERE, port=1, timeout_s=0),
        Probe(kind=Kind.TCP, host=HERE, port=1, options={"a b": "c"}),
        Probe(kind=Kind.TCP, host=HERE, port=1, options={"ca": "x" * 70_000}),
    ],
)
def test_a_probe_that_cannot_be_asked_is_refused_before_anything_is_sent(
    pool: AgentPool, pods: LocalPods, probe: Probe
) -> None:
    with pytest.raises(SettingsError):
        pool.probe(POD, [probe], budget_s=1)
    assert not pods.streams


def test_close_ends_the_agents_and_the_pool_can_be_used_again(
    pool: AgentPool, pods: LocalPods, loop: StreamLoop, port: int
) -> None:
    pool.probe(POD, _probes(port), budget_s=10)
    pool.close()
    loop.run(pods.ended())
    assert [stream.process.returncode for stream in pods.streams] == [3]
    assert pool.probe(POD, _probes(port), budget_s=10).complete
    assert len(pods.streams) == 2


def test_an_idle_stream_is_kept_alive_beyond_the_lease(
    loop: StreamLoop, pods: LocalPods, port: int
) -> None:
    pool = AgentPool(loop, pods.open, [script(lease_s=0.6)], heartbeat_s=0.2)
    assert pool.probe(POD, _probes(port), budget_s=10).complete
    time.sleep(1.2)
    assert pool.probe(POD, _probes(port), budget_s=10).streams == 1
    pool.close()
    assert len(pods.streams) == 1


def test_an_interrupted_caller_ends_the_agent(
    pool: AgentPool, pods: LocalPods, loop: StreamLoop, port: int
) -> None:
    pool.probe(POD, _probes(port), budget_s=10)
    timer = _meanwhile(lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        pool.probe(POD, [replace(_slow(port), within_s=30.0)], budget_s=30)
    timer.join()
    loop.run(pods.ended())
    assert [stream.process.returncode for stream in pods.streams] == [3]
