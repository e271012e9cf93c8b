"""The shell's agent, in every shell of this machine: the same protocol, nothing hostile runs."""

import shutil
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_aksnet.probes import agent_without_python
from tests.unit.probes.agent_process import AgentProcess, free_port, running_reflector

HERE = "127.0.0.1"
SHELLS = [
    pytest.param(
        shell,
        marks=pytest.mark.skipif(shutil.which(shell[0]) is None, reason=f"no {shell[0]} here"),
        id=shell[0],
    )
    for shell in (("dash",), ("bash", "--posix"), ("busybox", "ash"))
]


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    port = free_port()
    with running_reflector(port):
        yield port


def started(shell: tuple[str, ...], lease_s: float = 30.0) -> AgentProcess:
    made = agent_without_python.script(lease_s)
    return AgentProcess(replace(made, argv=(shell[0], *made.argv[1:])), *shell)


@pytest.mark.parametrize("shell", SHELLS)
def test_it_answers_as_the_other_agent_does(shell: tuple[str, ...], port: int) -> None:
    with closing(started(shell)) as process:
        assert (process.hello["n"], process.hello["agent"]) == (0, "sh")
        process.write("ping 7\n")
        assert process.read() == {"n": 1, "pong": 7}
        answers, end = process.ask(
            f"t {HERE} {port} 2 pod=web",
            f"t {HERE} {free_port()} 1.5",
            f"h {HERE} {port} 2 path=/a",
            f"u {HERE} {port} 2",
            f"t {HERE} {port} 2 path=/a;id",
            f"t $(id) {port} 2",
            f"t -x {port} 2",
            f"t {HERE} 80x 2",
            "d - 0 2 name=%24%28id%29 type=A",
            f"h {HERE} {port} 2 path=/`id`",
        )
    assert [answers[index]["v"] for index in range(10)] == [
        *("ok", "refused", "ok", "local"),
        *["local"] * 6,
    ]
    assert answers[2]["x"]["status"] == 200
    assert (end["end"], end["of"]) == (10, 10)


def test_more_probes_than_run_at_once(port: int) -> None:
    with closing(started(("sh",))) as process:
        answers, end = process.ask(*[f"t {HERE} {free_port()} 1"] * 70)
    assert {answer["v"] for answer in answers.values()} == {"refused"}
    assert end["end"] == 70


def test_nothing_that_a_word_holds_is_run(tmp_path: Path, port: int) -> None:
    mark = tmp_path / "mark"
    words = [f"$(>{mark})", f"`>{mark}`", f";>{mark}", f"x\\n>{mark}", "*", "'", '"', "-oProxy"]
    with closing(started(("sh",))) as process:
        answers, _ = process.ask(
            *(f"t {word} {port} 1" for word in words), *(f"t {HERE} {port} 1 {w}" for w in words)
        )
    assert {answer["v"] for answer in answers.values()} == {"local"}
    assert not mark.exists()


def test_it_ends_with_its_lease() -> None:
    with closing(started(("sh",), lease_s=1)) as process:
        process.process.wait(10)


def test_it_ends_with_its_input_although_probes_run() -> None:
    process = started(("sh",))
    process.begin([f"c {HERE} {free_port()} 1"] * 3)
    before = time.monotonic()
    process.close()
    assert time.monotonic() >= before  # it has ended at all
