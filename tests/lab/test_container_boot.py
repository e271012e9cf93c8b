"""How a lab starts, what its main coroutine gets, and that nothing outlives it."""

import asyncio
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pytest_aksnet.lab.container.context import BootContext
from pytest_aksnet.lab.container.requirements import LabRefused
from tests.lab.bare_lab import ENVIRONMENT, ROOT, BareLab, machine_and_pod, output

TREE = "(setsid sh -c 'setsid sleep 999 & exec sleep 999' &); exec sleep 999"


async def living(context: BootContext) -> object:
    """Stays, with processes in a pod that do their best to stay too, and serves its listener."""
    machine, pod = await machine_and_pod(context)
    with open(os.devnull, "r+b", buffering=0) as nothing:
        fd = nothing.fileno()
        for sandbox in (machine, pod):
            await sandbox.spawn(
                ["sh", "-c", TREE], env=ENVIRONMENT, stdin_fd=fd, stdout_fd=fd, stderr_fd=fd
            )

    async def answer(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"hello")
        writer.close()

    server = await asyncio.start_server(answer, sock=context.listeners.api)
    file = context.state_dir / "file"
    file.write_text("state")
    namespaces = [os.readlink(f"/proc/self/ns/{name}") for name in ("net", "pid", "user")]
    context.announce(
        {
            "file": str(file),
            "port": context.listeners.api.getsockname()[1],
            "namespaces": namespaces,
        }
    )
    await server.serve_forever()
    return None


@pytest.fixture
def lab() -> Iterator[BareLab]:
    with closing(BareLab(living)) as lab:
        yield lab


def test_the_listener_is_the_machines_and_the_state_directory_private(lab: BareLab) -> None:
    announced = lab.announced()
    with socket.create_connection(("127.0.0.1", announced["port"]), timeout=5) as connection:
        assert connection.recv(100) == b"hello"
    file = Path(announced["file"])
    assert file.read_text() == "state"
    assert file.parent.stat().st_mode & 0o777 == 0o700
    assert list(file.parent.iterdir()) == [file]
    assert announced["pid"] == lab.process.pid


def test_the_lab_has_namespaces_of_its_own(lab: BareLab) -> None:
    ours = {os.readlink(f"/proc/self/ns/{name}") for name in ("net", "pid", "user")}
    assert not ours & set(lab.announced()["namespaces"])


def test_the_end_of_the_life_pipe_ends_everything(lab: BareLab) -> None:
    file, processes = started(lab)
    assert lab.close() == (0, "")
    nothing_is_left(file, processes)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_everything(lab: BareLab, number: signal.Signals) -> None:
    file, processes = started(lab)
    lab.process.send_signal(number)
    assert lab.process.wait(10) == 0
    nothing_is_left(file, processes)


def test_sigint_is_left_to_the_starter_where_there_is_a_life_pipe(lab: BareLab) -> None:
    file, _ = started(lab)
    lab.process.send_signal(signal.SIGINT)
    with pytest.raises(subprocess.TimeoutExpired):
        lab.process.wait(0.3)
    assert file.exists()


def test_sigint_ends_an_interactive_lab() -> None:
    with closing(BareLab(living, life=False)) as lab:
        file, processes = started(lab)
        lab.process.send_signal(signal.SIGINT)
        assert lab.process.wait(10) == 0
    nothing_is_left(file, processes)


@pytest.mark.parametrize("name", ["guard", "init", "fork", "main"])
def test_sigkill_of_any_process_of_the_lab_ends_everything_and_is_reported(
    lab: BareLab, name: str
) -> None:
    file, processes = started(lab)
    (victim,) = (pid for pid, command in processes.items() if command == f"aksnet-lab {name}")
    os.kill(int(victim.split()[0]), signal.SIGKILL)
    assert lab.process.wait(10) == 1
    nothing_is_left(file, processes)


def test_sigkill_of_the_outer_process_ends_everything(lab: BareLab) -> None:
    file, processes = started(lab)
    lab.process.kill()
    nothing_is_left(file, processes)


STARTER = """
import json, time
from tests.lab.bare_lab import BareLab
from tests.lab.test_container_boot import living
lab = BareLab(living)
print(json.dumps(lab.announced()), flush=True)
print(lab.process.pid, flush=True)
time.sleep(60)
"""


def test_sigkill_of_the_starter_ends_everything() -> None:
    argv = [sys.executable, "-c", STARTER]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        announced = json.loads(starter.stdout.readline())
        processes = descendants(int(starter.stdout.readline()))
        assert len(processes) > 5
        starter.kill()
    nothing_is_left(Path(announced["file"]), processes)


async def returning(context: BootContext) -> object:
    return str(context.state_dir)


def test_the_lab_ends_well_when_its_main_coroutine_returns() -> None:
    with closing(BareLab(returning)) as lab:
        state_dir = lab.announced()["result"]
        assert lab.process.wait(10) == 0
    assert not Path(state_dir).exists()


async def refusing(context: BootContext) -> object:
    raise LabRefused("do this instead")


async def failing(context: BootContext) -> object:
    raise ValueError("two\nlines")


def test_what_the_main_coroutine_refuses_is_reported_in_its_words() -> None:
    with closing(BareLab(refusing)) as lab:
        assert lab.announced() == {"error": "do this instead"}
        assert lab.process.wait(10) == 1
        assert lab.close() == (1, "")


def test_an_unexpected_error_is_reported_in_one_line_and_traced_on_stderr() -> None:
    with closing(BareLab(failing)) as lab:
        assert lab.announced() == {"error": "the lab failed: ValueError: two lines"}
        status, said = lab.close()
    assert status == 1
    assert "Traceback" in said


async def killed_early(context: BootContext) -> object:
    os.kill(os.getpid(), signal.SIGKILL)
    return None


def test_a_death_before_it_is_ready_is_reported() -> None:
    with closing(BareLab(killed_early)) as lab:
        assert lab.announced() == {"error": "the lab died: one of its processes was killed"}


def in_new_user_namespace(words: str) -> dict[str, Any]:
    """What a lab announces that is started after `words` of sh in a user namespace."""
    script = (
        "import json; from tests.lab.bare_lab import BareLab;"
        "from tests.lab.test_container_boot import looking; lab = BareLab(looking);"
        "print(json.dumps(lab.announced())); lab.close()"
    )
    argv = ["unshare", "-Urmpf", "--mount-proc", "sh", "-c", f'{words} exec "$0" -c "$1"']
    done = subprocess.run(
        [*argv, sys.executable, script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    announced: dict[str, Any] = json.loads(done.stdout)
    return announced


async def looking(context: BootContext) -> object:
    _, pod = await machine_and_pod(context)
    return await output(pod, "sh", "-c", "test -r /proc/self/status && ip -o link && id -u")


def test_where_user_namespaces_are_used_up_the_remedy_is_named() -> None:
    error = in_new_user_namespace("echo 0 > /proc/sys/user/max_user_namespaces;")["error"]
    assert "sudo sysctl -w user.max_user_namespaces=" in error
    assert "\n" not in error


def test_a_masked_proc_as_in_containers_is_no_hindrance() -> None:
    status, said = in_new_user_namespace("mount -t tmpfs mask /proc/bus;")["result"]
    assert status == 0
    assert "LOOPBACK" in said
    assert said.splitlines()[-1] == "0"


# -- what a lab consists of, seen from the machine ---------------------------------------------


def started(lab: BareLab) -> tuple[Path, dict[str, str]]:
    """The file in the state directory of a lab that is ready, and all its processes."""
    file = Path(lab.announced()["file"])
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        processes = descendants(lab.process.pid)
        if list(processes.values()).count("sleep 999") == 6:
            return file, processes
        select.select([], [], [], 0.02)
    raise AssertionError(f"not all processes have come: {processes}")


def descendants(top: int) -> dict[str, str]:
    """ "pid start-time" -> command line of a process and all below it."""
    parents: dict[int, int] = {}
    found: dict[int, tuple[str, str]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                command = entry.joinpath("cmdline").read_bytes().decode().replace("\0", " ")
                identity = identify(int(entry.name))
                fields = entry.joinpath("stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            parents[int(entry.name)] = int(fields[1])
            found[int(entry.name)] = (identity, command.strip())
    below = {top}
    while True:
        more = {pid for pid, parent in parents.items() if parent in below} - below
        if not more:
            return {found[pid][0]: found[pid][1] for pid in below}
        below |= more


def identify(pid: int) -> str:
    """A process that no later one can be taken for; raises OSError where it is gone."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return f"{pid} {fields[19]} {'gone' if fields[0] in 'ZX' else 'alive'}"


def nothing_is_left(file: Path, processes: dict[str, str]) -> None:
    """Wait until no process is alive and the state directory is gone."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        alive = [each for each in processes if is_alive(each)]
        if not alive and not file.parent.exists():
            return
        select.select([], [], [], 0.02)
    raise AssertionError(f"left: {[processes[each] for each in alive]}, {file.parent}")


def is_alive(identity: str) -> bool:
    """Whether the process that `identify` named lives."""
    try:
        return identify(int(identity.split()[0])) == identity
    except OSError:
        return False
