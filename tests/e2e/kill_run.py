"""One run that is killed at some moment, the clean-up after it, and what is then in the cluster."""

import enum
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, replace
from pathlib import Path

from tests.e2e.cuttable_proxy import CuttableProxy
from tests.lab.raw_api import RawApi

INNER = Path(__file__).parent / "inner"
PYTEST = (sys.executable, "-m", "pytest", "-p", "no:cacheprovider")
SECONDS_TO_END = 150.0
FOREIGN = """
apiVersion: v1
kind: Namespace
metadata: {name: theirs, labels: {app.kubernetes.io/managed-by: pytest-aksnet}}
---
apiVersion: v1
kind: Namespace
metadata: {name: aksnet-20200101-000000-abcd, labels: {aksnet.io/run: 20200101-000000-abcd}}
---
apiVersion: v1
kind: Pod
metadata: {name: netshoot-0123abcd, namespace: theirs, labels: {aksnet.io/run: r, app: web}}
spec:
  containers: [{name: c, image: "nicolaka/netshoot:v0.13", command: [sleep, infinity]}]
---
apiVersion: v1
kind: Service
metadata: {name: service-0123abcd, namespace: theirs}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: policy-0123abcd
  namespace: theirs
  labels: {app.kubernetes.io/managed-by: pytest-aksnet, aksnet.io/run: r}
spec: {podSelector: {matchLabels: {no: body}}}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: aksnet
  namespace: aksnet-20200101-000000-abcd
  labels: {app.kubernetes.io/managed-by: pytest-aksnet}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: pytest-aksnet-of-somebody, namespace: default}
spec: {holderIdentity: somebody, leaseDurationSeconds: 15}
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: aksnet, namespace: theirs, labels: {aksnet.io/run: r}}
"""
RUN_LEASE = "/apis/coordination.k8s.io/v1/namespaces/default/leases/pytest-aksnet"
_TRANSIENT = re.compile(r"^events\b|^componentstatuses$")
Found = frozenset[tuple[str, str, str, str]]


class Kill(enum.Enum):
    """What is done to a run."""

    PYTEST = "SIGKILL of pytest"
    WORKER = "SIGKILL of an xdist worker"
    API_SERVER = "the API server is gone until the run has ended"
    API_RESTART = "the API server is gone for some seconds"
    TERMINATE = "SIGTERM"
    INTERRUPT = "SIGINT"
    INTERRUPT_TWICE = "SIGINT, and again while it cleans up"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One kill: what, when, with how many workers (0 for none).

    `after_s` counts from when the run has its Lease, or with `early` from the start of pytest.
    """

    kill: Kill
    after_s: float
    early: bool
    workers: int

    @classmethod
    def drawn(cls, seed: int, kill: Kill, longest_s: float) -> "Plan":
        """The plan of this seed."""
        chance = random.Random(seed)
        workers = 2 if kill is Kill.WORKER else chance.choice((0, 0, 2))
        return cls(
            kill=kill,
            after_s=chance.uniform(0.0, longest_s),
            early=chance.random() < 0.1,
            workers=workers,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a killed run ended: its exit code (negative: by which signal), and what it said.

    `struck` is whether it had its Lease, and had not ended, when it was killed.
    """

    exit_code: int
    said: str
    struck: bool = False


def kubectl(kubeconfig: Path, *arguments: str, text: str = "") -> str:
    """What kubectl prints."""
    return subprocess.run(
        ["kubectl", f"--kubeconfig={kubeconfig}", *arguments],
        input=text,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout


def listed(kubeconfig: Path) -> Found:
    """Every object of every type but events: (kind, namespace, name, uid)."""
    names = kubectl(kubeconfig, "api-resources", "--verbs=list", "--output=name").split()
    kinds = ",".join(name for name in names if not _TRANSIENT.search(name))
    found = json.loads(kubectl(kubeconfig, "get", kinds, "--all-namespaces", "--output=json"))
    return frozenset(
        (
            item["kind"],
            item["metadata"].get("namespace", ""),
            item["metadata"]["name"],
            item["metadata"].get("uid", ""),
        )
        for item in found["items"]
    )


def begin(kubeconfig: Path, folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start a run of the inner suite in a session of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    suite = folder / "test_kills.py"
    shutil.copy(INNER / "kills.py", suite)
    with (folder / "said").open("w", encoding="utf-8") as said:
        return subprocess.Popen(
            [
                *PYTEST,
                str(suite),
                f"--rootdir={folder}",
                f"--aksnet-kubeconfig={kubeconfig}",
                f"--aksnet-report-dir={folder / 'reports'}",
                *arguments,
            ],
            cwd=folder,
            stdout=said,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )


def ended(run: "subprocess.Popen[str]", folder: Path) -> Ended:
    """Wait for the end of a run and of all its processes."""
    code = run.wait(SECONDS_TO_END)
    deadline = time.monotonic() + SECONDS_TO_END
    while members := _session_of(run.pid):
        if time.monotonic() > deadline:
            raise AssertionError(f"processes {members} of the run live on")
        time.sleep(0.1)
    return Ended(exit_code=code, said=(folder / "said").read_text("utf-8"))


def killed(plan: Plan, api: RawApi, proxy: CuttableProxy, folder: Path) -> Ended:
    """Start a run, do to it what is planned, and wait for its end; mends the proxy afterwards."""
    options = [f"-n{plan.workers}"] if plan.workers else []
    run = begin(proxy.kubeconfig, folder, *options)
    struck = False
    while not plan.early and run.poll() is None and api.send("GET", RUN_LEASE)[0] != 200:
        time.sleep(0.05)
    try:
        run.wait(plan.after_s)
    except subprocess.TimeoutExpired:
        struck = api.send("GET", RUN_LEASE)[0] == 200
        _do(plan.kill, run, proxy)
    end = ended(run, folder)
    proxy.mend()
    return replace(end, struck=struck)


def _do(kill: Kill, run: "subprocess.Popen[str]", proxy: CuttableProxy) -> None:
    match kill:
        case Kill.PYTEST:
            run.kill()
        case Kill.WORKER:
            workers = sorted(set(_session_of(run.pid)) - {run.pid})
            if workers:
                os.kill(workers[-1], signal.SIGKILL)
        case Kill.API_SERVER:
            proxy.cut()
        case Kill.API_RESTART:
            proxy.cut()
            time.sleep(2.0)
            proxy.mend()
        case Kill.TERMINATE:
            run.terminate()
        case Kill.INTERRUPT:
            run.send_signal(signal.SIGINT)
        case Kill.INTERRUPT_TWICE:
            run.send_signal(signal.SIGINT)
            time.sleep(0.3)
            run.send_signal(signal.SIGINT)


def cleanup(kubeconfig: Path, folder: Path) -> str:
    """Run --aksnet-cleanup, which must succeed; what it prints."""
    done = subprocess.run(
        [*PYTEST, "--aksnet-cleanup", f"--aksnet-kubeconfig={kubeconfig}"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=SECONDS_TO_END,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _session_of(leader: int) -> list[int]:
    """The processes of a session that live."""
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            fields = (entry / "stat").read_text("utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[3]) == leader and fields[0] not in "ZX":
            members.append(int(entry.name))
    return members
