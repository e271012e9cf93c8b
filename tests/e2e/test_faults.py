"""Every check has a fault that fails it; a fault fails exactly what it should, and says why."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.e2e.fault_matrix import Row, added_up, all_rows, suite_checks, topic_of
from tests.e2e.kept_runs import KeptRuns
from tests.e2e.suite_run import CHECKOUT, SuiteRun, lab_arguments, run_suites

_WITHOUT_TRANSFER = ("vf-present", "same-driver", "latency")
_NO_BANDWIDTH = "--aksnet-forbid=bandwidth"
_TABLES = "network-policy.table-"
_NO_TABLES = f"--ignore={CHECKOUT / 'suites' / 'network_policy' / 'truth_table'}"
_BLIND = "positive control"
_LABS = [
    added_up(rows)
    for _, rows in groupby(sorted(all_rows(), key=lambda row: row.lab), key=lambda row: row.lab)
]


def _params(rows: Iterable[Row]) -> list[ParameterSet]:
    """Rows with ids that name their topics, numbered where several say more of the same."""
    seen: Counter[str] = Counter()
    params = []
    for row in rows:
        topics = {topic_of(check) for check in row.fails | row.cannot_judge}
        name = "-".join([row.name, *sorted(topics)])
        seen[name] += 1
        again = f"-{seen[name]}" if seen[name] > 1 else ""
        params.append(pytest.param(row, id=f"{name}{again}"))
    return params


def _measures_bandwidth(check: str) -> bool:
    topic, _, claim = check.partition("[")[0].partition(".")
    return topic == "accelerated-networking" and claim not in _WITHOUT_TRANSFER


@pytest.fixture(scope="session")
def healthy(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> KeptRuns:
    """Runs without a fault, which all workers share."""
    own = tmp_path_factory.getbasetemp()
    return KeptRuns((own if worker_id == "master" else own.parent) / "healthy")


def _not_passed(run: SuiteRun) -> dict[str, str]:
    """What failed or was inconclusive."""
    return {
        check: reason
        for check, reason in run.not_passed().items()
        if not reason.startswith("skipped:")
    }


def _assert_skips_as_without(row: Row, run: SuiteRun, healthy: KeptRuns, suites: list[str]) -> None:
    """A fault hides no check behind a skip: they are those of the same lab without it."""
    lab = (row.mode, row.engine, row.settings, row.options, _spared(row))
    without = healthy.skipped(
        (*lab, suites), lambda folder: _run(replace(row, fault=""), folder, suites)
    )
    hidden = {
        check: reason
        for check, reason in run.skipped().items()
        if check not in without and check not in row.skips
    }
    assert hidden == {}, run.terminal


def _run(row: Row, folder: Path, suites: Iterable[str]) -> SuiteRun:
    lab = lab_arguments(folder, row.mode, row.engine, row.settings)
    faults = [f"--aksnet-lab-fault={fault}" for fault in row.fault.split()]
    chosen = sorted(set(suites))
    return run_suites(
        folder, *lab, *faults, *_spared(row), *row.options, suites=chosen, seconds=600
    )


def _spared(row: Row) -> tuple[str, ...]:
    """What takes most of the time is left out where the fault has no part in it.

    That is bandwidth runs, and truth tables.
    """
    bandwidth = any(map(_measures_bandwidth, row.fails))
    tables = any(check.startswith(_TABLES) for check in row.fails | row.cannot_judge)
    return (*(() if bandwidth else (_NO_BANDWIDTH,)), *(() if tables else (_NO_TABLES,)))


def _assert_as_expected(row: Row, run: SuiteRun, topics: set[str] | None) -> None:
    expected = dict.fromkeys(row.fails, "failed") | dict.fromkeys(row.cannot_judge, "inconclusive")
    if topics is not None:
        expected = {c: outcome for c, outcome in expected.items() if topic_of(c) in topics}
    seen = {check: reason.partition(":")[0] for check, reason in _not_passed(run).items()}
    assert expected == seen, run.terminal


@pytest.mark.parametrize("row", _params(row for row in all_rows() if row.quick))
def test_fault_fails_the_check_and_the_message_names_it(row: Row, tmp_path: Path) -> None:
    checks = {check.partition("[")[0] for check in row.fails | row.cannot_judge}
    run = _run(row, tmp_path, [suite_checks()[check].nodeid for check in checks])
    _assert_as_expected(row, run, None)
    _assert_causes(row, run)
    assert run.exit_code == 1


@pytest.mark.thorough
@pytest.mark.parametrize("row", _params(all_rows()))
def test_fault_fails_exactly_what_it_should_of_its_topics(
    row: Row, tmp_path: Path, healthy: KeptRuns
) -> None:
    topics = {topic_of(check) for check in row.fails | row.cannot_judge}
    suites = sorted(f"suites/{topic}" for topic in topics)
    run = _run(row, tmp_path, suites)
    [whole] = [lab for lab in _LABS if lab.lab == row.lab]
    _assert_as_expected(whole, run, topics)
    _assert_causes(row, run)
    _assert_skips_as_without(replace(row, skips=whole.skips), run, healthy, suites)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "row", [pytest.param(row, id=row.name) for row in _LABS if not row.starves]
)
def test_fault_fails_nothing_unrelated(row: Row, tmp_path: Path, healthy: KeptRuns) -> None:
    run = _run(row, tmp_path, ["suites"])
    _assert_as_expected(row, run, None)
    _assert_skips_as_without(row, run, healthy, ["suites"])


def _assert_causes(row: Row, run: SuiteRun) -> None:
    not_passed = _not_passed(run)
    for check in row.fails:
        reason = not_passed[check]
        assert not row.names_cause or any(word in reason for word in row.names_cause), (
            f"{check}: {reason}"
        )
    for check in row.cannot_judge:
        reason = not_passed[check]
        assert any(word in reason for word in (_BLIND, *row.names_why)), f"{check}: {reason}"


def test_every_check_of_the_suites_is_failed_by_some_fault() -> None:
    failed_by_a_fault = {check.partition("[")[0] for row in all_rows() for check in row.fails}
    checks = set(suite_checks())
    assert len(checks) >= 20
    assert sorted(checks - failed_by_a_fault) == []
    assert sorted(failed_by_a_fault - checks) == []
