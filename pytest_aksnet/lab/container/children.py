"""What a child of the fork server does after fork: become a program, or reap until it is killed."""

import errno
import fcntl
import os
import signal
import termios
import time
from contextlib import suppress
from typing import NoReturn

from pytest_aksnet.lab.container.requests import SpawnRequest
from pytest_aksnet.lab.kernel import syscalls
from pytest_aksnet.lab.kernel.namespaces import NamespaceFds

_DYING_SECONDS = 0.001


def fork() -> int:
    """Fork; the child starts with default signals and answers to nobody's wakeup."""
    pid = os.fork()
    if pid == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return pid


def reap_forever() -> NoReturn:
    """What the first process of a sandbox does: nothing, but for children it was left with."""
    syscalls.name_process("pause")
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    os.setsid()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    while True:
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        signal.sigwait({signal.SIGCHLD})


def kill_group(cgroup_namespace: int) -> None:
    """Kill what is in a cgroup namespace and in /proc, until nothing of it runs any more."""
    wanted = os.fstat(cgroup_namespace).st_ino
    while [pid for pid in os.listdir("/proc") if pid.isdigit() and _killed(pid, wanted)]:
        time.sleep(_DYING_SECONDS)


def _killed(pid: str, cgroup_namespace: int) -> bool:
    """Kill a process where it is in the namespace; False where it is not, or not any more."""
    # What is no process of ours (a /proc of outer processes) may not be looked at.
    with suppress(FileNotFoundError, ProcessLookupError, PermissionError):
        # A directory of /proc serves as pidfd (pidfd_send_signal(2)): numbers are taken again.
        process = os.open(f"/proc/{pid}", os.O_RDONLY | os.O_DIRECTORY)
        try:
            if os.stat("ns/cgroup", dir_fd=process).st_ino == cgroup_namespace:
                signal.pidfd_send_signal(process, signal.SIGKILL)
                return True
        finally:
            os.close(process)
    return False


def execute(
    request: SpawnRequest, standard: list[int], namespaces: NamespaceFds, trouble: int
) -> NoReturn:
    """Become the program; on failure write the errno and what it was about, and end."""
    subject = request["argv"][0]
    try:
        namespaces.enter()
        os.setsid()
        os.umask(0o022)
        _arrange(standard)
        if request["tty"]:
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
        _default_signals()
        subject = request["cwd"]
        os.chdir(subject)
        subject = request["argv"][0]
        os.execvpe(subject, request["argv"], request["env"])  # noqa: S606 - no shell is meant
    except OSError as error:
        said = f"{error.errno or errno.EIO} {subject}"
    except ValueError:
        said = f"{errno.EINVAL} {subject}"
    os.write(trouble, said.encode(errors="surrogateescape"))
    os._exit(127)


def _default_signals() -> None:
    """Ignored signals and the mask would outlive exec(2); Python itself ignores SIGPIPE."""
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    for number in signal.valid_signals():
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _arrange(standard: list[int]) -> None:
    """Make three descriptors 0, 1 and 2; the received ones lie above and close on exec."""
    for target, fd in enumerate(standard):
        os.dup2(fd, target, inheritable=True)
