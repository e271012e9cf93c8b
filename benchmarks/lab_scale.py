"""How the lab bears many nodes and pods: boot, then one Deployment until all its pods are Ready.

Each time also as a multiple of starting a plain Python in the same run, so that a loaded machine
can be told from a slow lab. Run: python -m benchmarks.lab_scale [NODES [PODS]]
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.lab.running_lab import RunningLab, start_lab
from tests.lab.user import User

_IMAGE = "registry.k8s.io/pause:3.9"
_PATIENCE_SECONDS = 300.0


def seconds_of_python() -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", "import json, ssl"], check=True)
    return time.perf_counter() - started


def spec_file(folder: Path, nodes: int) -> Path:
    path = folder / "lab.toml"
    path.write_text(
        f'[[pools]]\nname = "system"\nmode = "System"\ncount = {nodes}\nsize = "Standard_DS4_v2"\n'
    )
    return path


def deploy(user: User, pods: int) -> float:
    """Seconds until all pods of a Deployment are available."""
    labels = {"app": "many"}
    started = time.perf_counter()
    user.apps.create_namespaced_deployment(
        user.namespace,
        {
            "metadata": {"name": "many"},
            "spec": {
                "replicas": pods,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {
                        "terminationGracePeriodSeconds": 1,
                        "containers": [{"name": "pause", "image": _IMAGE}],
                    },
                },
            },
        },
    )
    while time.perf_counter() - started < _PATIENCE_SECONDS:
        status = user.apps.read_namespaced_deployment("many", user.namespace).status
        if status.available_replicas == pods:
            return time.perf_counter() - started
        time.sleep(0.2)
    raise SystemExit(f"only {status.available_replicas} of {pods} pods are available: {status}")


def delete(user: User) -> float:
    """Seconds until the Deployment and its pods are gone."""
    started = time.perf_counter()
    user.apps.delete_namespaced_deployment("many", user.namespace)
    while user.core.list_namespaced_pod(user.namespace, limit=1).items:
        time.sleep(0.2)
    return time.perf_counter() - started


def show(what: str, seconds: float, reference: float) -> None:
    print(f"{what:32} {seconds:7.2f} s   {seconds / reference:6.1f} x python", flush=True)


def measure(lab: RunningLab, pods: int, reference: float) -> None:
    with User(lab) as user:
        show(f"{pods} pods: created to available", deploy(user, pods), reference)
        show(f"{pods} pods: deleted to gone", delete(user), reference)


def main() -> None:
    nodes, pods = (int(text) for text in [*sys.argv[1:], "50", "500"][:2])
    reference = min(seconds_of_python() for _ in range(3))
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        lab = start_lab(spec=spec_file(Path(folder), nodes))
        show(f"{nodes} nodes: process start to ready", time.perf_counter() - started, reference)
        try:
            measure(lab, pods, reference)
        finally:
            lab.end()


if __name__ == "__main__":
    main()
