"""Every check has a fault that fails it; a fault fails exactly what it should, and says why."""

from pathlib import Path

import pytest

from tests.e2e.fault_matrix import MATRIX, NODES, Row
from tests.e2e.suite_run import run_suites


@pytest.mark.parametrize("row", MATRIX, ids=lambda row: f"{row.mode}-{row.fault}")
def test_fault_fails_exactly_what_it_should(row: Row, tmp_path: Path) -> None:
    run = run_suites(tmp_path, f"--aksnet-lab={row.mode}", f"--aksnet-lab-fault={row.fault}", "-n2")
    not_passed = run.not_passed()
    assert {check: "failed" for check in row.fails} == {
        check: reason.partition(":")[0] for check, reason in not_passed.items()
    }, run.terminal
    for check, reason in not_passed.items():
        assert any(word in reason for word in row.names_cause), f"{check}: {reason}"
    assert run.exit_code == 1


@pytest.mark.parametrize("mode", sorted({row.mode for row in MATRIX}))
def test_healthy_lab_passes_everything_alike_alone_and_with_workers(
    mode: str, tmp_path: Path
) -> None:
    (tmp_path / "alone").mkdir()
    (tmp_path / "workers").mkdir()
    alone = run_suites(tmp_path / "alone", f"--aksnet-lab={mode}")
    workers = run_suites(tmp_path / "workers", f"--aksnet-lab={mode}", "-n2")
    assert alone.not_passed() == {}, alone.terminal
    assert alone.outcomes() == workers.outcomes(), workers.terminal
    assert (alone.exit_code, workers.exit_code) == (0, 0)


def test_every_check_of_the_suites_is_failed_by_some_fault(tmp_path: Path) -> None:
    run = run_suites(tmp_path, "--aksnet-lab", "-n2")
    checks = {check["id"] for check in run.results["checks"]}
    failed_by_a_fault = {check.partition("[")[0] for row in MATRIX for check in row.fails}
    assert len(checks) >= 20
    assert sorted(checks - failed_by_a_fault) == []
    assert {node["name"] for node in run.results["cluster"]["nodes"]} == set(NODES)
