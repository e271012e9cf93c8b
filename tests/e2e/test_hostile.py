"""Hosts that answer with hostile texts are judged as any other, and their words stay words."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.suite_run import run_suites
from tests.lab.running_lab import RunningLab, start_lab
from tests.plugin.hostile import MARK, TEXTS, check_reports, check_terminal

INNER = Path(__file__).parent / "inner"
EXPECTED = {
    "hostile.reflector": "passed",
    "hostile.source": "failed",
    "hostile.long-line": "passed",
    "hostile.endless": "passed",
    "hostile.headers": "passed",
    "hostile.no-http": "failed",
    "hostile.txt": "passed",
    "hostile.alias": "failed",
    "hostile.use": "failed",
}


@pytest.fixture
def lab() -> Iterator[RunningLab]:
    """A lab of this test's own."""
    lab = start_lab()
    yield lab
    lab.end()


def start_hostile_host(lab: RunningLab) -> str:
    """A pod that answers badly; its address."""
    script = (INNER / "hostile_server.py").read_text("utf-8")
    words = ["python3", "-u", "-c", script, json.dumps(TEXTS)]
    container = {
        "name": "hostile",
        "image": "nicolaka/netshoot:v0.13",
        # The kubelet expands $(NAME); a doubled $ is a plain one.
        "command": [word.replace("$", "$$") for word in words],
        "readinessProbe": {"tcpSocket": {"port": 8085}, "periodSeconds": 1},
    }
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "hostile", "namespace": "default"},
        "spec": {"containers": [container]},
    }
    kubectl(lab, "apply", "-f", "-", stdin=json.dumps(pod))
    kubectl(lab, "wait", "--for=condition=Ready", "--timeout=20s", "pod/hostile")
    return kubectl(lab, "get", "pod", "hostile", "-o", "jsonpath={.status.podIP}")


def kubectl(lab: RunningLab, *arguments: str, stdin: str = "") -> str:
    """What kubectl prints."""
    ended = subprocess.run(
        ["kubectl", f"--kubeconfig={lab.kubeconfig}", *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_hostile_answers_are_judged_and_stay_text(lab: RunningLab, tmp_path: Path) -> None:
    address = start_hostile_host(lab)
    copy = tmp_path / "test_hostile_host.py"
    copy.write_bytes((INNER / "hostile.py").read_bytes())
    (tmp_path / "pytest.ini").write_text("[pytest]\n", "utf-8")
    run = run_suites(
        tmp_path,
        f"--aksnet-kubeconfig={lab.kubeconfig}",
        "-rA",
        "--color=no",
        suites=[str(copy)],
        environment={"AKSNET_HOSTILE": address},
    )
    assert run.outcomes() == EXPECTED, run.terminal
    check_terminal(run.terminal)
    check_reports(tmp_path)
    assert MARK in (tmp_path / "results.json").read_text("utf-8")
    assert not list(tmp_path.rglob(MARK))
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.*")) < 10_000_000
