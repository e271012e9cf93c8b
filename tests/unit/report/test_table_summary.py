"""The summary of truth tables: by family and tag, as results.json and the terminal have it."""

from dataclasses import replace

from pytest_aksnet.model.observation import PolicyTable
from pytest_aksnet.model.record import CheckOutcome, CheckRecord, Severity
from pytest_aksnet.report.serialisation import tagged
from pytest_aksnet.report.table_summary import (
    TableCounts,
    TableDeparture,
    summarise_tables,
    summary_lines,
)
from tests.truth_tables import large_table, unlike_table


def record(outcome: CheckOutcome, *tables: PolicyTable) -> CheckRecord:
    observations = [tagged(table) for table in tables]
    return CheckRecord(
        id="network-policy.table",
        nodeid=f"test_tables.py::test_case[{tables[0].case if tables else ''}]",
        title="",
        feature="network-policy",
        severity=Severity.MAJOR,
        controls=(),
        outcome=outcome,
        reason="",
        duration_s=1.0,
        attempts=len(tables),
        observations=tuple(one for one in observations if isinstance(one, dict)),
    )


RIGHT = replace(large_table(wrong=0), case="a", family="peers", tags=("ingress", "cidr"))
SLOW = replace(RIGHT, step="label", converged_s=1.5, probes=2, departures={"no SCTP (doc)": 3})
WRONG = replace(unlike_table(), case="b", family="ports", tags=("ingress",), wrong_at={"node-1": 1})
BLIND = replace(RIGHT, case="c", family="ports", tags=(), cells=0, pods=(), converged_s=None)


def test_without_tables_there_is_no_summary() -> None:
    assert summarise_tables([record(CheckOutcome.PASSED)]) is None


def test_cases_are_counted_by_family_and_tag() -> None:
    summary = summarise_tables(
        [
            record(CheckOutcome.PASSED, RIGHT, SLOW),
            record(CheckOutcome.FAILED, WRONG),
            record(CheckOutcome.INCONCLUSIVE, BLIND),
        ]
    )
    assert summary is not None
    assert summary.engines == ("calico",)
    assert summary.total == TableCounts(
        name="all",
        cases=3,
        passed=1,
        failed=1,
        inconclusive=1,
        cells=2 * 324 + 18,
        wrong=1,
        unseen=1,
        probes=40 + 2 + 40 + 40,
        slowest_s=1.5,
        slowest="a",
    )
    assert [(g.name, g.passed, g.failed, g.inconclusive) for g in summary.families] == [
        ("peers", 1, 0, 0),
        ("ports", 0, 1, 1),
    ]
    assert [(g.name, g.cases, g.passed) for g in summary.tags] == [
        ("cidr", 1, 1),
        ("ingress", 2, 1),
    ]
    assert summary.wrong_at == {"node-1": 1}
    assert summary.departures == (
        TableDeparture(sentence="engine x: no SCTP (AKS docs: y)", cells=2, cases=1),
        TableDeparture(sentence="no SCTP (doc)", cells=3, cases=1),
    )
    assert summary_lines(summary) == [
        "3 cases: 1 passed, 1 failed, 1 inconclusive; 666 cells: 1 wrong, 1 left open; 122 probes",
        "slowest change: all cells had followed after 1.50 s, a",
        "wrong cells by the node whose pods' policies should close them: node-1 1",
        "passed by family, where not all did: ports 0 of 2",
        "passed by tag, where not all did: ingress 1 of 2",
        "engine x: no SCTP (AKS docs: y): 2 cells of 1 cases",
        "no SCTP (doc): 3 cells of 1 cases",
    ]


def test_one_check_may_look_at_several_cases() -> None:
    summary = summarise_tables([record(CheckOutcome.FAILED, RIGHT, WRONG)])
    assert summary is not None
    assert (summary.total.passed, summary.total.failed) == (1, 1)


def test_a_check_that_ended_before_its_verdict_leaves_its_case_inconclusive() -> None:
    summary = summarise_tables([record(CheckOutcome.ERROR, RIGHT)])
    assert summary is not None
    proves_nothing = summarise_tables([record(CheckOutcome.INCONCLUSIVE, WRONG)])
    assert proves_nothing is not None
    assert (proves_nothing.total.failed, proves_nothing.total.inconclusive) == (0, 1)
    assert (summary.total.passed, summary.total.inconclusive) == (0, 1)
    assert "engine" not in " ".join(summary_lines(summary))


def test_cases_without_a_family_are_in_the_total_alone() -> None:
    summary = summarise_tables([record(CheckOutcome.PASSED, replace(RIGHT, family="", tags=()))])
    assert summary is not None
    assert (summary.families, summary.tags, summary.total.cases) == ((), (), 1)
