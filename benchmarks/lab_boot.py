"""How fast the lab is: process start to ready, pod create to Ready, one exec round trip.

Medians of several rounds, each also as a multiple of starting a plain Python in the same run, so
that a loaded machine can be told from a slow lab. Run: python -m benchmarks.lab_boot [ROUNDS]
"""

import functools
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence

from tests.lab.running_lab import start_lab
from tests.lab.user import User, is_ready


def seconds_of(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def start_python() -> None:
    subprocess.run([sys.executable, "-c", "import json, ssl"], check=True)


def boot() -> float:
    started = time.perf_counter()
    lab = start_lab()
    taken = time.perf_counter() - started
    lab.end()
    return taken


def pod_times(rounds: int) -> tuple[list[float], list[float]]:
    lab = start_lab()
    ready: list[float] = []
    execs: list[float] = []
    try:
        with User(lab) as user:
            for number in range(rounds):
                name = f"pod-{number}"
                started = time.perf_counter()
                user.create_pod(name)
                while not is_ready(user.pod(name)):
                    time.sleep(0.002)
                ready.append(time.perf_counter() - started)
                execs.append(seconds_of(functools.partial(user.run, name, "true")))
    finally:
        lab.end()
    return ready, execs


def show(what: str, values: Sequence[float], reference: float) -> None:
    median = statistics.median(values)
    print(
        f"{what:32} median {median * 1000:7.1f} ms   max {max(values) * 1000:7.1f} ms   "
        f"{median / reference:5.2f} x python"
    )


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    pythons = [seconds_of(start_python) for _ in range(rounds)]
    reference = statistics.median(pythons)
    show("start of python (json, ssl)", pythons, reference)
    show("lab: process start to ready", [boot() for _ in range(rounds)], reference)
    ready, execs = pod_times(rounds)
    show("pod: create to Ready", ready, reference)
    show("exec: python client, round trip", execs, reference)


if __name__ == "__main__":
    main()
