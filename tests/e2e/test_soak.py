"""Trouble of the API server, its streams and its pods changes no outcome but to inconclusive."""

from pathlib import Path

import pytest

from tests.e2e.soak_run import ALL_AT_RANDOM, Comparison, compare, faults_at, soak, soak_quietly

RATE = 0.05
QUICK = ("exec-stream-cut", 0.3)


def differences(folder: Path, fault: str, checks: int) -> Comparison:
    """How the outcomes under a fault differ from the quiet ones."""
    quiet = soak_quietly(folder / "quiet", checks)
    return compare(quiet.run, soak(folder / "troubled", checks, (fault,)).run)


def test_streams_that_are_cut_change_no_outcome(tmp_path: Path) -> None:
    name, rate = QUICK
    seen = differences(tmp_path, f"{name}={rate:g}", 10)
    assert seen.wrong == ()
    assert seen.errors == ()
    assert seen.retries["exec"] + seen.retries["streams"] > 0


@pytest.mark.thorough
@pytest.mark.parametrize("fault", faults_at(RATE))
def test_no_trouble_changes_an_outcome(tmp_path: Path, fault: str) -> None:
    seen = differences(tmp_path, fault, 48)
    assert seen.wrong == ()
    assert seen.errors == ()


@pytest.mark.thorough
def test_nearly_all_checks_are_judged_in_spite_of_trouble(tmp_path: Path) -> None:
    seen = differences(tmp_path, f"{ALL_AT_RANDOM}={RATE:g}", 200)
    assert seen.wrong == ()
    assert seen.errors == ()
    assert len(seen.inconclusive) < seen.checks / 100, seen.inconclusive
