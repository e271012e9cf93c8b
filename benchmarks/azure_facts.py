"""What all facts of Azure cost: every topic of a cluster with three pools, from the lab's ARM.

Each reading is made by a process of its own, which imports Azure's packages: as checks do, one
topic after the other with its requests at the same time; with one request after the other; and with
all topics at the same time. The three take turns, so that a bad moment of the machine meets all.
Run: python -m benchmarks.azure_facts [ROUNDS]
"""

import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab.running_lab import RunningLab, start_lab

SPEC = """
[[pools]]
name = "system"
mode = "System"
count = 1

[[pools]]
name = "user"
count = 2

[[pools]]
name = "more"
count = 2
"""
WAYS = ("as checks do", "one request at a time", "all topics at once")


def read_all(way: str, environment: Mapping[str, str], provider_ids: list[str]) -> dict[str, float]:
    """Read every topic that way, in this process; seconds and counts by what they are of."""
    begun = time.perf_counter()
    from pytest_aksnet.arm import together
    from pytest_aksnet.arm.topics import READERS, open_readings

    imported = time.perf_counter()
    if way == WAYS[1]:
        together._AT_ONCE = 1
    os.environ.update(environment)
    names = [reader.topic.name for reader in READERS]
    with open_readings(
        provider_ids,
        resource_id=None,
        cloud="public",
        environment=environment,
        endpoint=environment["AKSNET_LAB_ARM_ENDPOINT"],
        verify=environment["REQUESTS_CA_BUNDLE"],
    ) as readings:
        if way == WAYS[2]:
            with ThreadPoolExecutor(8) as threads:
                found = list(threads.map(readings.reading, names))
        else:
            found = [readings.reading(name) for name in names]
    ended = time.perf_counter()
    for reading in found:
        assert reading.refusal is None, reading.refusal
    return {
        "seconds with imports": ended - begun,
        "seconds": ended - imported,
        "processor time": time.process_time(),
        "topics": len(names),
        "requests": sum(len(reading.exchanges) for reading in found) + 1,  # and the cluster's group
    }


def _lab_readings(lab: RunningLab) -> list[str]:
    """What a child needs: the lab's variables and the nodes' ids."""
    from pytest_aksnet.cluster.connect import connect
    from pytest_aksnet.cluster.nodes import read_nodes

    words = shlex.split(lab.azure.read_text("utf-8"))
    cluster = connect(str(lab.kubeconfig), None)
    try:
        provider_ids = list(read_nodes(cluster).provider_ids)
    finally:
        cluster.close()
    return [json.dumps(dict(word.split("=", 1) for word in words)), json.dumps(provider_ids)]


def _child(way: str, told: list[str]) -> dict[str, float]:
    ended = subprocess.run(
        [sys.executable, "-m", "benchmarks.azure_facts", "read", way, *told],
        capture_output=True,
        text=True,
        check=True,
    )
    answer: dict[str, float] = json.loads(ended.stdout)
    return answer


def main() -> None:
    """Print medians, and each way's as a ratio to the first."""
    if sys.argv[1:2] == ["read"]:
        way, environment, provider_ids = sys.argv[2:]
        print(json.dumps(read_all(way, json.loads(environment), json.loads(provider_ids))))
        return
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder, "lab.toml")
        spec.write_text(SPEC, "utf-8")
        lab = start_lab(spec=spec)
    try:
        told = _lab_readings(lab)
        _child(WAYS[0], told)  # the lab imports its ARM with the first connection
        found: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
        for _ in range(rounds):
            for way in WAYS:
                found[way].append(_child(way, told))
    finally:
        lab.end()
    first = statistics.median(one["seconds"] for one in found[WAYS[0]])
    for way, each in found.items():
        seconds = statistics.median(one["seconds"] for one in each)
        with_imports = statistics.median(one["seconds with imports"] for one in each)
        processor = statistics.median(one["processor time"] for one in each)
        print(
            f"{way:22} {seconds:6.2f} s ({seconds / first:.2f}), with imports {with_imports:.2f} s,"
            f" processor time {processor:.2f} s"
        )
    counts = found[WAYS[0]][0]
    print(f"{counts['topics']:.0f} topics, {counts['requests']:.0f} requests")


if __name__ == "__main__":
    main()
