"""The verbs that look at many targets at once, with agents that answer from a script."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

import pytest

from pytest_aksnet.assertions.probe_pod import ProbePod
from pytest_aksnet.model.errors import (
    ConformanceFailure,
    ControlFailed,
    ExecNotCompleted,
    SettingsError,
)
from pytest_aksnet.model.execution import Completed, NotCompleted
from pytest_aksnet.model.observation import ProbeList
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import Answer, Batch, Finding, Kind, Probe
from pytest_aksnet.model.verdict import Outcome
from tests.unit.scripted import CLIENT, NODES, SERVER, SERVICE, VM, World, always, pod, reflected

Reply = Callable[[PodRef, Probe], Answer | None]
OTHERS = tuple(pod(f"web-{n}", "node-c", f"10.244.2.{n}") for n in range(1, 15))


def ok(**facts: object) -> Answer:
    return Answer(Finding.OK, 2.0, 2.0, facts)


def ended(finding: Finding) -> Answer:
    return Answer(finding, 500.0, 500.0, {"detail": f"it is {finding.value}"})


@dataclass
class Agents:
    """A Prober; `reply` answers each probe, `more` changes the batch."""

    reply: Reply
    asked: list[tuple[str, Sequence[Probe]]] = field(default_factory=list)
    problem: str = ""

    def probe(self, pod: PodRef, probes: Sequence[Probe], *, budget_s: float) -> Batch:
        self.asked.append((pod.name, probes))
        answers = tuple(self.reply(pod, probe) for probe in probes)
        return Batch(
            answers=answers, ended=None not in answers and not self.problem, problem=self.problem
        )


def world(reply: Reply, problem: str = "") -> tuple[ProbePod, World, Agents]:
    agents = Agents(reply, problem=problem)
    made = World(always(reflected("10.244.0.7")), prober=agents)
    return made.probe_pod(), made, agents


def failing(finding: Finding, *hosts: str) -> Reply:
    return lambda _pod, probe: ended(finding) if probe.host in hosts else ok()


def test_all_reached_is_one_list_and_one_attempt() -> None:
    client, seen, agents = world(lambda _pod, _probe: ok())
    client.assert_reaches_all([SERVER, *OTHERS])
    [(name, probes)] = agents.asked
    assert name == "client"
    assert [probe.kind for probe in probes] == [Kind.TCP] * 16
    assert [probe.options.get("pod") for probe in probes[:2]] == ["server", "web-1"]
    assert probes[-1].host == CLIENT.ip
    [attempt] = seen.recorder.attempts
    assert isinstance(attempt.execution, Completed)
    assert attempt.command_line.startswith("kubectl exec -n ns client -- sh -c")
    assert isinstance(attempt.observation, ProbeList)
    assert attempt.observation.findings == {"ok": 16}


def test_what_else_is_a_target_is_connected_to() -> None:
    client, _, agents = world(lambda _pod, _probe: ok())
    client.assert_reaches_all([VM, SERVICE, (VM.host, 443)])
    assert [probe.kind for probe in agents.asked[0][1]] == [*[Kind.CONNECT] * 3, Kind.TCP]
    client.assert_reaches_all([SERVICE, SERVER], protocol="udp")
    assert [probe.kind for probe in agents.asked[1][1]] == [Kind.UDP] * 3


@pytest.mark.parametrize("to", [VM, NODES[1], replace(SERVER, port=0)])
def test_over_udp_somebody_must_be_known_to_answer(to: object) -> None:
    client, _, agents = world(lambda _pod, _probe: ok())
    with pytest.raises(SettingsError, match="UDP"):
        client.assert_reaches_all([to], protocol="udp", port=53)  # type: ignore[list-item]
    assert not agents.asked


def test_no_targets_is_a_wrong_call() -> None:
    client, _, _ = world(lambda _pod, _probe: ok())
    with pytest.raises(SettingsError, match="no targets"):
        client.assert_reaches_all([])


def test_a_failure_lists_the_first_targets_and_counts_the_others() -> None:
    client, seen, _ = world(failing(Finding.TIMEOUT, *(other.ip for other in OTHERS)))
    with pytest.raises(ConformanceFailure) as failure:
        client.assert_reaches_all([SERVER, *OTHERS])
    text = str(failure.value)
    assert "15 targets over tcp from pods of node node-a: 14 of 16" in text
    assert (
        "web-10 on node node-c (10.244.2.10:8080) should be reached, but nothing answered" in text
    )
    assert "web-11" not in text.partition("\n")[0]
    assert "and 4 more" in text
    assert "diagnosis: pod ns/web-1 on node node-c answers itself" in text
    assert "repeat with: kubectl exec" in text
    assert seen.recorder.attempts[0].verdict is not None
    assert seen.recorder.attempts[0].verdict.outcome is Outcome.FAIL


@pytest.mark.parametrize("missing", [None, ended(Finding.LOCAL), ended(Finding.AGENT)])
def test_what_could_not_be_looked_at_is_inconclusive(missing: Answer | None) -> None:
    client, seen, _ = world(
        lambda _pod, probe: missing if probe.host == SERVER.ip else ok(), "the stream was cut"
    )
    with pytest.raises(ExecNotCompleted, match=r"1 of 3: .*could not be looked at"):
        client.assert_reaches_all([SERVER, OTHERS[0]])
    assert isinstance(seen.recorder.attempts[0].execution, NotCompleted)


def test_a_failure_beside_what_could_not_be_looked_at_fails() -> None:
    def reply(_pod: PodRef, probe: Probe) -> Answer | None:
        if probe.host == SERVER.ip:
            return None
        return ended(Finding.REFUSED) if probe.host == OTHERS[0].ip else ok()

    client, _, _ = world(reply)
    with pytest.raises(ConformanceFailure, match="1 more could not be looked at"):
        client.assert_reaches_all([SERVER, OTHERS[0]])


def test_a_pod_that_does_not_reach_itself_proves_nothing() -> None:
    client, _, _ = world(failing(Finding.TIMEOUT, SERVER.ip, CLIENT.ip))
    with pytest.raises(ControlFailed, match="positive control did not hold"):
        client.assert_reaches_all([SERVER, OTHERS[0]])


def _denied(*hosts: str) -> Reply:
    """Silence for the client, while each target answers itself."""
    return lambda pod, probe: (
        replace(ended(Finding.TIMEOUT), streak=2)
        if pod.name == "client" and probe.host in hosts
        else ok()
    )


def test_all_blocked_needs_every_target_alive_before_and_after() -> None:
    client, _, agents = world(_denied(SERVER.ip, OTHERS[0].ip))
    client.assert_reaches_none([SERVER, OTHERS[0]])
    assert [name for name, _ in agents.asked] == [*("server", "web-1", "client", "server", "web-1")]
    closed = agents.asked[2][1][0]
    assert closed.until == {Finding.TIMEOUT}
    assert closed.times == 2


def test_one_that_answers_is_not_blocked() -> None:
    client, _, _ = world(_denied(SERVER.ip))
    with pytest.raises(ConformanceFailure, match=r"1 of 3: .*not enforced on node node-a"):
        client.assert_reaches_none([SERVER, OTHERS[0]])


def test_a_dead_target_is_not_blocked() -> None:
    client, _, _ = world(failing(Finding.TIMEOUT, SERVER.ip))
    with pytest.raises(ControlFailed, match="answers itself did not hold"):
        client.assert_reaches_none([SERVER])


def test_refused_is_not_blocked() -> None:
    client, _, _ = world(
        lambda pod, probe: (
            ended(Finding.REFUSED) if pod.name == "client" and probe.host == SERVER.ip else ok()
        )
    )
    with pytest.raises(ControlFailed, match="not how a policy blocks"):
        client.assert_reaches_none([SERVER])


def test_path_mtu_is_judged_for_every_target() -> None:
    def reply(_pod: PodRef, probe: Probe) -> Answer:
        if probe.kind is not Kind.MTU:
            return ok()
        if probe.host == SERVER.ip:
            return ok(mtu=1400, out=1500, silent_above=True)
        return ok(mtu=1500, out=1500)

    client, _, _ = world(reply)
    client.assert_path_mtu([OTHERS[0]])
    with pytest.raises(ConformanceFailure, match="path MTU black hole"):
        client.assert_path_mtu([OTHERS[0], SERVER])
