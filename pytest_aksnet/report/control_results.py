"""What became of each control: the outcomes of the checks that prove it, put together. Pure.

What was not looked at is never met. A control is met where every check of it that concerns the
cluster has passed without a warning, at least one did, and no part of it is left to others.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from pytest_aksnet.model.controls import Control, Controls, Framework
from pytest_aksnet.model.record import CheckOutcome, CheckRecord, Skip

State = Literal[
    "failed",
    "error",
    "inconclusive",
    "not looked at",
    "warning",
    "partly met",
    "met",
    "not concerned",
    "cannot look",
]
CheckState = Literal[
    "failed", "error", "inconclusive", "skipped", "not run", "warning", "passed", "not concerned"
]
STATES: tuple[State, ...] = (
    *("failed", "error", "inconclusive", "not looked at", "warning"),
    *("partly met", "met", "not concerned", "cannot look"),
)
# From worst to best; the first that there is tells the control.
_STATE_BY_CHECKS: Mapping[CheckState, State] = {
    "failed": "failed",
    "error": "error",
    "inconclusive": "inconclusive",
    "skipped": "not looked at",
    "not run": "not looked at",
    "warning": "warning",
    "passed": "met",
    "not concerned": "not concerned",
}
_WORST_FIRST = tuple(_STATE_BY_CHECKS)
_OF_OUTCOME: Mapping[CheckOutcome, CheckState] = {
    CheckOutcome.FAILED: "failed",
    CheckOutcome.ERROR: "error",
    CheckOutcome.INCONCLUSIVE: "inconclusive",
    CheckOutcome.SKIPPED: "skipped",
    CheckOutcome.PASSED: "passed",
}
_MOST_EVIDENCE = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlCheck:
    """A check of a control: its worst state over all tests of it, and their number by state.

    A test that has passed with a warning has the state of that name. `reasons` are those of the
    tests with the worst state; `evidence` are their folders, relative to the report directory,
    `more_evidence` how many there are besides.
    """

    id: str
    title: str
    state: CheckState
    tests: Mapping[str, int]
    reasons: tuple[str, ...]
    evidence: tuple[str, ...]
    more_evidence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlResult:
    """A control and its state. `looks` is what was looked at, or why this tool cannot look.

    `rest` is what of the control is not looked at, empty where nothing is left.
    """

    id: str
    name: str
    title: str
    looks: str
    rest: str
    state: State
    checks: tuple[ControlCheck, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameworkResult:
    """A framework and its controls; `counts` are those of controls by state, `page` a file name."""

    id: str
    title: str
    version: str
    source: str
    page: str
    counts: Mapping[str, int]
    controls: tuple[ControlResult, ...]


def page_of(framework_id: str) -> str:
    """The file of a framework's page, in the report directory."""
    return f"controls-{framework_id}.html"


def control_results(
    controls: Controls, records: Sequence[CheckRecord]
) -> tuple[FrameworkResult, ...]:
    """What became of the controls of all frameworks, by the records of a run."""
    by_id: dict[str, list[CheckRecord]] = {}
    named: dict[str, dict[str, None]] = {}
    for record in records:
        by_id.setdefault(record.id, []).append(record)
        for name in record.controls:
            named.setdefault(name, {})[record.id] = None
    return tuple(_framework(framework, by_id, named) for framework in controls.frameworks)


def _framework(
    framework: Framework,
    by_id: Mapping[str, Sequence[CheckRecord]],
    named: Mapping[str, Iterable[str]],
) -> FrameworkResult:
    found = []
    for control in framework.controls:
        # Checks of users say by their markers which control they prove.
        ids = dict.fromkeys([*control.checks, *named.get(control.name, ())])
        checks = tuple(_check(one, by_id.get(one, ())) for one in ids)
        found.append(_result(control, checks))
    counts = Counter(one.state for one in found)
    return FrameworkResult(
        id=framework.id,
        title=framework.title,
        version=framework.version,
        source=framework.source,
        page=page_of(framework.id),
        counts={state: counts[state] for state in STATES if counts[state]},
        controls=tuple(found),
    )


def _result(control: Control, checks: tuple[ControlCheck, ...]) -> ControlResult:
    states = {check.state for check in checks}
    worst = next((state for state in _WORST_FIRST if state in states), None)
    state: State = "cannot look" if worst is None else _STATE_BY_CHECKS[worst]
    if state == "met" and control.rest:
        state = "partly met"
    return ControlResult(
        id=control.id,
        name=control.name,
        title=control.title,
        looks=control.looks or control.blind,
        rest=control.rest,
        state=state,
        checks=checks,
    )


def _check(check_id: str, records: Sequence[CheckRecord]) -> ControlCheck:
    states = {id(record): _state(record) for record in records}
    counts = Counter(states.values())
    worst: CheckState = next((state for state in _WORST_FIRST if counts[state]), "not run")
    telling = [record for record in records if states[id(record)] == worst]
    evidence = [record.evidence for record in telling if record.evidence]
    return ControlCheck(
        id=check_id,
        title=records[0].title if records else "",
        state=worst,
        tests={state: counts[state] for state in _WORST_FIRST if counts[state]},
        reasons=tuple(dict.fromkeys(filter(None, map(_reason, telling)))),
        evidence=tuple(evidence[:_MOST_EVIDENCE]),
        more_evidence=max(0, len(evidence) - _MOST_EVIDENCE),
    )


def _state(record: CheckRecord) -> CheckState:
    if record.skip is Skip.NOT_CONCERNED:
        return "not concerned"
    if record.outcome is CheckOutcome.PASSED and record.warnings:
        return "warning"
    return _OF_OUTCOME[record.outcome]


def _reason(record: CheckRecord) -> str:
    return "; ".join(record.warnings) if _state(record) == "warning" else record.reason
