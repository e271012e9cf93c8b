"""The comparison of the soak sees each way in which an outcome can be wrong."""

from pathlib import Path

import pytest

from tests.e2e.soak_run import compare, faults_at
from tests.e2e.suite_run import SuiteRun


def run(**outcomes: str) -> SuiteRun:
    """A run with these outcomes."""
    checks = [
        {"id": id, "nodeid": f"t.py::{id}", "outcome": outcome, "reason": "", "diagnosis": ""}
        for id, outcome in outcomes.items()
    ]
    retries = {"exec": {"cut": 2, "http 429": 1}, "rest": {}, "streams": {}}
    return SuiteRun(
        exit_code=1,
        terminal="",
        results={"checks": checks, "summary": {"retries": retries}},
        report_dir=Path(),
    )


@pytest.mark.parametrize(
    ("quiet", "now"),
    [("passed", "failed"), ("failed", "passed"), ("passed", "skipped"), ("failed", "skipped")],
)
def test_another_verdict_is_wrong(quiet: str, now: str) -> None:
    seen = compare(run(a=quiet, b="passed"), run(a=now, b="passed"))
    assert len(seen.wrong) == 1
    assert f"a: {quiet} -> {now}" in seen.wrong[0]


def test_a_check_that_is_lost_or_new_is_wrong() -> None:
    assert len(compare(run(a="passed", b="passed"), run(a="passed")).wrong) == 1
    assert len(compare(run(a="passed"), run(a="passed", b="passed")).wrong) == 1


def test_what_could_not_look_is_not_wrong() -> None:
    seen = compare(
        run(a="passed", b="failed", c="passed"), run(a="inconclusive", b="error", c="passed")
    )
    assert seen.wrong == ()
    assert (len(seen.inconclusive), len(seen.errors)) == (1, 1)
    assert seen.retries == {"exec": 3, "rest": 0, "streams": 0}


def test_the_rate_is_that_of_faults_which_have_one() -> None:
    faults = faults_at(0.07)
    assert {"api-429=0.07", "pod-evicted=0.07", "api-trouble=0.07", "api-latency"} <= set(faults)
