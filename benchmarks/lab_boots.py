"""Boots labs one after the other and counts what goes wrong: N boots without a failure.

Each boot must be ready, list its nodes as Ready, end with status 0 when its life pipe closes, and
leave neither a process nor a directory. Modes and engines take turns. Run:
python -m benchmarks.lab_boots [BOOTS]
"""

import statistics
import sys
import time
from pathlib import Path

from kubernetes import client, config

from pytest_aksnet.lab.options import ENGINES, MODES, BadOption, LabOptions
from tests.lab.running_lab import LabDidNotStart, RunningLab, start_lab


def kinds() -> list[tuple[str, str]]:
    """All modes and engines that go together."""
    found = []
    for mode in MODES:
        for engine in ENGINES:
            try:
                LabOptions(mode=mode, engine=engine)
            except BadOption:
                continue
            found.append((mode, engine))
    return found


def trouble_of(lab: RunningLab) -> str:
    """What is wrong with a lab that says it is ready; "" for nothing."""
    api = config.new_client_from_config(str(lab.kubeconfig))
    try:
        nodes = client.CoreV1Api(api).list_node().items
    finally:
        api.close()
    ready = [
        one.metadata.name
        for one in nodes
        if any(item.type == "Ready" and item.status == "True" for item in one.status.conditions)
    ]
    return "" if len(ready) == 3 else f"Ready are {ready}"


def children_of(pid: int) -> list[Path]:
    """Processes whose parent is that one."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError):
            continue
        if parent == pid:
            found.append(folder)
    return found


def boot(mode: str, engine: str) -> tuple[float, str]:
    """Seconds to ready, and what went wrong."""
    started = time.perf_counter()
    try:
        lab = start_lab(mode, engine)
    except LabDidNotStart as error:
        return 0.0, f"did not start: {error}"
    taken = time.perf_counter() - started
    family = children_of(lab.process.pid)
    wrong = trouble_of(lab)
    lab.end()
    if lab.process.returncode != 0:
        wrong += f" ended with status {lab.process.returncode}"
    left = [str(path) for path in (*family, lab.kubeconfig.parent) if path.exists()]
    if left:
        wrong += f" left {left}"
    return taken, wrong.strip()


def main() -> None:
    boots = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    times, failures = [], 0
    choices = kinds()
    for number in range(boots):
        mode, engine = choices[number % len(choices)]
        taken, wrong = boot(mode, engine)
        if wrong:
            failures += 1
            print(f"boot {number + 1}, {mode} {engine}: {wrong}", flush=True)
        else:
            times.append(taken)
    if times:
        median, worst = statistics.median(times), max(times)
        print(f"ready after: median {median * 1000:.0f} ms, worst {worst * 1000:.0f} ms")
    print(f"{boots} boots, {failures} failures")
    raise SystemExit(int(failures > 0))


if __name__ == "__main__":
    main()
