"""Starts processes in sandboxes with the descriptors that kubelets need: pipes, ptys, /dev/null."""

import os
import pty
from collections.abc import Iterable, Mapping, Sequence

from pytest_aksnet.lab.contracts import ExecSession, Process, ProcessGroup, Sandbox

_NONE = -1


async def start(
    sandbox: Sandbox,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str = "/",
    stdin: bool = False,
    stdout: bool = True,
    stderr: bool = True,
    tty: bool = False,
    group: ProcessGroup | None = None,
) -> ExecSession:
    """Start a process, of the container that `group` is; what is not asked for is /dev/null.

    Raises FileNotFoundError or PermissionError as `Sandbox.spawn` does.
    """
    if tty:
        return await _start_on_terminal(sandbox, argv, env=env, cwd=cwd, stdin=stdin, group=group)
    ours: list[int] = []
    theirs: list[int] = []
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        for index, wanted in enumerate((stdin, stdout, stderr)):
            if not wanted:
                ours.append(_NONE)
                theirs.append(nothing)
                continue
            reading, writing = os.pipe()
            ours.append(writing if index == 0 else reading)
            theirs.append(reading if index == 0 else writing)
        process = await sandbox.spawn(
            argv,
            env=env,
            stdin_fd=theirs[0],
            stdout_fd=theirs[1],
            stderr_fd=theirs[2],
            cwd=cwd,
            group=group,
        )
    except BaseException:
        _close(ours)
        raise
    finally:
        _close({nothing, *theirs})
    return ExecSession(process=process, stdin_fd=ours[0], stdout_fd=ours[1], stderr_fd=ours[2])


async def _start_on_terminal(
    sandbox: Sandbox,
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: str,
    stdin: bool,
    group: ProcessGroup | None,
) -> ExecSession:
    controller, replica = pty.openpty()
    try:
        process: Process = await sandbox.spawn(
            argv,
            env={"TERM": "xterm", **env},
            stdin_fd=replica,
            stdout_fd=replica,
            stderr_fd=replica,
            cwd=cwd,
            tty=True,
            group=group,
        )
    except BaseException:
        os.close(controller)
        raise
    finally:
        os.close(replica)
    stdin_fd = os.dup(controller) if stdin else _NONE
    return ExecSession(process=process, stdin_fd=stdin_fd, stdout_fd=controller, stderr_fd=_NONE)


def _close(descriptors: Iterable[int]) -> None:
    for fd in descriptors:
        if fd >= 0:
            os.close(fd)


def start_error_text(argv: Sequence[str], error: OSError) -> str:
    """The container runtime's words for a program that cannot be executed."""
    program = argv[0] if argv else ""
    if isinstance(error, PermissionError):
        return f'exec: "{program}": permission denied'
    if "/" in program:
        return f'exec: "{program}": stat {program}: no such file or directory'
    return f'exec: "{program}": executable file not found in $PATH'
