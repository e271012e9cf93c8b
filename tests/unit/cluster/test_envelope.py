"""The envelope around a command, run by real shells; and how its end mark is read."""

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from pytest_aksnet.cluster.envelope import (
    StreamStatus,
    open_envelope,
    read_status,
    without_mark,
    wrap,
)

NONCE = "aksnet-0123456789abcdef"
SHELLS = [
    pytest.param(argv, id=argv[0])
    for argv in (["dash"], ["bash"], ["busybox", "sh"])
    if shutil.which(argv[0])
]


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> Sequence[str]:
    """A POSIX shell of this machine."""
    return list(request.param)


class Running:
    """A wrapped command whose standard input is open, as it is in an exec stream.

    It has a session of its own, by which all its processes can be found.
    """

    def __init__(
        self, shell: Sequence[str], argv: Sequence[str], seconds: int = 60, stdin: bytes = b""
    ) -> None:
        pipe = subprocess.PIPE
        words = [*shell, *wrap(argv, NONCE, seconds=seconds, stdin_bytes=len(stdin))[1:]]
        self.process = subprocess.Popen(
            words, stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True
        )
        assert self.process.stdin is not None
        self.process.stdin.write(stdin)
        self.process.stdin.flush()

    def leave(self) -> None:
        """Close standard input, as a client that leaves does."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def end(self) -> tuple[int, bytes, bytes]:
        """Exit code, stdout and stderr."""
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        out, err = self.process.stdout.read(), self.process.stderr.read()
        return self.process.wait(10), out, err

    def left_over(self) -> list[str]:
        """The command lines of processes that are still there, or that nobody has reaped."""
        found = []
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                pid = int(entry.name)
                if pid != self.process.pid and os.getsid(pid) == self.process.pid:
                    found.append((entry / "cmdline").read_text() or "zombie")
        return found


@pytest.fixture
def start(shell: Sequence[str]) -> Iterator[list[Running]]:
    """What was started; ended at the end."""
    started: list[Running] = []
    yield started
    for running in started:
        running.process.kill()
        running.process.wait()
        for pipe in (running.process.stdin, running.process.stdout, running.process.stderr):
            assert pipe is not None
            pipe.close()


@pytest.mark.parametrize(
    ("argv", "code", "stdout"),
    [
        (["printf", "no break"], 0, b"no break"),
        (["printf", "a\\n\\n"], 0, b"a\n\n"),
        (["true"], 0, b""),
        (["sh", "-c", 'echo "$1"; exit 3', "x", "$(id) 'q' *"], 3, b"$(id) 'q' *\n"),
        (["no-such-program"], 127, b""),
        (["/etc/passwd"], 126, b""),
        (["sh", "-c", "kill -9 $$"], 137, b""),
    ],
)
def test_a_command_keeps_its_output_and_exit_code(
    shell: Sequence[str], start: list[Running], argv: list[str], code: int, stdout: bytes
) -> None:
    start.append(Running(shell, argv))
    exit_code, out, err = start[0].end()
    assert exit_code == code
    assert open_envelope(out, NONCE) == (stdout, code)
    marked = open_envelope(err, NONCE)
    assert marked is not None
    assert marked[1] == code


def test_a_client_that_leaves_ends_the_command(shell: Sequence[str], start: list[Running]) -> None:
    start.append(Running(shell, ["sleep", "60"]))
    start[0].leave()
    started = time.monotonic()
    exit_code, out, err = start[0].end()
    assert exit_code == 143
    assert time.monotonic() - started < 30
    assert (out, err) == (b"", b"")  # no mark: it has not come to an end of its own
    assert start[0].left_over() == []


def test_the_time_ends_the_command_though_no_client_leaves(
    shell: Sequence[str], start: list[Running]
) -> None:
    start.append(Running(shell, ["sh", "-c", "echo up; exec sleep 60"], seconds=1))
    exit_code, out, err = start[0].end()
    assert (exit_code, out, err) == (143, b"up\n", b"")
    assert start[0].left_over() == []


@pytest.mark.parametrize("argv", [["true"], ["sleep", "0.05"]], ids=" ".join)
@pytest.mark.parametrize("stdin", [b"", b"x"], ids=["no-input", "input"])
def test_a_command_that_ends_leaves_no_process(
    shell: Sequence[str], start: list[Running], argv: list[str], stdin: bytes
) -> None:
    for _ in range(10):
        start.append(Running(shell, argv, stdin=stdin))
    for running in start:
        exit_code, out, _ = running.end()
        assert (exit_code, open_envelope(out, NONCE)) == (0, (b"", 0))
        assert running.left_over() == []


def test_a_command_reads_just_its_input(shell: Sequence[str], start: list[Running]) -> None:
    data = bytes(range(256)) * 100
    start.append(Running(shell, ["cat"], stdin=data))
    exit_code, out, _ = start[0].end()  # although standard input stays open, as with v4
    assert (exit_code, open_envelope(out, NONCE)) == (0, (data, 0))


def test_the_time_ends_a_command_with_input_too(shell: Sequence[str], start: list[Running]) -> None:
    start.append(Running(shell, ["sh", "-c", "cat; exec sleep 60"], seconds=1, stdin=b"in\n"))
    exit_code, out, _ = start[0].end()
    assert (exit_code, out) == (143, b"in\n")
    assert start[0].left_over() == []


def test_a_command_that_ignores_the_first_signal_ends_too(
    shell: Sequence[str], start: list[Running]
) -> None:
    loop = "trap '' TERM; echo up; while :; do sleep 0.1; done"
    start.append(Running(shell, ["sh", "-c", loop]))
    assert start[0].process.stdout is not None
    assert start[0].process.stdout.readline() == b"up\n"
    start[0].leave()
    assert start[0].end()[0] == 137


@pytest.mark.parametrize(
    "output",
    [
        b"",
        b"hi\n",
        b"hi\n" + NONCE.encode() + b" 0",
        b"\n" + NONCE.encode() + b" 0\nmore",
        b"\n" + NONCE.encode() + b" x\n",
        NONCE.encode() + b" 0\n",
    ],
)
def test_only_a_whole_mark_at_the_very_end_counts(output: bytes) -> None:
    assert open_envelope(output, NONCE) is None
    assert without_mark(output, NONCE) == output


def test_a_mark_inside_the_output_is_output() -> None:
    mark = f"\n{NONCE} 0\n".encode()
    assert open_envelope(mark + b"x" + mark, NONCE) == (mark + b"x", 0)


@pytest.mark.parametrize(
    ("frame", "status"),
    [
        (b'{"metadata":{},"status":"Success"}', StreamStatus(0, "")),
        (
            b'{"status":"Failure","message":"m","details":{"causes":'
            b'[{"reason":"ExitCode","message":"3"}]}}',
            StreamStatus(3, "m"),
        ),
        (
            b'{"status":"Failure","message":"no such file","details":{"causes":[{"message":"m"}]}}',
            StreamStatus(None, "no such file"),
        ),
        (b'{"status":"Failure","reason":"InternalError","message":"m"}', StreamStatus(None, "m")),
        (b"text", StreamStatus(None, "unknown status: text")),
        (b"[]", StreamStatus(None, "unknown status: []")),
    ],
)
def test_the_streams_status_is_read_by_its_cause(frame: bytes, status: StreamStatus) -> None:
    assert read_status(frame) == status
