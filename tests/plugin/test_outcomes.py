"""Outcomes: inconclusive is its own, so is what the environment spoils, and words are ours."""

import json
from pathlib import Path

import pytest

from tests.plugin.inner_run import run_pytest

SUITE = '''
import pytest
from pytest_aksnet.model.errors import (
    ConformanceFailure, ControlFailed, EnvironmentProblem, ExecNotCompleted, SettingsError
)

def check(name):
    return pytest.mark.aksnet(id=f"dns.{name}", feature="dns", severity="major")

@check("passes")
def test_passes():
    """Passes."""

@check("fails")
def test_fails():
    """Fails."""
    raise ConformanceFailure("expected 1, saw 2\\n  repeat with: kubectl exec")

@check("asserts")
def test_asserts():
    """Fails by a plain assertion."""
    assert 1 == 2

@check("cut")
def test_cut():
    """Could not look."""
    raise ExecNotCompleted("the exec stream was cut")

@pytest.fixture
def blind():
    raise ControlFailed("the control did not hold")

@check("blind")
def test_blind(blind):
    """Could not look in its set-up."""

@check("image")
def test_image():
    """The environment fails in the middle."""
    raise EnvironmentProblem("the image is not pulled")

@pytest.fixture
def quota():
    raise EnvironmentProblem("the quota is exceeded")

@check("quota")
def test_quota(quota):
    """The environment fails in its set-up."""

@check("settings")
def test_settings():
    """The settings are wrong."""
    raise SettingsError("there is no node 'x'")

@check("crash")
def test_crash():
    """The test itself is wrong."""
    {}["x"]

@check("skips")
def test_skips():
    """Skips."""
    pytest.skip("not for this cluster")
'''
OUTCOMES = {
    "dns.asserts": "failed",
    "dns.blind": "inconclusive",
    "dns.crash": "error",
    "dns.cut": "inconclusive",
    "dns.fails": "failed",
    "dns.image": "inconclusive",
    "dns.passes": "passed",
    "dns.quota": "inconclusive",
    "dns.settings": "error",
    "dns.skips": "skipped",
}


@pytest.mark.parametrize("args", [(), ("-n2",), ("-p", "no:cacheprovider")], ids=" ".join)
def test_each_kind_of_end_has_its_outcome(pytester: pytest.Pytester, args: tuple[str, ...]) -> None:
    pytester.makepyfile(SUITE)
    result = run_pytest(pytester, "--aksnet-report-dir=out", *args)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*2 failed, 1 passed, 1 skipped,*2 errors, 4 inconclusive*"])
    text = Path("out/results.json").read_text(encoding="utf-8")
    checks = {check["id"]: check for check in json.loads(text)["checks"]}
    assert {name: check["outcome"] for name, check in checks.items()} == OUTCOMES
    assert checks["dns.fails"]["reason"] == "expected 1, saw 2"
    assert checks["dns.skips"]["reason"] == "not for this cluster"
    assert checks["dns.crash"]["reason"] == "KeyError: 'x'"


@pytest.mark.parametrize("which", ["cut", "image", "quota"])
def test_only_inconclusive_is_a_failed_run(pytester: pytest.Pytester, which: str) -> None:
    pytester.makepyfile(SUITE)
    result = run_pytest(pytester, "-k", which)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*= 9 deselected,*1 inconclusive in *"])


@pytest.mark.parametrize("args", [(), ("-n2",)], ids=" ".join)
def test_inconclusive_checks_are_listed(pytester: pytest.Pytester, args: tuple[str, ...]) -> None:
    pytester.makepyfile(SUITE)
    result = run_pytest(pytester, "-rA", *args)
    result.stdout.fnmatch_lines(["*INCONCLUSIVE: could not look, so neither passed nor failed*"])
    result.stdout.fnmatch_lines(["INCONCLUSIVE *::test_cut - the exec stream was cut"])
    result.stdout.fnmatch_lines(["INCONCLUSIVE *::test_blind - the control did not hold"])


def test_the_terminal_shows_the_message_and_no_traceback(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    result = run_pytest(pytester, "-k", "fails")
    result.stdout.fnmatch_lines(
        ["expected 1, saw 2", "  repeat with: kubectl exec", "*.py:*: ConformanceFailure"]
    )
    result.stdout.no_fnmatch_line("*raise ConformanceFailure*")


def test_maxfail_stops_at_inconclusive(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    result = run_pytest(pytester, "-x", "-k", "cut or image")
    result.stdout.fnmatch_lines(["*, 1 inconclusive in *"])


def test_expected_failures_stay_pytests(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        '''
        import pytest
        from pytest_aksnet.model.errors import (
            ConformanceFailure, EnvironmentProblem, Inconclusive
        )

        @pytest.mark.xfail(raises=ConformanceFailure, reason="known", strict=True)
        @pytest.mark.aksnet(id="a", feature="dns", severity="info")
        def test_known():
            """Known."""
            raise ConformanceFailure("no")

        @pytest.mark.xfail(raises=ConformanceFailure, reason="known", strict=True)
        @pytest.mark.aksnet(id="b", feature="dns", severity="info")
        def test_blind():
            """Could not look, which is no expected failure."""
            raise Inconclusive("no")

        @pytest.mark.xfail(reason="known to fail in some way")
        @pytest.mark.aksnet(id="c", feature="dns", severity="info")
        def test_blind_for_any_failure():
            """Could not look, which is no expected failure of whatever kind."""
            raise EnvironmentProblem("no")
        '''
    )
    result = run_pytest(pytester)
    result.stdout.fnmatch_lines(["*1 xfailed, *2 inconclusive*"])


TEAR_DOWN = '''
import pytest
from pytest_aksnet.model.errors import ConformanceFailure, ControlFailed, EnvironmentProblem

def check(name):
    return pytest.mark.aksnet(id=name, feature="dns", severity="major")

@pytest.fixture
def leaves_trouble():
    yield
    raise KeyError("tear-down")

@check("passes")
def test_passes(leaves_trouble):
    """Passes."""

@check("fails")
def test_fails(leaves_trouble):
    """Fails."""
    raise ConformanceFailure("expected 1, saw 2")

@check("blind")
def test_blind(leaves_trouble):
    """Could not look."""
    raise ControlFailed("the control did not hold")

@check("skips")
def test_skips(leaves_trouble):
    """Skips."""
    pytest.skip("not here")
'''


@pytest.mark.parametrize("args", [(), ("-n2",)], ids=" ".join)
def test_trouble_afterwards_takes_nothing_from_a_verdict(
    pytester: pytest.Pytester, args: tuple[str, ...]
) -> None:
    pytester.makepyfile(TEAR_DOWN)
    result = run_pytest(pytester, "--aksnet-report-dir=out", *args)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["*1 failed, 1 passed, 1 skipped,*4 errors, 1 inconclusive*"])
    checks = json.loads(Path("out/results.json").read_text(encoding="utf-8"))["checks"]
    assert {check["id"]: check["outcome"] for check in checks} == {
        "passes": "passed",
        "fails": "failed",
        "blind": "inconclusive",
        "skips": "skipped",
    }
    for check in checks:
        assert check["warnings"] == ["the tear-down failed: KeyError: 'tear-down'"]


def test_the_hook_hears_of_each_check(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    pytester.makeconftest(
        """
        def pytest_aksnet_check_finished(config, record):
            with open("finished.txt", "a", encoding="utf-8") as file:
                file.write(f"{record.id} {record.outcome.value}\\n")
        """
    )
    run_pytest(pytester, "-k", "cut or passes")
    heard = Path("finished.txt").read_text(encoding="utf-8").splitlines()
    assert heard == ["dns.passes passed", "dns.cut inconclusive"]
