"""The engine: what passes, what fails, and above all what is neither."""

import pytest

from pytest_aksnet.check import Control
from pytest_aksnet.model.errors import (
    ConformanceFailure,
    ControlFailed,
    ExecNotCompleted,
    Inconclusive,
    OutputUnparsable,
    ToolMissing,
)
from pytest_aksnet.model.execution import Reason
from pytest_aksnet.model.observation import Connection, ConnectOutcome
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.verdict import Outcome, Verdict
from pytest_aksnet.probes.curl import Curl
from tests.unit.scripted import (
    CLIENT,
    GARBAGE,
    MISSING,
    REFUSED,
    SERVER,
    TIMEOUT,
    Answer,
    Lost,
    World,
    always,
    host_of,
    in_turn,
    reflected,
)

PROBE = Curl(host=SERVER.ip, port=8080)
OPEN = reflected(CLIENT.ip)
CONTROL = Control(
    what="the source reaches itself", pod=CLIENT, probe=Curl(host=CLIENT.ip, port=8080)
)


def must_connect(seen: Connection) -> Verdict:
    good = seen.outcome is ConnectOutcome.CONNECTED
    return Verdict(
        outcome=Outcome.PASS if good else Outcome.FAIL,
        sentence=f"it should connect, but {seen.outcome.value}",
        source="RFC 9293",
    )


def must_time_out(seen: Connection) -> Verdict:
    outcomes = {
        ConnectOutcome.TIMEOUT: Outcome.PASS,
        ConnectOutcome.CONNECTED: Outcome.FAIL,
    }
    return Verdict(
        outcome=outcomes.get(seen.outcome, Outcome.INCONCLUSIVE),
        sentence=f"it should be blocked, but {seen.outcome.value}",
    )


def deny(world: World, *, patience_s: float = 2.0) -> Connection:
    return world.engine.deny(
        CLIENT,
        lambda wait: Curl(host=SERVER.ip, port=8080, connect_timeout_s=wait),
        must_time_out,
        controls=[CONTROL],
        patience_s=patience_s,
    )


def split(control: list[Answer], target: list[Answer]) -> World:
    """A world in which the client's own address and the target answer by different scripts."""
    own, other = in_turn(*control), in_turn(*target)

    def script(pod: PodRef, argv: tuple[str, ...]) -> Answer:
        return (own if host_of(argv) == CLIENT.ip else other)(pod, argv)

    return World(script)


def test_a_good_look_passes_at_once() -> None:
    world = World(always(OPEN))
    assert world.engine.converge(CLIENT, PROBE, must_connect).source_seen == CLIENT.ip
    assert world.roles() == ["probe"]


def test_a_path_that_converges_passes_and_says_how_long_it_took() -> None:
    world = World(in_turn(TIMEOUT, TIMEOUT, OPEN))
    world.engine.converge(CLIENT, PROBE, must_connect)
    assert len(world.calls) == 3
    assert "after" in world.recorder.found[0]
    assert "3 looks" in world.recorder.found[0]


def test_a_failure_is_raised_at_the_deadline_and_not_before() -> None:
    world = World(always(TIMEOUT))
    with pytest.raises(ConformanceFailure) as failure:
        world.engine.converge(CLIENT, PROBE, must_connect, patience_s=5)
    assert world.time >= 5
    message = str(failure.value)
    assert message.startswith("it should connect, but timeout")
    for part in ("RFC 9293", "ns/client", "node-a", "kubectl exec -n ns client -- curl", "0001"):
        assert part in message


def test_every_look_is_recorded_with_its_verdict() -> None:
    world = World(in_turn(TIMEOUT, Lost(), OPEN))
    world.engine.converge(CLIENT, PROBE, must_connect)
    outcomes = [attempt.verdict and attempt.verdict.outcome for attempt in world.recorder.attempts]
    assert outcomes == [Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS]
    assert world.recorder.attempts[1].observation is None


@pytest.mark.parametrize("reason", list(Reason))
def test_a_look_that_never_completes_is_inconclusive(reason: Reason) -> None:
    world = World(always(Lost(reason)))
    with pytest.raises(ExecNotCompleted, match=reason.value):
        world.engine.converge(CLIENT, PROBE, must_connect)


def test_a_pod_that_is_gone_is_not_asked_again() -> None:
    world = World(always(Lost(Reason.POD_GONE)))
    with pytest.raises(ExecNotCompleted):
        world.engine.converge(CLIENT, PROBE, must_connect)
    assert len(world.calls) == 1


def test_a_missing_tool_is_inconclusive_at_once() -> None:
    world = World(always(MISSING))
    with pytest.raises(ToolMissing):
        world.engine.converge(CLIENT, PROBE, must_connect)
    assert len(world.calls) == 1


def test_output_that_nobody_knows_is_inconclusive() -> None:
    with pytest.raises(OutputUnparsable):
        World(always(GARBAGE)).engine.converge(CLIENT, PROBE, must_connect)


def test_a_lost_look_after_bad_ones_is_inconclusive() -> None:
    world = World(in_turn(TIMEOUT, Lost()))
    with pytest.raises(ExecNotCompleted):
        world.engine.converge(CLIENT, PROBE, must_connect, patience_s=0.2)


def test_a_completed_bad_look_at_the_end_fails_in_spite_of_lost_ones() -> None:
    world = World(in_turn(Lost(), Lost(), TIMEOUT))
    with pytest.raises(ConformanceFailure):
        world.engine.converge(CLIENT, PROBE, must_connect, patience_s=0.5)


def test_looks_in_a_row_must_be_in_a_row() -> None:
    world = World(in_turn(OPEN, OPEN, TIMEOUT, OPEN, OPEN, OPEN))
    world.engine.converge(CLIENT, PROBE, must_connect, times=3)
    assert len(world.calls) == 6


def test_a_path_that_flaps_at_the_deadline_fails() -> None:
    world = World(in_turn(OPEN, TIMEOUT, OPEN, TIMEOUT))
    with pytest.raises(ConformanceFailure):
        world.engine.converge(CLIENT, PROBE, must_connect, times=3, patience_s=0.2)


def test_what_is_seen_may_lengthen_the_patience() -> None:
    world = World(always(REFUSED))
    with pytest.raises(ConformanceFailure):
        world.engine.converge(
            CLIENT,
            PROBE,
            must_connect,
            patience_s=lambda seen: 20.0 if seen.outcome is ConnectOutcome.REFUSED else 1.0,
        )
    assert world.time >= 20


def test_a_diagnosis_is_recorded_and_shown() -> None:
    world = World(always(TIMEOUT))
    with pytest.raises(ConformanceFailure, match="diagnosis: the cable is cut"):
        world.engine.converge(
            CLIENT, PROBE, must_connect, patience_s=0, diagnose=lambda _: "the cable is cut"
        )
    assert world.recorder.found == ["the cable is cut"]


def test_a_diagnosis_that_cannot_look_does_not_hide_the_failure() -> None:
    world = World(in_turn(TIMEOUT, Lost()))

    def diagnose(_: Connection) -> str:
        return world.engine.diagnose_look(CLIENT, PROBE).detail

    with pytest.raises(ConformanceFailure, match="diagnosis itself could not look"):
        world.engine.converge(CLIENT, PROBE, must_connect, patience_s=0, diagnose=diagnose)
    assert world.roles() == ["probe", "diagnosis"]


def test_a_deny_passes_with_controls_before_between_and_after() -> None:
    world = split([OPEN], [TIMEOUT])
    assert deny(world).outcome is ConnectOutcome.TIMEOUT
    assert world.roles() == ["control", "probe", "control", "probe", "control"]


def test_a_deny_waits_until_the_policy_is_enforced() -> None:
    world = split([OPEN], [OPEN, OPEN, TIMEOUT])
    deny(world)
    assert "not at first" in world.recorder.found[0]


def test_a_connection_that_stays_open_fails_the_deny() -> None:
    with pytest.raises(ConformanceFailure, match="connected"):
        deny(split([OPEN], [OPEN]))


def test_a_deny_that_comes_and_goes_fails() -> None:
    with pytest.raises(ConformanceFailure):
        deny(split([OPEN], [TIMEOUT, OPEN]))


def test_a_deny_without_controls_is_inconclusive() -> None:
    world = World(always(TIMEOUT))
    with pytest.raises(ControlFailed):
        world.engine.deny(CLIENT, lambda _: PROBE, must_time_out, controls=[], patience_s=1)
    assert world.calls == []


def test_a_control_that_fails_before_makes_the_deny_inconclusive() -> None:
    with pytest.raises(ControlFailed, match="the source reaches itself"):
        deny(split([TIMEOUT], [TIMEOUT]))


def test_a_control_that_fails_while_the_deny_is_judged_makes_it_inconclusive() -> None:
    with pytest.raises(ControlFailed):
        deny(split([OPEN, OPEN, TIMEOUT], [TIMEOUT]))


@pytest.mark.parametrize("lost", [Lost(), MISSING, GARBAGE, Lost(Reason.POD_GONE)])
def test_a_control_that_cannot_be_looked_at_makes_the_deny_inconclusive(lost: Answer) -> None:
    with pytest.raises(Inconclusive):
        deny(split([OPEN, lost], [TIMEOUT]))


@pytest.mark.parametrize("lost", [Lost(), MISSING, GARBAGE, Lost(Reason.POD_GONE)])
def test_a_deny_that_cannot_be_looked_at_is_inconclusive(lost: Answer) -> None:
    with pytest.raises(Inconclusive):
        deny(split([OPEN], [TIMEOUT, lost]))


def test_a_refusal_proves_no_deny() -> None:
    with pytest.raises(ControlFailed, match="refused"):
        deny(split([OPEN], [REFUSED]))


def test_a_slow_path_makes_the_deny_wait_longer() -> None:
    slow = reflected(CLIENT.ip)
    slow.stdout = slow.stdout.replace('"time_total": 0.002', '"time_total": 0.9')
    world = split([slow], [TIMEOUT])
    deny(world)
    waits = [argv[argv.index("--connect-timeout") + 1] for _, argv in world.calls]
    assert waits[1] == "4.5"


def test_connections_of_the_test_are_remembered() -> None:
    world = World(always(OPEN))
    assert not world.engine.was_connected(CLIENT, SERVER.ip, 8080)
    world.engine.converge(CLIENT, PROBE, must_connect)
    assert world.engine.was_connected(CLIENT, SERVER.ip, 8080)
    assert not world.engine.was_connected(SERVER, SERVER.ip, 8080)
