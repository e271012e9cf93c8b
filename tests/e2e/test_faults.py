"""Every check has a fault that fails it; a fault fails exactly what it should, and says why."""

import re
from pathlib import Path

import pytest

from tests.e2e.fault_matrix import MATRIX, Row
from tests.e2e.suite_run import CHECKOUT, SuiteRun, run_suites

_MEASURE_BANDWIDTH = (
    "accelerated-networking.vf-used",
    "accelerated-networking.throughput-between-nodes",
    "accelerated-networking.pod-like-host",
)
_NO_BANDWIDTH = "--aksnet-forbid=bandwidth"
# One fault of each kind of check; a whole run of the suites each, so the others are thorough.
_QUICK = {
    ("overlay", "private-zone-unlinked"),
    ("overlay", "policy-not-enforced-on-node"),
    ("overlay", "nic-without-vf"),
    ("overlay", "kube-proxy-rules-missing"),
    ("overlay", "local-policy-loses-source"),
    ("node-subnet", "masquerade-inside-vnet"),
}


def _measures_bandwidth(check: str) -> bool:
    return check.startswith(_MEASURE_BANDWIDTH)


def _not_passed(run: SuiteRun) -> dict[str, str]:
    """What did not pass, but for bandwidth checks that the run was told to leave out."""
    return {
        check: reason
        for check, reason in run.not_passed().items()
        if not (_measures_bandwidth(check) and reason.startswith("skipped: needs bandwidth"))
    }


def _rows() -> list[object]:
    return [
        pytest.param(
            row,
            id=f"{row.mode}-{row.fault}",
            marks=[] if (row.mode, row.fault) in _QUICK else [pytest.mark.thorough],
        )
        for row in MATRIX
    ]


@pytest.mark.parametrize("row", _rows())
def test_fault_fails_exactly_what_it_should(row: Row, tmp_path: Path) -> None:
    # Bandwidth runs take most of the time: left out where the fault has nothing to do with them.
    spared = () if any(map(_measures_bandwidth, row.fails)) else (_NO_BANDWIDTH,)
    run = run_suites(
        tmp_path, f"--aksnet-lab={row.mode}", f"--aksnet-lab-fault={row.fault}", *spared
    )
    not_passed = _not_passed(run)
    expected = dict.fromkeys(row.fails, "failed")
    expected |= dict.fromkeys(row.cannot_judge, "inconclusive")
    assert expected == {check: reason.partition(":")[0] for check, reason in not_passed.items()}, (
        run.terminal
    )
    for check in row.fails:
        reason = not_passed[check]
        assert any(word in reason for word in row.names_cause), f"{check}: {reason}"
    for check in row.cannot_judge:
        assert "positive control" in not_passed[check]
    assert run.exit_code == 1


def test_every_check_of_the_suites_is_failed_by_some_fault() -> None:
    sources = (CHECKOUT / "suites").rglob("test_*.py")
    checks = {
        check
        for source in sources
        for check in re.findall(r'\bid="([a-z.-]+)"', source.read_text("utf-8"))
    }
    failed_by_a_fault = {check.partition("[")[0] for row in MATRIX for check in row.fails}
    assert len(checks) >= 20
    assert sorted(checks - failed_by_a_fault) == []
