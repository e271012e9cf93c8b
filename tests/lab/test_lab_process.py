"""The lab as a process: how it ends, what it leaves, and labs beside each other."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.lab.running_lab import LabDidNotStart, RunningLab, start_lab

END_SECONDS = 10.0
STARTER = """
import sys
from tests.lab.running_lab import start_lab
lab = start_lab()
print(lab.process.pid, lab.kubeconfig, flush=True)
sys.stdin.read()
"""


def eventually(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + END_SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"not so in {END_SECONDS:.0f} s: {what}"
        time.sleep(0.02)


def descendants(pid: int) -> set[int]:
    """A process and all below it, as this process's /proc shows them."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = entry.joinpath("stat").read_text()
            except OSError:
                continue
            parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def alive(pids: set[int]) -> set[int]:
    """Those that run (zombies do not)."""
    found = set()
    for pid in pids:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            continue
        if state not in ("Z", "X"):
            found.add(pid)
    return found


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_of_a_lab_whose_starter_was_killed(how: signal.Signals) -> None:
    starter = subprocess.Popen(
        [sys.executable, "-c", STARTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert starter.stdin is not None
    assert starter.stdout is not None
    with starter.stdin, starter.stdout:
        outer, kubeconfig = starter.stdout.readline().split()
        processes = descendants(int(outer))
        assert len(processes) > 10
        starter.send_signal(how)
        starter.wait(END_SECONDS)
        eventually(lambda: not alive(processes), "all processes are gone")
        eventually(lambda: not Path(kubeconfig).parent.exists(), "the state directory is gone")


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_a_lab_that_is_killed_takes_all_with_it(how: signal.Signals) -> None:
    lab = start_lab()
    processes = descendants(lab.process.pid)
    os.kill(lab.process.pid, how)
    lab.end()
    eventually(lambda: not alive(processes), "all processes are gone")
    eventually(lambda: not lab.kubeconfig.parent.exists(), "the state directory is gone")


def test_two_labs_do_not_see_each_other(lab: RunningLab) -> None:
    other = start_lab("node-subnet", "none")
    try:
        assert "node-subnet" in other.tool("status").stdout
        assert "overlay" in lab.tool("status").stdout
        assert lab.kubeconfig != other.kubeconfig
    finally:
        other.end()


def test_the_kubeconfig_is_the_users_alone(lab: RunningLab) -> None:
    assert lab.kubeconfig.stat().st_mode & 0o077 == 0
    assert lab.kubeconfig.parent.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("mode", "engine", "words"),
    [
        ("overlai", "calico", "unknown network mode 'overlai'"),
        ("overlay", "calicoo", "unknown policy engine 'calicoo'"),
    ],
)
def test_a_wrong_choice_is_one_line(mode: str, engine: str, words: str) -> None:
    with pytest.raises(LabDidNotStart, match=words):
        start_lab(mode, engine)
