"""Without access to Azure: said once, with what to set or which permission is missing."""

import json
from pathlib import Path
from typing import Any

import pytest

from pytest_aksnet.arm.signs import NO_SIGN
from tests.plugin.inner_run import run_pytest
from tests.plugin.mini_cluster import MiniCluster

ASKING = '''
import pytest

@pytest.mark.aksnet(id="azure.a", feature="azure", severity="major")
def test_a(arm):
    """A zone is linked."""

@pytest.mark.aksnet(id="azure.b", feature="azure", severity="major")
def test_b(arm):
    """A probe is up."""
'''
OTHER = '''
def test_nothing(aks):
    """It is there."""
'''
FORBIDDEN = '''
import pytest
from pytest_aksnet.model.errors import ArmForbidden, NotApplicable

@pytest.mark.aksnet(id="azure.a", feature="azure", severity="major")
def test_a():
    """A zone is linked."""
    raise ArmForbidden("may not", action="Microsoft.Network/x/read, Microsoft.Network/y/read")

@pytest.mark.aksnet(id="azure.b", feature="azure", severity="major")
def test_b():
    """A probe is up."""
    raise ArmForbidden("may not", action="Microsoft.Network/x/read")

@pytest.mark.aksnet(id="azure.c", feature="azure", severity="major")
def test_c():
    """A gateway is there."""
    raise NotApplicable("there is no gateway")

@pytest.mark.aksnet(id="azure.d", feature="azure", severity="major")
@pytest.mark.skip(reason="not today")
def test_d():
    """A route is there."""

@pytest.mark.aksnet(id="azure.e", feature="azure", severity="major")
def test_e():
    """A peering is there."""
'''


@pytest.fixture(autouse=True)
def _no_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AZURE_TENANT_ID", "AZURE_TOKEN_CREDENTIALS", "IDENTITY_ENDPOINT", "MSI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)


def results(pytester: pytest.Pytester) -> dict[str, Any]:
    text = (pytester.path / "out" / "results.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def page(pytester: pytest.Pytester) -> str:
    return (pytester.path / "out" / "report.html").read_text(encoding="utf-8")


def test_what_azure_would_add_is_said_once(pytester: pytest.Pytester, mini: MiniCluster) -> None:
    pytester.makepyfile(test_asking=ASKING, test_other=OTHER)
    kubeconfig = mini.kubeconfig(pytester.path)
    result = run_pytest(
        pytester, f"--aksnet-kubeconfig={kubeconfig}", "--aksnet-report-dir=out", "-ra"
    )
    result.assert_outcomes(passed=1, skipped=2)
    result.stdout.fnmatch_lines(
        [
            "*what Azure would add*",
            f"2 checks ask Azure Resource Manager and would run with it. {NO_SIGN}",
            "azure.a, azure.b",
        ]
    )
    assert sum(line.startswith("SKIPPED") for line in result.outlines) == 1
    assert results(pytester)["azure"] == {
        "not_asked": NO_SIGN,
        "would_add": ["azure.a", "azure.b"],
        "missing": [],
        "role": None,
    }
    assert {check["skip"] for check in results(pytester)["checks"]} == {"azure-not-asked"}
    assert "What Azure would add" in page(pytester)


def test_a_plan_says_it_once(pytester: pytest.Pytester, mini: MiniCluster) -> None:
    pytester.makepyfile(test_asking=ASKING, test_other=OTHER)
    kubeconfig = mini.kubeconfig(pytester.path)
    result = run_pytest(pytester, f"--aksnet-kubeconfig={kubeconfig}", "--aksnet-plan")
    text = result.stdout.str()
    assert text.count("no credentials are configured") == 1
    assert text.count("would be skipped: Azure Resource Manager is not asked, see below") == 2


def test_nothing_left_to_run_is_refused(pytester: pytest.Pytester, mini: MiniCluster) -> None:
    pytester.makepyfile(ASKING)
    kubeconfig = mini.kubeconfig(pytester.path)
    result = run_pytest(pytester, f"--aksnet-kubeconfig={kubeconfig}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"  2 x {NO_SIGN}"])


def test_missing_permissions_are_listed_with_a_role(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FORBIDDEN)
    result = run_pytest(pytester, "--aksnet-report-dir=out", "-n2")
    result.assert_outcomes(passed=1, skipped=4)
    result.stdout.fnmatch_lines(
        [
            "*missing permissions in Azure*",
            "Microsoft.Network/x/read: without it not looked at: azure.a, azure.b",
            "Microsoft.Network/y/read: without it not looked at: azure.a",
            '  "Name": "pytest-aksnet missing actions",',
        ]
    )
    azure = results(pytester)["azure"]
    assert azure["would_add"] == []
    assert [one["action"] for one in azure["missing"]] == azure["role"]["Actions"]
    assert {check["id"]: check["skip"] for check in results(pytester)["checks"]} == {
        "azure.a": "azure-forbidden",
        "azure.b": "azure-forbidden",
        "azure.c": "not-concerned",
        "azure.d": "not-run-here",
        "azure.e": None,
    }
    assert "Missing permissions in Azure" in page(pytester)


def test_a_run_without_a_report_says_it_too(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(FORBIDDEN)
    result = run_pytest(pytester)
    result.stdout.fnmatch_lines(["*missing permissions in Azure*", "Microsoft.Network/x/read:*"])
    assert not list(Path().glob("reports"))
