"""--aksnet-redact-subscriptions: no file of the report and no line on the terminal has an id."""

import re
from pathlib import Path

import pytest

from tests.plugin.inner_run import run_pytest

ONE, TWO = "6b1f6b3e-6f0e-4c29-9d51-2a7c41d1aab0", "7c2f6b3e-6f0e-4c29-9d51-2a7c41d1aab1"
TENANT = "72f988bf-86f1-41af-91ab-2d7cd011db47"
SUITE = f'''
import time
import pytest
from pytest_aksnet.fixtures import SESSION_KEY
from pytest_aksnet.model.arm import Exchange
from pytest_aksnet.model.errors import ArmForbidden, ConformanceFailure, Inconclusive
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.record import Attempt
from pytest_aksnet.model.verdict import Outcome, Verdict

ZONE = "/subscriptions/{ONE}/resourceGroups/g/providers/Microsoft.Network/privateDnsZones/z"
HUB = "/subscriptions/{TWO.upper()}/resourceGroups/hub"
BODY = '{{"id": "' + HUB + '", "tenantId": "{TENANT}", "other": "{ONE}"}}'

def check(name):
    return pytest.mark.aksnet(id=f"azure.{{name}}", feature="azure", severity="major")

def look(request):
    recorder = request.config.stash[SESSION_KEY].recorder
    recorder.attempt(Attempt(
        role="azure", source="Azure Resource Manager: zones", started=time.time(),
        command_line="az rest --url=" + HUB, observation=None, verdict=None,
        execution=Exchange(
            method="GET", url=HUB, status=200, started=0.0, duration_s=0.1, body=BODY,
            size=len(BODY),
        ),
    ))
    verdict = Verdict(outcome=Outcome.FAIL, sentence="not linked: " + ZONE)
    recorder.attempt(Attempt(
        role="probe", source=ZONE, command_line="az network show --ids " + ZONE,
        started=time.time(), verdict=verdict,
        observation=FactSheet(what="zone", source="ARM", facts={{ZONE: HUB}}),
        execution=Exchange(
            method="GET", url=ZONE, status=0, started=0.0, duration_s=0.1, problem=HUB
        ),
    ))
    recorder.diagnosis(ZONE)

@check("fails")
def test_fails(request):
    """A zone is linked."""
    print("printed", ZONE)
    look(request)
    raise ConformanceFailure("to change: " + ZONE)

@check("asserts")
def test_asserts(request):
    """A zone has a name."""
    assert ZONE == "subscription {TWO}"

@check("open")
def test_open(request):
    """A zone is known."""
    raise Inconclusive("no answer about " + ZONE)

@check("forbidden")
def test_forbidden(request):
    """A zone may be read."""
    raise ArmForbidden("may not read " + ZONE, action="Microsoft.Network/x/read")

@check("passes")
def test_passes(request):
    """A zone is there."""
    look(request)
    request.node.user_properties.append(("zone", ZONE))
'''


def texts(pytester: pytest.Pytester, *args: str) -> dict[str, str]:
    """What is shown and written, by the name of the file; "" is the terminal."""
    pytester.makepyfile(SUITE)
    shown = run_pytest(pytester, "--aksnet-report-dir=out", "-ra", "-p", "no:cacheprovider", *args)
    shown.assert_outcomes(passed=1, failed=2, skipped=1)
    out = pytester.path / "out"
    files = [file for file in out.rglob("*") if file.is_file()]
    assert len(files) > 10
    return {
        "": shown.stdout.str() + shown.stderr.str(),
        **{str(file.relative_to(out)): file.read_text(encoding="utf-8") for file in files},
    }


def test_no_file_and_no_line_has_an_id(pytester: pytest.Pytester) -> None:
    pytester.makeini("[pytest]\naksnet_redact_subscriptions = true\n")
    found = texts(pytester, "-n2")
    for name, text in found.items():
        for secret in (ONE, TWO, TENANT):
            assert secret[:13] not in text.lower(), name
            assert secret[-12:] not in text.lower(), name
    placeholders = set(re.findall(r"(?<=/subscriptions/)subscription-\w+", found["results.json"]))
    assert len(placeholders) == 2
    [evidence] = [text for name, text in found.items() if name.endswith("azure.fails/evidence.txt")]
    for placeholder in placeholders:
        assert placeholder in evidence
    assert '"tenantId": "tenant-' in evidence


def test_a_resource_id_that_is_given_is_not_shown(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_it(aks):\n    pass\n")
    Path("kubeconfig").write_text("{}", encoding="utf-8")
    shown = run_pytest(
        pytester,
        "--aksnet-redact-subscriptions",
        f"--aksnet-resource-id=/subscriptions/{ONE}/x",
        f"--aksnet-kubeconfig=/{ONE}/kubeconfig",
    )
    assert shown.ret == pytest.ExitCode.USAGE_ERROR
    assert ONE not in shown.stdout.str() + shown.stderr.str()
