"""A list that a policy must silence fails where one node does not enforce, and names it alone."""

import shutil
from pathlib import Path

from tests.e2e.fault_matrix import NODES
from tests.e2e.suite_run import SuiteRun, run_suites

SUITE = Path(__file__).parent / "inner" / "denies.py"


def outcomes(folder: Path, *faults: str) -> SuiteRun:
    copy = folder / "test_denies_all.py"
    shutil.copyfile(SUITE, copy)
    return run_suites(folder, "--aksnet-lab", *faults, suites=(str(copy),))


def test_a_policy_that_all_nodes_enforce_silences_the_list(tmp_path: Path) -> None:
    run = outcomes(tmp_path)
    assert set(run.outcomes().values()) == {"passed"}, run.terminal


def test_the_node_that_does_not_enforce_is_named(tmp_path: Path) -> None:
    run = outcomes(tmp_path, "--aksnet-lab-fault=policy-not-enforced-on-node")
    assert run.outcomes() == {"denies.all[tcp]": "failed", "denies.all[udp]": "failed"}
    for check in run.results["checks"]:
        assert NODES[-1] in check["reason"]
        assert "1 of 4" in check["reason"]
