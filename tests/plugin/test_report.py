"""The report: every file is there, says what it is about, and shows inconclusive as such."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from html import unescape
from pathlib import Path
from typing import cast

import pytest

from pytest_aksnet.control_file import read_controls
from pytest_aksnet.report.control_results import page_of
from tests.plugin.inner_run import run_pytest

FRAMEWORKS = sorted(read_controls(None).frameworks, key=lambda framework: page_of(framework.id))

SUITE = '''
import time
import pytest
from pytest_aksnet.fixtures import SESSION_KEY
from pytest_aksnet.model.errors import ConformanceFailure, Inconclusive, SettingsError
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.record import Attempt
from pytest_aksnet.model.verdict import Outcome, Verdict

def check(name, severity="major"):
    return pytest.mark.aksnet(
        id=f"dns.{name}", feature="dns", severity=severity, controls=("CIS 1.1",)
    )

def look(request):
    request.config.stash[SESSION_KEY].recorder.attempt(Attempt(
        role="probe", source="ns/pod", command_line="kubectl exec pod -- dig a",
        started=time.time(),
        execution=Completed(
            argv=("dig", "a"), exit_code=0, stdout="password=hunter22", stderr="", duration_s=0.1
        ),
        observation=None,
        verdict=Verdict(outcome=Outcome.PASS, sentence="expected 10.0.0.1, saw 10.0.0.1"),
    ))

@check("passes", "critical")
@pytest.mark.parametrize("n", ["node-1", "node-2"])
def test_passes(request, n):
    """A <b>name</b> resolves."""
    look(request)

@check("fails")
def test_fails(request):
    """Another name resolves."""
    look(request)
    raise ConformanceFailure("expected 1, saw 2")

@check("cut")
def test_cut():
    """Could not look."""
    raise Inconclusive("the exec stream was cut")

@pytest.fixture
def blind():
    raise Inconclusive("the control did not hold")

@check("blind")
def test_blind(blind):
    """Could not look in its set-up."""

@check("settings")
def test_settings():
    """The settings are wrong."""
    raise SettingsError("there is no node 'x'")
'''


@pytest.fixture(scope="module", params=["-n0", "-n2"])
def report(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of one run of the suite: in one process, and with two workers."""
    folder = tmp_path_factory.mktemp("report")
    (folder / "test_suite.py").write_text(SUITE, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", request.param]
    ended = subprocess.run(
        [*command, "--aksnet-report-dir=out"], cwd=folder, capture_output=True, check=False
    )
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED
    return folder / "out"


def run(pytester: pytest.Pytester, *args: str) -> Path:
    pytester.makepyfile(SUITE)
    run_pytest(pytester, "--aksnet-report-dir=out", *args)
    return pytester.path / "out"


def results(folder: Path) -> dict[str, object]:
    return cast(
        dict[str, object], json.loads((folder / "results.json").read_text(encoding="utf-8"))
    )


def page(folder: Path) -> tuple[str, list[dict[str, object]]]:
    """The text of the page, and the rows that its script draws."""
    text = (folder / "report.html").read_text(encoding="utf-8")
    blob = re.search(r'data-jsonblob="([^"]*)"', text)
    assert blob is not None
    tests = json.loads(unescape(blob[1]))["tests"]
    return text, [row for rows in tests.values() for row in rows]


def test_a_run_leaves_every_file(report: Path) -> None:
    names = sorted(path.name for path in report.iterdir())
    pages = [name for name in names if name.startswith("controls-")]
    assert pages == [page_of(framework.id) for framework in FRAMEWORKS]
    assert names[len(pages) :] == [
        *("evidence", "junit.xml", "report.html", "results.json", "results.jsonl")
    ]
    lines = (report / "results.jsonl").read_text(encoding="utf-8").splitlines()
    ids = sorted(json.loads(line)["id"] for line in lines)
    assert ids == ["dns.blind", "dns.cut", "dns.fails", "dns.passes", "dns.passes", "dns.settings"]


def test_results_count_and_name(report: Path) -> None:
    read = results(report)
    assert read["summary"] == {
        "total": 6,
        "passed": 2,
        "failed": 1,
        "inconclusive": 2,
        "skipped": 0,
        "error": 1,
        "partial": True,
        "retries": {"exec": {}, "rest": {}, "streams": {}},
        "worse_than_baseline": [],
    }
    checks = cast(list[dict[str, object]], read["checks"])
    passed = [check for check in checks if check["outcome"] == "passed"]
    assert [check["reason"] for check in passed] == ["expected 10.0.0.1, saw 10.0.0.1"] * 2
    assert passed[0]["controls"] == ["CIS 1.1"]
    assert passed[0]["attempts"] == 1


def test_evidence_is_linked_and_carries_no_secret(report: Path) -> None:
    checks = cast(list[dict[str, object]], results(report)["checks"])
    linked = [report / str(check["evidence"]) for check in checks if check["evidence"]]
    assert [path.name for path in linked] == [
        "dns.fails",
        "dns.passes.node-1",
        "dns.passes.node-2",
    ]
    text, _ = page(report)
    for path in linked:
        kept = (path / "evidence.txt").read_text(encoding="utf-8")
        assert "kubectl exec pod -- dig a" in kept
        assert "hunter22" not in kept + (path / "attempts.jsonl").read_text(encoding="utf-8")
        assert str(path.relative_to(report) / "evidence.txt") in text


def test_the_page_shows_inconclusive_as_its_own(report: Path) -> None:
    text, rows = page(report)
    shown = sorted("".join(cast(list[str], row["resultsTableRow"]))[24:36] for row in rows)
    assert [outcome.partition("<")[0] for outcome in shown] == [
        "Error",
        "Failed",
        "Inconclusive",
        "Inconclusive",
        "Passed",
        "Passed",
    ]
    counts = dict(re.findall(r'<span class="(\w+)">(\d+) ', text))
    assert counts["failed"] == "1"
    assert counts["error"] == "1"
    assert counts["rerun"] == "2"
    assert "2 Inconclusive" in text
    assert "A &amp;lt;b&amp;gt;name&amp;lt;/b&amp;gt; resolves." in text


def test_junit_tells_inconclusive_by_its_properties(report: Path) -> None:
    cases = ElementTree.parse(report / "junit.xml").getroot().iter("testcase")
    outcomes = {}
    for case in cases:
        properties = {p.get("name"): p.get("value") for p in case.iter("property")}
        outcomes[properties["aksnet_id"]] = properties["aksnet_outcome"]
        assert properties["aksnet_target"] == "live cluster"
    assert outcomes == {
        "dns.blind": "inconclusive",
        "dns.cut": "inconclusive",
        "dns.fails": "failed",
        "dns.passes": "passed",
        "dns.settings": "error",
    }


def test_an_own_place_for_a_file_is_respected(pytester: pytest.Pytester) -> None:
    folder = run(pytester, "--junitxml=mine.xml", "--html=mine.html")
    assert (pytester.path / "mine.xml").exists()
    assert (pytester.path / "mine.html").exists()
    assert not (folder / "junit.xml").exists()
    assert not (folder / "report.html").exists()


@pytest.mark.parametrize("plugin", ["html", "junitxml", "xdist"])
def test_the_report_copes_without_another_plugin(pytester: pytest.Pytester, plugin: str) -> None:
    folder = run(pytester, "-p", f"no:{plugin}")
    assert results(folder)["summary"]


def test_collecting_only_writes_no_report(pytester: pytest.Pytester) -> None:
    assert not run(pytester, "--co").exists()


def test_what_got_worse_is_listed(pytester: pytest.Pytester) -> None:
    run(pytester, "--aksnet-save-baseline=saved.json")
    saved = json.loads(Path("saved.json").read_text(encoding="utf-8"))
    saved["outcomes"]["dns.cut"] = "passed"
    Path("saved.json").write_text(json.dumps(saved), encoding="utf-8")
    result = run_pytest(pytester, "--aksnet-report-dir=out", "--aksnet-baseline=saved.json")
    result.stdout.fnmatch_lines(
        ["dns.cut: passed before, inconclusive now - the exec stream was cut"]
    )
    text, _ = page(pytester.path / "out")
    assert "Worse than the baseline" in text
    summary = cast(dict[str, list[dict[str, str]]], results(pytester.path / "out")["summary"])
    assert [entry["check"] for entry in summary["worse_than_baseline"]] == ["dns.cut"]


def test_a_report_directory_that_cannot_be_made_is_a_usage_error(
    pytester: pytest.Pytester,
) -> None:
    Path("file").write_text("", encoding="utf-8")
    result = run_pytest(pytester, "--aksnet-report-dir=file/out")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --aksnet-report-dir=*: cannot be made*"])
