"""The suites with workers: the same checks, under the same names, with the same outcomes."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.e2e.fault_matrix import NODES
from tests.e2e.suite_run import SuiteRun, run_suites

_NO_BANDWIDTH = "--aksnet-forbid=bandwidth"
_FAULT = "--aksnet-lab-fault=policy-not-enforced-on-node"
# Truth tables are many; nine show what workers make of them.
_FEW_TABLES = ("-k", "not test_table or generated-00")


def _outcomes(run: SuiteRun) -> dict[str, str]:
    """Outcome by node id, as results.json has it."""
    return {check["nodeid"]: check["outcome"] for check in run.results["checks"]}


def _run(folder: Path, *arguments: str, suites: Sequence[str] = ("suites",)) -> SuiteRun:
    folder.mkdir()
    return run_suites(folder, *arguments, suites=suites, seconds=600)


@pytest.mark.parametrize(
    ("mode", "chosen", "suites"),
    [
        pytest.param(
            "overlay",
            _FEW_TABLES,
            ("suites/dns", "suites/network_policy", "suites/ipam"),
            id="some",
        ),
        pytest.param("overlay", (), ("suites",), id="overlay", marks=pytest.mark.thorough),
        pytest.param("node-subnet", (), ("suites",), id="node-subnet", marks=pytest.mark.thorough),
    ],
)
def test_two_workers_give_the_same_outcomes(
    mode: str, chosen: tuple[str, ...], suites: tuple[str, ...], tmp_path: Path
) -> None:
    lab = (f"--aksnet-lab={mode}", _NO_BANDWIDTH, *chosen)
    alone = _run(tmp_path / "alone", *lab, suites=suites)
    workers = _run(tmp_path / "workers", *lab, "-n2", suites=suites)
    assert set(_outcomes(alone).values()) == {"passed", "skipped"}, alone.terminal
    assert _outcomes(alone) == _outcomes(workers), workers.terminal
    assert (alone.exit_code, workers.exit_code) == (0, 0)
    assert {node["name"] for node in workers.results["cluster"]["nodes"]} == set(NODES)
    assert alone.results["profile"] == workers.results["profile"]


@pytest.mark.thorough
@pytest.mark.parametrize("fault", [(), (_FAULT,)], ids=["healthy", "fault"])
def test_any_number_of_workers_gives_the_same_outcomes(
    fault: tuple[str, ...], tmp_path: Path
) -> None:
    alone = _run(tmp_path / "alone", "--aksnet-lab", *fault)
    assert ("failed" in _outcomes(alone).values()) == bool(fault), alone.terminal
    for arguments in (("-n2",), ("-n8",), ("-n2", "--dist=load"), ("-n2", "--dist=worksteal")):
        folder = tmp_path / "".join(arguments)
        workers = _run(folder, "--aksnet-lab", *fault, *arguments)
        assert _outcomes(alone) == _outcomes(workers), workers.terminal
        assert workers.exit_code == alone.exit_code


_ONE_DIES = '''
import os
import signal
import pytest

def check(name):
    return pytest.mark.aksnet(id=name, feature="pod-network", severity="major")

@check("reaches")
def test_reaches(node_pair, netshoot):
    """Pods on two nodes reach one another."""
    source, target = netshoot.on_each(node_pair)
    source.assert_connects(target)

@check("dies")
def test_dies(node, netshoot):
    """Its worker is killed after it has looked."""
    netshoot(on=node).assert_connects(netshoot(on=node, fresh=True))
    os.kill(os.getpid(), signal.SIGKILL)

@check("reaches-too")
def test_reaches_too(node_pair, netshoot):
    """Pods on two nodes reach one another still."""
    source, target = netshoot.on_each(node_pair)
    source.assert_connects(target)
'''


@pytest.mark.thorough
@pytest.mark.parametrize("workers", ["-n2", "-n8"])
def test_checks_that_kill_their_workers_are_errors_with_evidence(
    workers: str, tmp_path: Path
) -> None:
    suite = tmp_path / "test_one_dies.py"
    suite.write_text(_ONE_DIES, encoding="utf-8")
    report = tmp_path / "report"
    report.mkdir()
    run = run_suites(report, "--aksnet-lab", workers, f"--rootdir={tmp_path}", suites=[str(suite)])
    checks = run.results["checks"]
    assert len(checks) == 3 * len(NODES), run.terminal
    for check in checks:
        assert check["outcome"] == ("error" if check["id"] == "dies" else "passed"), run.terminal
        assert check["attempts"] > 0
        assert (report / check["evidence"] / "attempts.jsonl").is_file()
        assert (report / check["evidence"] / "evidence.txt").is_file()
