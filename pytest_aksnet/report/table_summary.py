"""Sums up the truth tables of a run: by family and by tag of their cases. Pure.

A case with a wrong cell has failed, unless its check found that this proves nothing. One that was
looked at to its end and has none has passed. Any other is inconclusive.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_aksnet.model.observation import PolicyTable
from pytest_aksnet.model.record import CheckOutcome, CheckRecord

_KIND = PolicyTable.__name__


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCounts:
    """What came of the cases that have something in common, `name`.

    `slowest_s` is the longest that a step took until all of its cells were as expected (seconds),
    None where none had to change; `slowest` is the case that it belongs to.
    """

    name: str
    cases: int
    passed: int
    failed: int
    inconclusive: int
    cells: int
    wrong: int
    unseen: int
    probes: int
    slowest_s: float | None
    slowest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDeparture:
    """Where the engine's documents gave expectations, and not the API text.

    `sentence` says what and names the document.
    """

    sentence: str
    cells: int
    cases: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TableSummary:
    """The truth tables of a run. `documents` are where the expectations are written.

    `wrong_at` counts wrong cells by the node of the pod whose policies should have closed them.
    """

    engines: tuple[str, ...]
    documents: tuple[str, ...]
    total: TableCounts
    families: tuple[TableCounts, ...]
    tags: tuple[TableCounts, ...]
    wrong_at: Mapping[str, int]
    departures: tuple[TableDeparture, ...]


@dataclass(frozen=True, slots=True)
class _Case:
    """The tables of one case, as they are in results.json."""

    outcome: CheckOutcome
    tables: Sequence[Mapping[str, Any]]


def summarise_tables(records: Iterable[CheckRecord]) -> TableSummary | None:
    """The summary; None where no check looked at a truth table."""
    cases = [case for record in records for case in _cases(record)]
    if not cases:
        return None
    first = [case.tables[0] for case in cases]
    return TableSummary(
        engines=tuple(sorted({table["engine"] for table in first})),
        documents=tuple(sorted({table["document"] for table in first})),
        total=_counts("all", cases),
        families=_grouped(cases, lambda table: (table["family"],)),
        tags=_grouped(cases, lambda table: table["tags"]),
        wrong_at=_wrong_at(cases),
        departures=_departures(cases),
    )


def summary_lines(summary: TableSummary) -> list[str]:
    """The summary for a terminal: the total, and the families and tags that did not all pass."""
    total = summary.total
    lines = [
        f"{total.cases} cases: {total.passed} passed, {total.failed} failed, "
        f"{total.inconclusive} inconclusive; {total.cells} cells: {total.wrong} wrong, "
        f"{total.unseen} left open; {total.probes} probes"
    ]
    if total.slowest_s is not None:
        lines.append(
            f"slowest change: all cells had followed after {total.slowest_s:.2f} s, {total.slowest}"
        )
    if summary.wrong_at:
        nodes = ", ".join(f"{node} {count}" for node, count in summary.wrong_at.items())
        lines.append(f"wrong cells by the node whose pods' policies should close them: {nodes}")
    for what, groups in (("family", summary.families), ("tag", summary.tags)):
        unlike = [
            f"{group.name} {group.passed} of {group.cases}"
            for group in groups
            if group.passed < group.cases
        ]
        if unlike:
            lines.append(f"passed by {what}, where not all did: {', '.join(unlike)}")
    lines += [
        f"{departure.sentence}: {departure.cells} cells of {departure.cases} cases"
        for departure in summary.departures
    ]
    return lines


def _cases(record: CheckRecord) -> list[_Case]:
    by_case: dict[str, list[Mapping[str, Any]]] = {}
    for seen in record.observations:
        if seen.get("kind") == _KIND:
            by_case.setdefault(str(seen["case"]), []).append(seen)
    return [_Case(_outcome(record, tables), tables) for tables in by_case.values()]


def _outcome(record: CheckRecord, tables: Sequence[Mapping[str, Any]]) -> CheckOutcome:
    if record.outcome not in (CheckOutcome.PASSED, CheckOutcome.FAILED):
        return CheckOutcome.INCONCLUSIVE
    # A check may look at several cases: one that failed says nothing of another.
    if any(table["wrong"] for table in tables):
        return CheckOutcome.FAILED
    whole = all(table["cells"] and not table["unseen"] for table in tables)
    return CheckOutcome.PASSED if whole else CheckOutcome.INCONCLUSIVE


def _grouped(
    cases: Sequence[_Case], names: Callable[[Mapping[str, Any]], Iterable[str]]
) -> tuple[TableCounts, ...]:
    groups: dict[str, list[_Case]] = {}
    for case in cases:
        for name in filter(None, names(case.tables[0])):
            groups.setdefault(name, []).append(case)
    return tuple(_counts(name, group) for name, group in sorted(groups.items()))


def _counts(name: str, cases: Sequence[_Case]) -> TableCounts:
    outcomes = [case.outcome for case in cases]
    tables = [table for case in cases for table in case.tables]
    timed = [(table["converged_s"], table["case"]) for table in tables if table["converged_s"]]
    slowest_s, slowest = max(timed, default=(None, ""))
    return TableCounts(
        name=name,
        cases=len(cases),
        passed=outcomes.count(CheckOutcome.PASSED),
        failed=outcomes.count(CheckOutcome.FAILED),
        inconclusive=outcomes.count(CheckOutcome.INCONCLUSIVE),
        cells=sum(table["cells"] for table in tables),
        wrong=sum(table["wrong"] for table in tables),
        unseen=sum(table["unseen"] for table in tables),
        probes=sum(table["probes"] for table in tables),
        slowest_s=slowest_s,
        slowest=slowest,
    )


def _wrong_at(cases: Sequence[_Case]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for case in cases:
        for table in case.tables:
            counts.update(table["wrong_at"])
    return dict(counts.most_common())


def _departures(cases: Sequence[_Case]) -> tuple[TableDeparture, ...]:
    cells: dict[str, int] = {}
    of: dict[str, int] = {}
    for case in cases:
        for sentence in {one for table in case.tables for one in table["departures"]}:
            of[sentence] = of.get(sentence, 0) + 1
            cells[sentence] = cells.get(sentence, 0) + sum(
                table["departures"].get(sentence, 0) for table in case.tables
            )
    return tuple(
        TableDeparture(sentence=sentence, cells=cells[sentence], cases=count)
        for sentence, count in sorted(of.items())
    )
