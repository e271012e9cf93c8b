"""What the API server does not delete while a check ends is named; the verdict stays."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.plugin.inner_run import run_pytest
from tests.plugin.mini_cluster import MiniCluster
from tests.unit.cluster.scripted_api import Answer, status

SUITE = '''
import pytest
from pytest_aksnet.model.errors import ConformanceFailure

def check(name):
    return pytest.mark.aksnet(id=name, feature="dns", severity="major")

@check("passes")
def test_passes(netshoot):
    """Passes."""
    netshoot(fresh=True)

@check("fails")
def test_fails(netshoot, namespace):
    """Fails."""
    netshoot(fresh=True)
    raise ConformanceFailure("expected 1, saw 2")
'''


class KeepsPods(MiniCluster):
    """Refuses to delete a pod, and says so in the words of a hostile webhook."""

    def _delete(self, path: str) -> Answer:
        if "/pods/" in path:
            return status(403, "Forbidden", "admission webhook \x1b[31m<b>says no")
        return super()._delete(path)


@pytest.fixture
def keeps_pods() -> Iterator[MiniCluster]:
    cluster = KeepsPods()
    yield cluster
    cluster.stop()


def test_what_is_not_deleted_is_a_warning(
    pytester: pytest.Pytester, keeps_pods: MiniCluster
) -> None:
    pytester.makepyfile(SUITE)
    kubeconfig = keeps_pods.kubeconfig(pytester.path)
    result = run_pytest(pytester, f"--aksnet-kubeconfig={kubeconfig}", "--aksnet-report-dir=out")
    result.assert_outcomes(passed=1, failed=1)
    results = json.loads(Path("out/results.json").read_text(encoding="utf-8"))
    assert results["summary"]["error"] == 0
    for check in results["checks"]:
        [warning] = check["warnings"]
        assert warning.startswith("pod aksnet-")
        assert "is left to the end of the run's namespaces" in warning
        assert "webhook <b>says no" in warning
    page = Path("out/report.html").read_text(encoding="utf-8")
    assert "<b>says no" not in page
    assert keeps_pods.left() == []
