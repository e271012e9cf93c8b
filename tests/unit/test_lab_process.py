"""The lab as a process: started with its pipes, awaited, named when it fails, and ended."""

import os
import sys
from pathlib import Path

import pytest

from pytest_aksnet.lab_process import LabFiles, LabProcess
from pytest_aksnet.model.errors import EnvironmentProblem

# A stand-in for the lab's command line: it announces what it is told to, then lives until the
# life pipe ends.
STAND_IN = """
import os, sys
options = dict(word[2:].split("=", 1) for word in sys.argv[2:])
with open(os.environ["STAND_IN_ARGV"], "w") as file:
    file.write(" ".join(sys.argv[1:]))
sys.stderr.write(os.environ["STAND_IN_STDERR"])
announcement = os.environ["STAND_IN_SAYS"]
if announcement:
    os.write(int(options["ready-fd"]), announcement.encode() + b"\\n")
    os.read(int(options["life-fd"]), 1)
"""


def start(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *, says: str, stderr: str = ""
) -> LabProcess:
    monkeypatch.setenv("STAND_IN_SAYS", says)
    monkeypatch.setenv("STAND_IN_STDERR", stderr)
    monkeypatch.setenv("STAND_IN_ARGV", str(folder / "argv"))
    return LabProcess.start(
        "overlay",
        "calico",
        ["nic-without-vf"],
        spec_file=folder / "lab.toml",
        command=(sys.executable, "-c", STAND_IN),
    )


def test_a_lab_that_serves_says_where(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lab = start(monkeypatch, tmp_path, says='{"kubeconfig": "/k", "site": "/s", "pid": 1}')
    try:
        expected = LabFiles(kubeconfig=Path("/k"), site=Path("/s"))
        assert lab.wait_ready() == expected
        assert lab.wait_ready() == expected
    finally:
        lab.stop()
    words = (tmp_path / "argv").read_text(encoding="utf-8").split()
    assert words[:4] == ["serve", "--mode=overlay", "--engine=calico", "--fault=nic-without-vf"]
    assert words[4] == f"--spec={tmp_path / 'lab.toml'}"


def test_a_lab_that_cannot_start_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lab = start(monkeypatch, tmp_path, says='{"error": "nft is missing: apt install nftables"}')
    try:
        with pytest.raises(EnvironmentProblem, match="did not start: nft is missing"):
            lab.wait_ready()
    finally:
        lab.stop()


def test_a_lab_that_dies_silently_gives_its_last_words(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lab = start(monkeypatch, tmp_path, says="", stderr="Traceback\nValueError: no such fault\n")
    try:
        with pytest.raises(EnvironmentProblem, match="last words: ValueError: no such fault"):
            lab.wait_ready()
    finally:
        lab.stop()


def test_stopping_leaves_no_process_and_no_descriptor(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    before = set(os.listdir("/proc/self/fd")), children()
    lab = start(monkeypatch, tmp_path, says='{"kubeconfig": "/k", "site": "/s", "pid": 1}')
    lab.wait_ready()
    lab.stop()
    lab.stop()
    assert (set(os.listdir("/proc/self/fd")), children()) == before


def children() -> set[str]:
    """The process ids of this process's children, ended ones included until they are reaped."""
    tasks = Path("/proc/self/task").iterdir()
    return {pid for task in tasks for pid in (task / "children").read_text().split()}
