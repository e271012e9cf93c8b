"""What a run does when another one is on the cluster already."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.plugin.inner_run import run_pytest
from tests.plugin.mini_cluster import MiniCluster
from tests.unit.cluster.scripted_api import Answer, Request, status

LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/pytest-aksnet"
HOLDER = "ci@runner-7 run r7 pid 7.1"
SOURCE = "def test_it(netshoot):\n    netshoot()\n"
PATIENCE_S = 30.0


def hold(mini: MiniCluster) -> None:
    """Let a run on another machine hold the cluster."""
    mini.objects[LEASE] = {
        "metadata": {
            "name": "pytest-aksnet",
            "namespace": "default",
            "labels": {"app.kubernetes.io/managed-by": "pytest-aksnet", "aksnet.io/run": "r7"},
            "annotations": {},
            "uid": "u7",
            "resourceVersion": "7",
        },
        "spec": {"holderIdentity": HOLDER, "leaseDurationSeconds": 40},
    }


def run(pytester: pytest.Pytester, mini: MiniCluster, *args: str) -> pytest.RunResult:
    """Run a test that makes a pod."""
    pytester.makepyfile(SOURCE)
    kubeconfig = mini.kubeconfig(pytester.path)
    return run_pytest(pytester, f"--aksnet-kubeconfig={kubeconfig}", *args)


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "workers"])
def test_a_run_holds_its_lease_and_gives_it_back(
    pytester: pytest.Pytester, mini: MiniCluster, workers: tuple[str, ...]
) -> None:
    run(pytester, mini, *workers).assert_outcomes(passed=1)
    created = list(mini.created)
    assert created[0] == LEASE
    assert [path for path in created if "/leases/" in path] == [LEASE]
    assert mini.left() == []


@pytest.mark.parametrize("option", ["--aksnet-plan", "--collect-only"])
def test_who_creates_nothing_takes_no_lease(
    pytester: pytest.Pytester, mini: MiniCluster, option: str
) -> None:
    hold(mini)
    assert run(pytester, mini, option).ret == pytest.ExitCode.OK
    assert mini.created == {}


@pytest.mark.parametrize(
    "workers", [(), pytest.param(("-n2",), marks=pytest.mark.thorough)], ids=["alone", "workers"]
)
def test_refuse_ends_with_the_name_of_the_other(
    pytester: pytest.Pytester, mini: MiniCluster, workers: tuple[str, ...]
) -> None:
    hold(mini)
    result = run(pytester, mini, "--aksnet-second-run=refuse", *workers)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --aksnet-second-run=refuse: *{HOLDER}*share*"])
    assert mini.created == {}


def test_share_runs_beside_the_other_and_leaves_its_lease(
    pytester: pytest.Pytester, mini: MiniCluster
) -> None:
    hold(mini)
    result = run(pytester, mini, "--aksnet-second-run=share")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([f"aksnet: sharing the cluster with another run: {HOLDER}"])
    assert mini.left() == [LEASE]
    assert mini.objects[LEASE]["spec"]["holderIdentity"] == HOLDER


def test_wait_says_for_whom_and_ends_with_an_interruption(
    mini: MiniCluster, tmp_path: Path
) -> None:
    hold(mini)
    (tmp_path / "test_it.py").write_text(SOURCE, encoding="utf-8")
    waiting = subprocess.Popen(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={tmp_path}"),
            *("test_it.py", f"--aksnet-kubeconfig={mini.kubeconfig(tmp_path)}"),
        ],
        cwd=tmp_path,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert waiting.stdout is not None
    said = ""
    for line in waiting.stdout:
        said += line
        if "waiting for another run" in line:
            break
    assert HOLDER in said
    assert "--aksnet-second-run=refuse" in said
    waiting.send_signal(signal.SIGINT)
    rest, _ = waiting.communicate(timeout=PATIENCE_S)
    assert waiting.returncode == pytest.ExitCode.INTERRUPTED, said + rest
    assert mini.created == {}
    assert mini.left() == [LEASE]


def test_without_the_right_to_leases_a_run_goes_on_and_says_so(
    pytester: pytest.Pytester, mini: MiniCluster
) -> None:
    serve = mini.routes.get(("GET", "/"))
    assert serve is not None

    def refuse(request: Request) -> Answer | None:
        if "/leases" in request.path:
            return status(403, "Forbidden", "leases are not for you")
        return serve(request)

    mini.answer_all(refuse)
    result = run(pytester, mini)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["aksnet: this user may not use Leases*leases are not for you*"])


def test_a_namespace_that_is_not_there_is_one_clear_line(
    pytester: pytest.Pytester, mini: MiniCluster
) -> None:
    serve = mini.routes.get(("GET", "/"))
    assert serve is not None

    def refuse(request: Request) -> Answer | None:
        if "/namespaces/nowhere/leases" in request.path:
            return status(404, "NotFound", 'namespaces "nowhere" not found')
        return serve(request)

    mini.answer_all(refuse)
    result = run(pytester, mini, "--aksnet-lease-namespace=nowhere")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --aksnet-lease-namespace=nowhere: choose a namespace*"])
    assert mini.created == {}
