"""`aksnet-lab` as people use it."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.lab.running_lab import RunningLab, read_line


def test_exec_runs_at_every_place_and_passes_streams_and_status_on(lab: RunningLab) -> None:
    for place in ("fabric", "internet", "host/vm", "node/aks-user-31337042-vmss000001"):
        done = lab.tool("exec", place, "--", "sh", "-c", "cat; echo no >&2; exit 4", stdin="hi")
        assert (done.returncode, done.stdout, done.stderr) == (4, "hi", "no\n"), place


def test_exec_carries_much_input_and_output(lab: RunningLab) -> None:
    text = "0123456789abcdef" * 65536
    done = lab.tool("exec", "fabric", "--", "cat", stdin=text)
    assert done.stdout == text


def test_a_place_that_is_not_there_is_one_line_that_names_those_that_are(lab: RunningLab) -> None:
    done = lab.tool("exec", "node/nowhere", "--", "true")
    assert done.returncode == 1
    assert done.stderr.startswith("aksnet-lab: no node 'nowhere': there are aks-system-")
    assert done.stderr.count("\n") == 1


def test_a_program_that_is_not_there_is_one_line(lab: RunningLab) -> None:
    done = lab.tool("exec", "fabric", "--", "nonesuch")
    assert done.returncode == 1
    assert '"nonesuch": executable file not found in $PATH' in done.stderr
    assert done.stderr.count("\n") == 1


def test_no_program_of_the_lab_writes_to_the_machine(lab: RunningLab, tmp_path: Path) -> None:
    target = tmp_path / "written"
    for place in ("fabric", "node/aks-user-31337042-vmss000001"):
        lab.tool("exec", place, "--", "sh", "-c", f"mkdir -p {tmp_path}; echo x > {target}")
        assert not target.exists()
        done = lab.tool("exec", place, "--", "touch", "/usr/aksnet-lab-was-here")
        assert done.returncode != 0


def test_up_prints_where_its_kubeconfig_is_and_ends_with_ctrl_c(tmp_path: Path) -> None:
    copy = tmp_path / "kubeconfig"
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest_aksnet.lab", "up", "--kubeconfig", str(copy)],
        stdout=subprocess.PIPE,
        start_new_session=True,
    )
    assert process.stdout is not None
    with process.stdout:
        line = read_line(process.stdout.fileno(), 30.0).decode()
        assert line.startswith(f"export KUBECONFIG={copy}\n")
        if shutil.which("kubectl"):
            shown = subprocess.run(
                ["kubectl", "get", "nodes", "-o", "name"],
                env={**os.environ, "KUBECONFIG": str(copy)},
                capture_output=True,
                text=True,
                check=True,
            )
            assert len(shown.stdout.splitlines()) == 3
        process.send_signal(signal.SIGINT)
        assert process.wait(15.0) == 0
    assert not copy.exists()


def test_without_a_lab_it_says_how_to_start_one(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest_aksnet.lab", "status"],
        env={"PATH": os.environ["PATH"], "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert done.stderr == "aksnet-lab: no lab is running: start one with `aksnet-lab up`\n"


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="kubectl is not installed")
def test_kubectl_works_on_a_pod_from_run_to_delete(lab: RunningLab) -> None:
    def kubectl(*arguments: str) -> str:
        done = subprocess.run(
            ["kubectl", "--namespace=default", *arguments],
            env={**os.environ, "KUBECONFIG": str(lab.kubeconfig)},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    kubectl("run", "k", "--image=nicolaka/netshoot", "--command", "--", "sleep", "infinity")
    kubectl("wait", "--for=condition=Ready", "pod/k", "--timeout=10s")
    assert "Running" in kubectl("get", "pod", "k", "-o", "wide")
    assert kubectl("exec", "k", "--", "cat", "/etc/hostname") == "k\n"
    assert "Started" in kubectl("describe", "pod", "k")
    kubectl("delete", "pod", "k", "--wait")
