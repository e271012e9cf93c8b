"""SIGTERM and SIGINT: a run ends as pytest says, cleans up, and names what is left."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_aksnet.interrupts import Interrupts
from tests.plugin.mini_cluster import MiniCluster
from tests.unit.cluster.scripted_api import Answer, Request

PATIENCE_S = 30.0


@pytest.fixture
def interrupts() -> Iterator[Interrupts]:
    taken = Interrupts()
    taken.install()
    yield taken
    taken.restore()


def test_the_first_signal_interrupts_and_the_second_hurries(interrupts: Interrupts) -> None:
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGTERM)
    assert not interrupts.hurry.is_set()
    signal.raise_signal(signal.SIGINT)
    assert interrupts.hurry.is_set()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)


def test_the_first_signal_at_the_end_of_the_session_only_hurries(interrupts: Interrupts) -> None:
    wrapper = interrupts.pytest_sessionfinish()
    next(wrapper)
    signal.raise_signal(signal.SIGTERM)
    assert interrupts.hurry.is_set()
    with pytest.raises(StopIteration):
        next(wrapper)


def test_no_signal_interrupts_the_cleaning(interrupts: Interrupts) -> None:
    with interrupts.cleaning() as hurry:
        for _ in range(4):
            signal.raise_signal(signal.SIGINT)
        assert hurry.is_set()


def test_handlers_of_others_stay_and_ours_are_given_back() -> None:
    ours, theirs = Interrupts(), signal.signal(signal.SIGTERM, signal.SIG_IGN)
    usual = signal.getsignal(signal.SIGINT)
    try:
        ours.install()
        assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
        assert signal.getsignal(signal.SIGINT) != usual
    finally:
        ours.restore()
        signal.signal(signal.SIGTERM, theirs)
    assert signal.getsignal(signal.SIGINT) == usual


def test_another_thread_leaves_signals_alone() -> None:
    usual = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=Interrupts().install)
    thread.start()
    thread.join()
    assert signal.getsignal(signal.SIGTERM) == usual


def begin(mini: MiniCluster, folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """A run in whose middle we are: its test has a namespace, and waits."""
    (folder / "test_it.py").write_text(
        "import time\n\ndef test_it(netshoot):\n    netshoot(fresh=True)\n    time.sleep(60)\n",
        encoding="utf-8",
    )
    run = subprocess.Popen(
        [
            *(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", f"--rootdir={folder}"),
            *("test_it.py", f"--aksnet-kubeconfig={mini.kubeconfig(folder)}", *arguments),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    until(lambda: any("/pods/" in path for path in mini.objects))
    return run


def until(true: object) -> None:
    assert callable(true)
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["term", "int"])
def test_an_interrupted_run_ends_as_pytest_says_and_leaves_nothing(
    mini: MiniCluster, tmp_path: Path, number: signal.Signals
) -> None:
    run = begin(mini, tmp_path)
    assert any("/leases/pytest-aksnet" in path for path in mini.objects)
    run.send_signal(number)
    said, _ = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == pytest.ExitCode.INTERRUPTED, said
    assert mini.left() == []


def test_a_second_signal_while_it_cleans_up_names_what_is_left(
    mini: MiniCluster, tmp_path: Path
) -> None:
    serve = mini.routes.get(("GET", "/"))
    assert serve is not None
    asked = threading.Event()

    def stuck(request: Request) -> Answer | None:
        if request.method == "DELETE" and request.path.startswith("/api/v1/namespaces/aksnet-"):
            asked.set()
            return 200, {}
        return serve(request)

    run = begin(mini, tmp_path)
    mini.answer_all(stuck)
    run.send_signal(signal.SIGTERM)
    assert asked.wait(PATIENCE_S)
    run.send_signal(signal.SIGTERM)
    said, _ = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == pytest.ExitCode.INTERRUPTED, said
    assert "aksnet: not removed: aksnet-" in said
    assert "interrupted" in said
