"""Controls in a run: pages and results, own files and own markers; wrong files end it early."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.own_controls import OWN
from tests.plugin.inner_run import run_pytest

SUITE = '''
import pytest

@pytest.mark.aksnet(id="node-health.kubelet-credentials", feature="node-health", severity="major")
def test_ours():
    """Kubelets refuse requests."""

@pytest.mark.aksnet(
    id="acme.own-check", feature="dns", severity="major", controls=("ACME 7", "CIS AKS 3.2.1")
)
@pytest.mark.parametrize("n", [1, 2])
def test_own(n):
    """Names are ours."""
    assert n == 1, "it is another's"
'''


def results(pytester: pytest.Pytester) -> dict[str, Any]:
    text = (pytester.path / "out" / "results.json").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(text)
    return found


def control(pytester: pytest.Pytester, framework: str, wanted: str) -> dict[str, Any]:
    [of] = [one for one in results(pytester)["controls"] if one["id"] == framework]
    [found] = [one for one in of["controls"] if one["id"] == wanted]
    return dict(found)


def test_a_run_has_a_page_for_each_framework(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    pytester.makeini("[pytest]\naksnet_controls = own.toml\n")
    Path("own.toml").write_text(OWN, encoding="utf-8")
    run_pytest(pytester, "--aksnet-report-dir=out")
    page = (pytester.path / "out" / "controls-acme-1.html").read_text(encoding="utf-8")
    assert "another&#39;s" in page
    assert "1 failed, 1 passed" in page
    report = (pytester.path / "out" / "report.html").read_text(encoding="utf-8")
    for framework in results(pytester)["controls"]:
        assert f'href="{framework["page"]}"' in report
        assert (pytester.path / "out" / framework["page"]).exists()
    assert control(pytester, "acme-1", "7")["state"] == "failed"
    # What markers and the mapping say stands together.
    assert {check["id"]: check["controls"] for check in results(pytester)["checks"]} == {
        "node-health.kubelet-credentials": ["CIS AKS 3.2.1", "CIS Kubernetes 4.2.1"],
        "acme.own-check": ["ACME 7", "CIS AKS 3.2.1"],
    }
    both = control(pytester, "cis-aks-1.8", "3.2.1")
    assert {check["id"]: check["state"] for check in both["checks"]} == {
        "node-health.kubelet-credentials": "passed",
        "acme.own-check": "failed",
    }
    assert both["state"] == "failed"
    assert control(pytester, "cis-kubernetes-1.12", "4.2.1")["state"] == "met"
    assert control(pytester, "cis-kubernetes-1.12", "4.2.4")["state"] == "not looked at"


def test_a_wrong_file_ends_the_run_before_it_begins(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(SUITE)
    Path("own.toml").write_text(OWN.replace("acme.own-check", "dns.servce-name"), encoding="utf-8")
    result = run_pytest(pytester, "--aksnet-controls=own.toml", "--aksnet-report-dir=out")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    [line] = [line for line in result.errlines if line.strip()]
    assert line.startswith("ERROR: --aksnet-controls=")
    assert "framework[0].control[0].checks[1]" in line
    assert "did you mean dns.service-name?" in line
    assert not (pytester.path / "out").exists()
