"""A mark says whether the process that left something behind has ended."""

import os
import subprocess
import sys

from pytest_aksnet.cluster.owner import has_ended, process_mark

SAY_MARK = "from pytest_aksnet.cluster.owner import process_mark; print(process_mark(), flush=True)"


def test_this_process_has_not_ended() -> None:
    assert process_mark()
    assert process_mark() == process_mark()
    assert not has_ended(process_mark())


def test_a_process_has_ended_once_it_is_killed_reaped_or_not() -> None:
    argv = [sys.executable, "-c", f"{SAY_MARK}; input()"]
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        mark = process.stdout.readline().strip()
        assert mark != process_mark()
        assert not has_ended(mark)
        process.kill()
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # a zombie, not yet reaped
        assert has_ended(mark)
        process.wait()
    assert has_ended(mark)


def test_a_successor_with_the_same_pid_is_another_process() -> None:
    machine, pid, begun = process_mark().split("/")
    assert has_ended(f"{machine}/{pid}/{int(begun) - 1}")


def test_nothing_is_known_of_other_machines_and_unreadable_marks() -> None:
    _, pid, begun = process_mark().split("/")
    for mark in ("", "x", f"0123456789abcdef/{pid}/{int(begun) - 1}", "//", "a/b/c"):
        assert not has_ended(mark)
