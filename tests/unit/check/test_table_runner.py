"""The runner of truth tables: what agents, streams and the API server do wrong makes no verdict."""

import random
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_aksnet.check_table import TablePacing
from pytest_aksnet.model.policy_table import CaseResult, CellName, Mark, StepResult
from pytest_aksnet.model.probing import Answer, Finding
from tests.unit.check.table_world import (
    LIES,
    TCP,
    UDP,
    Lie,
    World,
    case,
    deny,
    no_self,
    nothing,
    slow,
)

SLIP = CellName("y/a", "x/a", TCP)


def run(world: World) -> CaseResult:
    return world.runner().run(case(), world)


def wrong(result: CaseResult) -> set[CellName]:
    return {name for step in result.steps for name, cell in step.cells.items() if cell.wrong}


def unseen(step: StepResult) -> set[CellName]:
    return {name for name, cell in step.cells.items() if cell.seen is Mark.UNSEEN}


def lying(seed: int, rate: float, until: int = 10**9) -> Callable[[int, str], Lie | None]:
    """Lies at random, the same with each seed, up to a list of that number."""

    def lie(call: int, pod: str) -> Lie | None:
        draw = random.Random(f"{seed} {call} {pod}")
        return draw.choice(LIES) if call <= until and draw.random() < rate else None

    return lie


def test_a_quiet_cluster_gives_the_table_of_each_step_and_of_the_way_back() -> None:
    result = run(World(lag_s=0.7))
    assert [step.title for step in result.steps] == ["0", "1", "back to no policy"]
    assert not wrong(result)
    assert all(cell.right for step in result.steps for cell in step.cells.values())
    assert {
        name.destination for name, cell in result.steps[1].cells.items() if cell.seen is Mark.CLOSED
    } == {"x/a", "y/b"}
    for step in result.steps:
        assert step.converged_s is not None
        assert step.converged_s == pytest.approx(0.7, abs=0.2)


def test_an_engine_that_leaves_a_cell_open_is_wrong_there_and_nowhere_else() -> None:
    result = run(World(slips={SLIP: True}))
    assert wrong(result) == {SLIP}
    assert not any(unseen(step) for step in result.steps)


def test_an_engine_that_closes_too_much_is_wrong_there_and_nowhere_else() -> None:
    shut = CellName("x/a", "x/b", UDP)
    result = run(World(slips={shut: False}))
    assert wrong(result) == {shut}


def test_a_change_that_comes_behind_all_patience_is_wrong() -> None:
    result = run(World(lag_s=60))
    assert wrong(result) >= {SLIP}
    assert result.steps[0].converged_s is None


def test_a_cell_that_flaps_is_wrong_and_says_so() -> None:
    result = run(World(flapping=frozenset({SLIP})))
    assert wrong(result) <= {SLIP}
    told = [step.cells[SLIP] for step in result.steps if step.cells[SLIP].wrong]
    assert told
    assert "now open, now closed" in told[0].detail or told[0].seen is Mark.OPEN


def test_a_canary_that_was_lost_is_asked_again() -> None:
    result = run(
        World(lag_s=9.0, hasty=True, lies=lambda call, pod: nothing if call == 1 else None)
    )
    assert all(cell.right for step in result.steps for cell in step.cells.values())
    assert result.steps[0].converged_s == pytest.approx(9.0, abs=0.3)


def test_a_canary_that_was_always_lost_does_not_make_a_slow_engine_wrong() -> None:
    result = run(
        World(lag_s=9.0, hasty=True, lies=lambda call, pod: nothing if call <= 3 else None)
    )
    assert all(cell.right for step in result.steps for cell in step.cells.values())
    assert result.steps[0].converged_s is None
    assert result.steps[0].cells[SLIP].late_s > 9


@pytest.mark.parametrize("pod", ["x/a", "x/b", "y/a"])
@pytest.mark.parametrize("after_s", [0.0, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9, 1.5, 3.0])
def test_a_pod_that_dies_in_the_middle_is_never_closed(pod: str, after_s: float) -> None:
    result = run(World(dead_from={pod: after_s}))
    assert not wrong(result)
    touched = {
        name
        for step in result.steps
        for name, cell in step.cells.items()
        if cell.expected and not cell.right
    }
    assert all(pod in (name.source, name.destination) for name in touched)


@pytest.mark.parametrize("pod", ["x/a", "x/b", "y/a"])
@pytest.mark.parametrize("number", range(1, 7))
def test_a_pod_that_dies_when_it_has_answered_itself_is_never_closed(pod: str, number: int) -> None:
    result = run(World(dies_in={pod: number}))
    assert not wrong(result)


def test_who_does_not_reach_itself_sees_nothing() -> None:
    result = run(World(lies=lambda call, pod: no_self if pod == "y/b" else None))
    assert not wrong(result)
    first = result.steps[0]
    assert CellName("y/b", "x/b", TCP) in unseen(first)
    assert "y/b does not reach itself" in first.cells[CellName("y/b", "x/b", TCP)].detail
    # What answers somebody else is open, whatever it says of itself.
    assert first.cells[CellName("x/b", "y/b", TCP)].right
    shut = result.steps[1].cells[CellName("x/b", "y/b", TCP)]
    assert (shut.seen, shut.detail) == (Mark.UNSEEN, "y/b does not answer itself")


def test_silence_beside_slow_answers_is_waited_for_longer() -> None:
    result = run(World(lies=lambda call, pod: slow if pod == "x/a" else None))
    assert all(cell.right for step in result.steps for cell in step.cells.values())


def test_silence_that_cannot_be_waited_for_proves_nothing() -> None:
    world = World(lies=lambda call, pod: slow if pod == "x/a" else None)
    result = world.runner(TablePacing(open_s=0.6)).run(case(), world)
    shut = result.steps[0].cells[SLIP]
    assert shut.seen is Mark.UNSEEN
    assert "too close to tell" in shut.detail
    assert not wrong(result)


def test_a_node_that_is_cut_off_for_one_look_makes_nothing_wrong() -> None:
    result = run(World(lies=_cut_in(2)))
    assert not wrong(result)


def _cut_in(list_number: int) -> Callable[[int, str], Lie | None]:
    """One pod's way to all others is cut in one list, while it reaches itself."""

    def lie(call: int, pod: str) -> Lie | None:
        if call != list_number or pod != "y/a":
            return None
        return lambda probes, truth: truth.__class__(
            answers=tuple(
                one
                if probe.host == "10.244.0.6" or one is None
                else Answer(Finding.TIMEOUT, 500.0, 500.0, {})
                for probe, one in zip(probes, truth.answers, strict=True)
            ),
            ended=True,
        )

    return lie


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**9), rate=st.sampled_from([0.05, 0.2, 0.6, 1.0]))
def test_whatever_is_lost_nothing_of_a_right_cluster_is_wrong(seed: int, rate: float) -> None:
    result = run(World(lag_s=0.4, lies=lying(seed, rate)))
    assert not wrong(result)
    for step in result.steps:
        for name, cell in step.cells.items():
            assert cell.right or (cell.seen is Mark.UNSEEN and cell.detail), name


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10**9),
    rate=st.sampled_from([0.05, 0.3, 0.8]),
    opened=st.booleans(),
)
def test_whatever_is_lost_a_wrong_cell_is_never_right(seed: int, rate: float, opened: bool) -> None:
    slip = SLIP if opened else CellName("x/a", "x/b", UDP)
    result = run(World(slips={slip: opened}, lies=lying(seed, rate)))
    assert wrong(result) <= {slip}
    for step in result.steps[:2]:
        assert not step.cells[slip].right


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_what_was_lost_at_first_is_seen_in_the_end(seed: int) -> None:
    result = run(World(lag_s=0.4, lies=lying(seed, 1.0, until=1)))
    assert all(cell.right for step in result.steps for cell in step.cells.values())


def test_an_api_server_that_does_nothing_is_the_problem_of_the_case() -> None:
    world = World(refuses=lambda call: "the API server is away" if call == 2 else "")
    result = run(world)
    assert result.problem == "the API server is away"
    assert [step.title for step in result.steps] == ["0", "back to no policy"]
    assert not wrong(result)


def test_a_table_that_does_not_go_back_says_so() -> None:
    world = World(refuses=lambda call: "the API server is away" if call > 2 else "")
    result = run(world)
    assert "did not go back to no policy" in result.problem
    assert len(result.steps) == 2


def test_a_step_that_changes_nothing_is_looked_at_after_a_pause() -> None:
    world = World()
    again = case((deny("a"),), (deny("a"),))
    began = world.now
    result = world.runner(TablePacing(settle_s=0.5)).run(again, world)
    assert not wrong(result)
    assert result.steps[1].converged_s is None
    assert world.now - began > 0.5
