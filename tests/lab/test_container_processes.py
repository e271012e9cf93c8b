"""Processes in sandboxes: how they start, what they have, how they end."""

import asyncio
import contextlib
import json
import os
import pty
import signal
import stat
from pathlib import Path
from typing import Any

import pytest

from pytest_aksnet.lab.container.client import LabSandbox
from pytest_aksnet.lab.container.context import BootContext
from pytest_aksnet.lab.contracts import ProcessGroup
from tests.lab.bare_lab import ENVIRONMENT, machine_and_pod, output, result_of


async def ends(context: BootContext) -> object:
    _, pod = await machine_and_pod(context)
    found: dict[str, object] = {}
    for word in ("exit 0", "exit 7", "kill -KILL $$", "kill -TERM $$"):
        found[word] = (await output(pod, "sh", "-c", word))[0]
    sleeper = await spawn_quietly(pod, "sleep", "60")
    sleeper.signal(signal.SIGUSR1)
    found["signalled"] = await sleeper.wait()
    sleeper.signal(signal.SIGUSR1)
    return found


def test_exit_status_is_the_programs_or_128_and_the_signal() -> None:
    assert result_of(ends) == {
        "exit 0": 0,
        "exit 7": 7,
        "kill -KILL $$": 137,
        "kill -TERM $$": 143,
        "signalled": 128 + signal.SIGUSR1,
    }


async def refusals(context: BootContext) -> object:
    _, pod = await machine_and_pod(context)
    await pod.write_file("/tmp/no-program", b"text", 0o644)
    await pod.write_file("/tmp/no-format", b"text", 0o755)
    found = {}
    for path in ("no-such-program", "/no/such/program", "/tmp/no-program", "/tmp/no-format", "/"):
        try:
            await output(pod, path)
        except OSError as error:
            found[path] = type(error).__name__
    try:
        await output(pod, "true", cwd="/nowhere")
    except FileNotFoundError as error:
        found["cwd"] = error.filename
    return found


def test_programs_that_cannot_be_executed_are_named_as_missing_or_not_permitted() -> None:
    assert result_of(refusals) == {
        "no-such-program": "FileNotFoundError",
        "/no/such/program": "FileNotFoundError",
        "/tmp/no-program": "PermissionError",
        "/tmp/no-format": "PermissionError",
        "/": "PermissionError",
        "cwd": "/nowhere",
    }


SURROUNDINGS = """
import json, os, signal
print(json.dumps({
    "environment": dict(os.environ),
    "descriptors": sorted(int(fd) for fd in os.listdir("/proc/self/fd"))[:-1],
    "cwd": os.getcwd(),
    "session": os.getsid(0) == os.getpid(),
    "mask": [str(each) for each in signal.pthread_sigmask(signal.SIG_BLOCK, [])],
    "ignored": [hex(int(line.split()[1], 16) & ~(3 << 31)) for line in open("/proc/self/status")
                if "SigIgn" in line],  # but 32 and 33: libc keeps these and lets nobody reset them
    "umask": os.umask(0),
}))
"""


async def surroundings(context: BootContext) -> object:
    _, pod = await machine_and_pod(context)
    given = {**ENVIRONMENT, "GIVEN": "größe"}
    _, text = await output(pod, "python3", "-c", SURROUNDINGS, env=given, cwd="/var/log")
    return text


def test_a_process_has_what_was_given_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOT_GIVEN", "1")
    inherited = os.dup2(0, 200, inheritable=True)
    try:
        seen = json.loads(result_of(surroundings))
    finally:
        os.close(inherited)
    # Python itself sets LC_CTYPE (PEP 538) and ignores SIGPIPE (13) and SIGXFSZ (25).
    seen["environment"].pop("LC_CTYPE", None)
    assert seen == {
        "environment": {**ENVIRONMENT, "GIVEN": "größe"},
        "descriptors": [0, 1, 2],
        "cwd": "/var/log",
        "session": True,
        "mask": [],
        "ignored": ["0x1001000"],
        "umask": 0o022,
    }


async def reopened(context: BootContext) -> object:
    _, pod = await machine_and_pod(context)
    reading, writing = os.pipe()
    argv = ["sh", "-c", "echo out > /dev/stdout; echo err > /dev/stderr"]
    with open(os.devnull, "rb") as nothing:
        process = await pod.spawn(
            argv,
            env=ENVIRONMENT,
            stdin_fd=nothing.fileno(),
            stdout_fd=writing,
            stderr_fd=writing,
        )
    status = await process.wait()
    os.close(writing)
    with open(reading) as pipe:
        return [status, pipe.read()]


def test_a_process_can_open_dev_stdout_of_a_pipe() -> None:
    assert result_of(reopened) == [0, "out\nerr\n"]


async def terminal(context: BootContext) -> object:
    _, pod = await machine_and_pod(context)
    controller, replica = pty.openpty()
    argv = ["sh", "-c", "stty size < /dev/tty; test -t 0 -a -t 1 -a -t 2 && read line; exit 3"]
    process = await pod.spawn(
        argv,
        env=ENVIRONMENT,
        stdin_fd=replica,
        stdout_fd=replica,
        stderr_fd=replica,
        tty=True,
    )
    os.close(replica)
    said = await asyncio.to_thread(os.read, controller, 100)
    # Ctrl-C reaches the foreground process group of a controlling terminal only.
    os.write(controller, b"\x03")
    status = await process.wait()
    os.close(controller)
    return [said.decode(), status]


def test_a_terminal_is_the_controlling_one() -> None:
    assert result_of(terminal) == ["0 0\r\n", 128 + signal.SIGINT]


async def many(context: BootContext) -> object:
    _, pod = await machine_and_pod(context)
    await asyncio.gather(*(output(pod, "true") for _ in range(20)))
    before = len(os.listdir("/proc/self/fd"))
    words = ["sh", "-c", "echo $0; exit $0"]
    found = await asyncio.gather(*(output(pod, *words, str(n)) for n in range(200)))
    return [found, len(os.listdir("/proc/self/fd")) - before]


def test_two_hundred_processes_at_once_all_end_as_they_should_and_leave_no_descriptor() -> None:
    assert result_of(many) == [[[n, f"{n}\n"] for n in range(200)], 0]


async def large(context: BootContext) -> object:
    _, pod = await machine_and_pod(context)
    await pod.write_file("/var/lib/large", b"x" * 3_000_000, 0o640)
    argument = "y" * 100_000
    _, size = await output(pod, "stat", "-c", "%s %a", "/var/lib/large")
    _, length = await output(pod, "sh", "-c", "echo ${#0} ${#1} ${#LARGE}", argument, argument)
    return [size, length]


def test_arguments_and_files_may_be_large() -> None:
    assert result_of(large) == ["3000000 640\n", "100000 100000 0\n"]


ORPHANS = "for n in 1 2 3 4 5; do (setsid sh -c 'sleep 0.01 & exec sleep 0.02' &) ; done"


async def orphans(context: BootContext) -> object:
    _, pod = await machine_and_pod(context)
    await output(pod, "sh", "-c", ORPHANS)
    for _ in range(500):
        _, listed = await output(pod, "ps", "-e", "-o", "stat=,comm=")
        others = [line for line in listed.splitlines() if "pause" not in line and "ps" not in line]
        if not others:
            return []
        await asyncio.sleep(0.01)
    return others


def test_orphans_are_reaped() -> None:
    assert result_of(orphans) == []


TOUGH = "trap '' TERM INT HUP; (setsid sh -c 'setsid sleep 999 & exec sleep 999' &); sleep 999"


async def destroyed(context: BootContext) -> object:
    machine, pod = await machine_and_pod(context)
    process = await spawn_quietly(pod, "sh", "-c", TOUGH)
    while (await output(machine, "pgrep", "-c", "sleep"))[1].strip() != "3":
        await asyncio.sleep(0.01)
    await asyncio.gather(pod.destroy(), pod.destroy())
    status = await process.wait()
    left = await output(machine, "pgrep", "-c", "sleep")
    with contextlib.suppress(ProcessLookupError):
        await output(pod, "true")
        return "a process started in a destroyed pod"
    await pod.destroy()
    return [status, left[1], pod.netns_fd]


def test_destroy_ends_everything_in_a_pod() -> None:
    assert result_of(destroyed) == [137, "0\n", -1]


async def cancelled(context: BootContext) -> object:
    machine, pod = await machine_and_pod(context)
    for delay in (0.0, 0.0005, 0.001, 0.002, 0.004):
        for _ in range(10):
            with contextlib.suppress(asyncio.TimeoutError):
                started = spawn_quietly(pod, "sleep", "777")
                (await asyncio.wait_for(started, delay)).signal(signal.SIGKILL)
    for _ in range(500):
        _, count = await output(machine, "pgrep", "-c", "sleep")
        if count == "0\n":
            break
        await asyncio.sleep(0.01)
    return count


def test_a_process_whose_start_was_cancelled_does_not_live_on() -> None:
    assert result_of(cancelled) == "0\n"


FAMILY = "setsid sh -c 'sleep 771 & sleep 772 & wait' & (setsid sleep 773 &) ; sleep 774"


async def grouped(context: BootContext) -> object:
    _, pod = await machine_and_pod(context)
    groups = [await pod.new_group() for _ in range(2)]
    leaders = []
    for group in (*groups, None):
        leaders.append(await spawn_quietly(pod, "sh", "-c", FAMILY, group=group))
    while (await output(pod, "pgrep", "-c", "sleep"))[1] != "12\n":
        await asyncio.sleep(0.01)
    late = asyncio.create_task(spawn_quietly(pod, "sleep", "775", group=groups[0]))
    await asyncio.sleep(0)  # asked for already, and then comes the end
    await groups[0].end()
    found = [await leaders[0].wait(), await (await late).wait()]
    found.append((await output(pod, "pgrep", "-c", "sleep"))[1])
    try:
        await spawn_quietly(pod, "true", group=groups[0])
    except ProcessLookupError as error:
        found.append(str(error.strerror))
    await pod.destroy()
    for group in groups:
        await group.end()
    return found


def test_a_group_ends_with_all_that_it_started_and_nothing_else() -> None:
    assert result_of(grouped) == [137, 137, "8\n", "the group has ended"]


async def capture(context: BootContext) -> object:
    machine, _ = await machine_and_pod(context)
    await output(machine, "ip", "link", "set", "lo", "up")
    pinged = await output(machine, "ping", "-c", "1", "-W", "5", "127.0.0.1")
    captured = await output(
        machine,
        "sh",
        "-c",
        "tcpdump --immediate-mode -l -n -i lo -c 1 icmp & ping -c 20 -i 0.1 127.0.0.1 >&2; wait",
    )
    owned = await output(machine, "sh", "-c", "touch /tmp/x && chown 1000:1000 /tmp/x")
    return [pinged[0], "ICMP echo request" in captured[1], owned[0]]


def test_ping_tcpdump_and_chown_work_without_privilege_on_the_machine() -> None:
    assert result_of(capture) == [0, True, 0]


async def spawn_quietly(sandbox: LabSandbox, *argv: str, group: ProcessGroup | None = None) -> Any:
    with open(os.devnull, "r+b", buffering=0) as nothing:
        fd = nothing.fileno()
        return await sandbox.spawn(
            argv, env=ENVIRONMENT, stdin_fd=fd, stdout_fd=fd, stderr_fd=fd, group=group
        )


def test_dev_null_of_the_machine_stays_roots() -> None:
    assert stat.S_ISCHR(Path(os.devnull).stat().st_mode)
    assert Path(os.devnull).stat().st_uid == 0
