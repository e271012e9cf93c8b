"""Truth tables in the report: heat maps in the rows that need them, and what they sum up to."""

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest

from tests.plugin.test_report import page, results

SUITE = '''
import time
from dataclasses import replace
import pytest
from pytest_aksnet.fixtures import SESSION_KEY
from pytest_aksnet.model.errors import ConformanceFailure, ControlFailed
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.record import Attempt
from tests.truth_tables import large_table, unlike_table

def look(request, *tables):
    for table in tables:
        request.config.stash[SESSION_KEY].recorder.attempt(Attempt(
            role="probe", source="9 pods", command_line="kubectl exec pod -- nc -z x 8080",
            started=time.time(),
            execution=Completed(argv=("nc",), exit_code=0, stdout="", stderr="", duration_s=0.1),
            observation=table, verdict=None,
        ))

def check(name):
    return pytest.mark.aksnet(
        id=f"network-policy.{name}", feature="network-policy", severity="major", controls=()
    )

RIGHT = replace(large_table(wrong=0), case="generated-002")

@check("right")
def test_right(request):
    """All is as expected."""
    look(request, RIGHT, replace(RIGHT, step="label"))

@check("wrong")
def test_wrong(request):
    """A cell is wrong."""
    look(request, unlike_table())
    raise ConformanceFailure("1 of 18 cells is wrong")

@check("blind")
def test_blind(request):
    """A cell could not be looked at."""
    look(request, replace(RIGHT, case="generated-003", unseen=1, problem="cut"))
    raise ControlFailed("1 of 324 cells could not be looked at")

@check("other")
def test_other(request):
    """No table at all."""
'''


@pytest.fixture(scope="module", params=["-n0", "-n2"])
def ended(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, str]:
    """The report of one run of the suite, in one process or with workers, and its terminal."""
    folder = tmp_path_factory.mktemp("tables")
    (folder / "test_suite.py").write_text(SUITE, encoding="utf-8")
    run = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", request.param),
            *("--aksnet-report-dir=out", "--import-mode=importlib"),
        ],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", "PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == pytest.ExitCode.TESTS_FAILED, run.stdout
    return folder / "out", run.stdout


def test_rows_of_checks_that_did_not_pass_show_their_heat_maps(ended: tuple[Path, str]) -> None:
    _, rows = page(ended[0])
    shown = {
        str(row["checkId"]): "".join(
            str(extra["content"])
            for extra in row["extras"]  # type: ignore[attr-defined]
        )
        for row in rows
    }
    assert shown["network-policy.right"] == ""
    assert shown["network-policy.other"] == ""
    for name in ("wrong", "blind"):
        fragment = ElementTree.fromstring(shown[f"network-policy.{name}"])
        assert fragment.get("class") == "aksnet-tables"
    assert "isolated by &lt;deny&gt;" in shown["network-policy.wrong"]


def test_every_check_with_tables_has_a_page_of_them(ended: tuple[Path, str]) -> None:
    folder = ended[0]
    _, rows = page(folder)
    linked = {
        str(row["checkId"]).rpartition(".")[2]
        for row in rows
        if 'tables.html">tables</a>' in "".join(row["resultsTableRow"])  # type: ignore[arg-type]
    }
    assert linked == {"right", "wrong", "blind"}
    kept = sorted(folder.glob("evidence/*/*/tables.html"))
    assert [path.parent.name for path in kept] == [
        "network-policy.blind",
        "network-policy.right",
        "network-policy.wrong",
    ]
    text = kept[1].read_text(encoding="utf-8").removeprefix("<!DOCTYPE html>\n")
    assert len(list(ElementTree.fromstring(text).iter("table"))) == 2, "one per step"
    told = (kept[2].parent / "evidence.txt").read_text(encoding="utf-8")
    assert "   |   x/b       | +.  ..  ..\n" in told
    assert "   |     kind: NetworkPolicy\n" in told


def test_tables_are_summed_up(ended: tuple[Path, str]) -> None:
    folder, terminal = ended
    summary = results(folder)["policy_tables"]
    assert isinstance(summary, dict)
    total = summary["total"]
    assert (total["cases"], total["passed"], total["failed"], total["inconclusive"]) == (3, 1, 1, 1)
    text, _ = page(folder)
    assert "Truth tables of NetworkPolicies" in text
    assert "engine x: no SCTP (AKS docs: y)" in text
    assert "truth tables of NetworkPolicies, engine calico" in terminal
    assert "3 cases: 1 passed, 1 failed, 1 inconclusive; 990 cells: 1 wrong" in terminal


def test_every_step_is_among_the_observations(ended: tuple[Path, str]) -> None:
    lines = (ended[0] / "results.jsonl").read_text(encoding="utf-8").splitlines()
    by_id = {line["id"]: line for line in map(json.loads, lines)}
    steps = [seen["step"] for seen in by_id["network-policy.right"]["observations"]]
    assert sorted(steps) == ["create", "label"]
