"""Texts of others go through tests into reports and to the terminal: as text, and no other way."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin.hostile import MARK, TEXTS, check_reports, check_terminal

SUITE = '''
import time
import pytest
from tests.plugin.hostile import TEXTS
from pytest_aksnet.fixtures import SESSION_KEY
from pytest_aksnet.model.errors import ConformanceFailure, EnvironmentProblem, ControlFailed
from pytest_aksnet.model.execution import Completed, NotCompleted, Reason
from pytest_aksnet.model.observation import DnsAnswer, DnsStatus
from pytest_aksnet.model.record import Attempt
from pytest_aksnet.model.verdict import Outcome, Verdict

def check(name):
    return pytest.mark.aksnet(id=f"hostile.{name}", feature="dns", severity="major")

all_texts = pytest.mark.parametrize("text", TEXTS)
LONG = TEXTS[1] * 200_000

def look(request, text):
    recorder = request.config.stash[SESSION_KEY].recorder
    common = dict(role="probe", source=text, command_line=text, started=time.time())
    recorder.attempt(Attempt(
        **common,
        execution=Completed(argv=(text,), exit_code=0, stdout=text, stderr=text, duration_s=0.1),
        observation=DnsAnswer(name=text, qtype="TXT", status=DnsStatus.NOERROR, addresses=(text,)),
        verdict=Verdict(outcome=Outcome.PASS, sentence=text, source=text, warning=text),
    ))
    recorder.attempt(Attempt(
        **common,
        execution=NotCompleted(
            argv=(text,), reason=Reason.CUT, detail=text, stdout=text, stderr=text, duration_s=0.1
        ),
        observation=None, verdict=None,
    ))
    recorder.diagnosis(text)

@check("passes")
@all_texts
def test_passes(request, text):
    """Passes <b>with</b> hostile evidence."""
    look(request, text)

@check("fails")
@all_texts
def test_fails(request, text):
    """Fails with a hostile message."""
    look(request, text)
    raise ConformanceFailure(text + "\\\\n  repeat with: " + text)

@check("blind")
@all_texts
def test_blind(text):
    """Could not look, with a hostile message."""
    raise ControlFailed(text)

@pytest.fixture
def refused(text):
    raise EnvironmentProblem(text)

@check("refused")
@all_texts
def test_refused(refused, text):
    """An API server or a webhook says hostile things."""

@check("asserts")
@all_texts
def test_asserts(text):
    """A plain assertion about hostile text."""
    body = text
    assert body == "expected\\\\n" + body[3:], text

@check("crashes")
@all_texts
def test_crashes(text):
    """A bug quotes hostile text."""
    raise RuntimeError(text)

@check("skips")
@all_texts
def test_skips(text):
    """Skips for hostile reasons."""
    pytest.skip(text)

@check("prints")
@all_texts
def test_prints(text, record_property):
    """Prints what it has heard."""
    print(text)
    record_property("heard", text)
    assert not text

@check("long")
def test_long(request):
    """Ten megabytes on one line."""
    look(request, LONG)
    print(LONG)
    raise ConformanceFailure(LONG)

@check("long-assertion")
def test_long_assertion():
    """Ten megabytes in an assertion of one's own."""
    if LONG:
        raise AssertionError(LONG)
'''


@pytest.mark.parametrize("workers", ["-n0", "-n2"])
def test_hostile_texts_stay_texts(tmp_path: Path, workers: str) -> None:
    (tmp_path / "test_suite.py").write_text(SUITE.replace("\\\\n", "\\n"), "utf-8")
    command = [sys.executable, "-m", "pytest", "-p", "no:hypothesispytest", workers, "-v", "-rA"]
    ended = subprocess.run(
        [*command, "--aksnet-report-dir=out", "--color=no"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(__file__).parents[2]), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        check=False,
    )
    terminal = (ended.stdout + ended.stderr).decode("utf-8")
    assert ended.returncode == pytest.ExitCode.TESTS_FAILED, terminal[-3000:]
    check_terminal(terminal)
    check_reports(tmp_path / "out")
    summary = json.loads((tmp_path / "out" / "results.json").read_text("utf-8"))["summary"]
    of_each = len(TEXTS)
    assert summary["total"] == 8 * of_each + 2
    assert (summary["passed"], summary["skipped"], summary["error"]) == (of_each,) * 3
    assert summary["inconclusive"] == 2 * of_each
    assert not list(tmp_path.rglob(MARK))
    assert len(terminal) < 2_000_000
    assert sum(path.stat().st_size for path in (tmp_path / "out").rglob("*.*")) < 10_000_000


def test_colour_of_pytest_itself_is_all_that_the_terminal_gets(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        '''
        import pytest

        @pytest.mark.aksnet(id="a", feature="dns", severity="info")
        def test_a():
            """Quotes a title of a terminal."""
            print("\\x1b]0;printed\\x07")
            assert "\\x1b]0;left\\x07" == "right", "\\x1b]0;said\\x07"
        '''
    )
    result = pytester.runpytest_inprocess("--color=yes")
    assert "\x1b[" in result.stdout.str()
    assert "\x1b]" not in result.stdout.str()
    assert "\x07" not in result.stdout.str()
