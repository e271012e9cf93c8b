"""What happens inside a lab's namespaces until its main coroutine runs; see `boot` for the whole.

Two user namespaces, one in the other. The lab's own maps root to whoever started it. The
sandboxes' maps root to the same ordinary user or, where root started the lab, to nobody: so no
program of a sandbox has the rights of the machine's root over anything. It is made after the
template's read-only mounts, which are locked in it for that reason.
"""

import json
import os
import select
import shutil
import signal
import socket
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from pytest_aksnet.lab.container import requirements, rootfs
from pytest_aksnet.lab.container.context import BootContext, LabMain, Listeners
from pytest_aksnet.lab.container.forkserver import ForkServer
from pytest_aksnet.lab.container.requirements import LabRefused
from pytest_aksnet.lab.kernel import namespaces, seccomp, syscalls

NOBODY = 65534
"""The machine's user and group that sandboxes have where root started the lab."""
SANDBOX_USER = 1
"""How the lab's own user namespace numbers that user."""

_LAB_NAMESPACES = (
    syscalls.CLONE_NEWUSER
    | syscalls.CLONE_NEWNS
    | syscalls.CLONE_NEWNET
    | syscalls.CLONE_NEWPID
    | syscalls.CLONE_NEWUTS
    | syscalls.CLONE_NEWIPC
)
_NEWS_BYTES = 65_536


def become_guard(
    load_main: Callable[[], LabMain],
    listeners: Listeners,
    state_dir: Path,
    told: socket.socket,
    hold: int,
) -> NoReturn:
    """Enter the lab's namespaces, start its first process, and end it at end of file on `hold`.

    Ends with status 0 where the main coroutine returned.
    """
    with _ending_the_process(told):
        signal.set_wakeup_fd(-1)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        os.setsid()
        syscalls.name_process("aksnet-lab guard")
        sandbox_user = SANDBOX_USER if os.geteuid() == 0 and namespaces.is_mapped(NOBODY) else 0
        with requirements.refusals_name(requirements.namespace_remedy):
            syscalls.unshare(_LAB_NAMESPACES)
            syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
            _tell(told, {"unshared": bool(sandbox_user)})
            refused = json.loads(told.recv(_NEWS_BYTES))["errno"]
            if refused:
                raise OSError(refused, os.strerror(refused))
            first = os.fork()
        if first == 0:
            os.close(hold)
            _become_first_process(load_main, listeners, state_dir, told, sandbox_user)
        for listener in listeners:
            listener.close()
        told.close()
        _wait_for(hold, first, state_dir)


def _wait_for(hold: int, first: int, state_dir: Path) -> NoReturn:
    pidfd = os.pidfd_open(first)
    ready, _, _ = select.select([hold, pidfd], [], [])
    if hold in ready:
        os.kill(first, signal.SIGKILL)
    _, status = os.waitpid(first, 0)
    shutil.rmtree(state_dir, ignore_errors=True)
    os._exit(0 if status == 0 else 1)


def _become_first_process(
    load_main: Callable[[], LabMain],
    listeners: Listeners,
    state_dir: Path,
    told: socket.socket,
    sandbox_user: int,
) -> NoReturn:
    with _ending_the_process(told):
        syscalls.prctl(syscalls.PR_SET_PDEATHSIG, signal.SIGKILL)
        syscalls.name_process("aksnet-lab init")
        with requirements.refusals_name(requirements.namespace_remedy):
            rootfs.make_private()
            rootfs.mount_kernel_views()
        ours, servers = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        fork_server = _start_fork_server(state_dir, told, servers, (ours, *listeners), sandbox_user)
        servers.close()
        main = os.fork()
        if main == 0:
            _become_main(load_main, listeners, state_dir, told, ours, sandbox_user)
        for unwanted in (ours, *listeners, told):
            unwanted.close()
        while True:
            pid, status = os.wait()
            if pid == main:
                os._exit(0 if status == 0 else 1)
            if pid == fork_server:
                os._exit(1)


def _start_fork_server(
    state_dir: Path,
    told: socket.socket,
    connection: socket.socket,
    unwanted: tuple[socket.socket, ...],
    sandbox_user: int,
) -> int:
    """Start it in a pid namespace of the sandboxes' user namespace, which takes two forks."""
    reading, writing = os.pipe()
    parent = os.fork()
    if parent == 0:
        with _ending_the_process(told):
            for each in unwanted:
                each.close()
            with requirements.refusals_name(_root_file_system_remedy):
                trees = rootfs.read_only_trees()
                _enter_sandboxes_namespaces(state_dir, trees, sandbox_user)
            pid = os.fork()
            if pid:
                os.write(writing, str(pid).encode())
                os._exit(0)
            told.close()
            os.close(writing)
            _serve(connection, trees)
    os.close(writing)
    with open(reading, "rb") as pipe:
        pid_of_server = pipe.read()
    os.waitpid(parent, 0)
    if not pid_of_server:
        # It has told why.
        os._exit(1)
    return int(pid_of_server)


def _root_file_system_remedy(error: OSError) -> str:
    return (
        f"the lab cannot make root file systems ({error.filename or 'mount'}: {error.strerror}):"
        " use a kernel of 5.12 or later with overlayfs"
    )


def _enter_sandboxes_namespaces(state_dir: Path, trees: tuple[str, ...], user: int) -> None:
    syscalls.unshare(syscalls.CLONE_NEWNS)
    etc = os.open("/etc", os.O_RDONLY | os.O_DIRECTORY)
    rootfs.build_template(str(state_dir), trees)
    if user:
        os.setgroups([])
        os.setresgid(user, user, user)
        os.setresuid(user, user, user)
    syscalls.unshare(
        syscalls.CLONE_NEWUSER
        | syscalls.CLONE_NEWNS
        | syscalls.CLONE_NEWPID
        | syscalls.CLONE_NEWCGROUP
    )
    # The files in /proc that set up the namespace are root's otherwise.
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 1)
    namespaces.write_identity_maps("self", [(0, user)], [(0, user)])
    rootfs.copy_etc(etc)
    os.close(etc)


def _serve(connection: socket.socket, trees: tuple[str, ...]) -> NoReturn:
    syscalls.name_process("aksnet-lab fork")
    os.setsid()
    nothing = os.open("/dev/null", os.O_RDWR)
    for target in range(3):
        os.dup2(nothing, target)
    # Also what the lab's starter let it inherit: no program of a sandbox is to have that.
    os.closerange(3, connection.fileno())
    os.closerange(connection.fileno() + 1, os.sysconf("SC_OPEN_MAX"))
    seccomp.pretend_identity_changes()
    # No program of a sandbox may look into this process or a first process: their memory,
    # environment and descriptors come from outside.
    syscalls.prctl(syscalls.PR_SET_DUMPABLE, 0)
    ForkServer(connection, trees).serve()
    # The lab's main process has ended. Whether well, its status says: wait to be killed.
    while True:
        signal.pause()


def _become_main(
    load_main: Callable[[], LabMain],
    listeners: Listeners,
    state_dir: Path,
    told: socket.socket,
    connection: socket.socket,
    sandbox_user: int,
) -> NoReturn:
    with _ending_the_process(told):
        syscalls.name_process("aksnet-lab main")
        os.setsid()
        requirements.check_network()
        # Only now, so that no other process of the lab carries them.
        import asyncio

        from pytest_aksnet.lab.container.client import LabRuntime

        lab_main = load_main()

        async def main() -> None:
            await lab_main(
                BootContext(
                    runtime=LabRuntime(connection, owner=sandbox_user or None),
                    listeners=listeners,
                    state_dir=state_dir,
                    announce=lambda message: _tell(told, message),
                )
            )

        asyncio.run(main())
        sys.stdout.flush()
        os._exit(0)


def _tell(told: socket.socket, message: Mapping[str, object]) -> None:
    told.send(json.dumps(dict(message)).encode())


@contextmanager
def _ending_the_process(told: socket.socket) -> Iterator[None]:
    """Tell an exception of the block in one line, and end the process without its clean-up."""
    try:
        yield
    except LabRefused as error:
        _tell(told, {"error": str(error)})
    except BaseException as error:
        traceback.print_exc()
        text = " ".join(f"{type(error).__name__}: {error}".split())
        _tell(told, {"error": f"the lab failed: {text}"})
    os._exit(1)
