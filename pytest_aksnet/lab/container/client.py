"""The runtime that controllers use: machines and pods, made by the fork server.

Implements the Protocols of `lab.contracts`. Runs in the lab's main process; many requests may be
under way at once.
"""

import asyncio
import errno
import os
import select
import signal
import socket
import stat
from collections.abc import Mapping, Sequence

from pytest_aksnet.lab.container import protocol
from pytest_aksnet.lab.container.connection import Answer, Connection, LabProcess, send_signal
from pytest_aksnet.lab.contracts import ProcessGroup, Sandbox
from pytest_aksnet.lab.kernel.namespaces import NamespaceFds

_PTY_REPLICA_MAJORS = range(136, 144)  # Documentation/admin-guide/devices.txt

_NETWORKS_AT_ONCE = 8  # descriptors that fit a message beside the sandbox's own


class LabProcessGroup:
    """Processes of a sandbox that end together (contracts.ProcessGroup)."""

    def __init__(self, sandbox: "LabSandbox", fd: int) -> None:
        """Take over `fd`, the namespace that marks them."""
        self._sandbox = sandbox
        self._fd = fd

    @property
    def fd(self) -> int:
        """What marks them. Raises ProcessLookupError where the group has ended."""
        if self._fd < 0:
            raise ProcessLookupError(errno.ESRCH, "the group has ended", self._sandbox.name)
        return self._fd

    async def end(self) -> None:
        """Kill all of them at once (SIGKILL), and wait until none runs; repeat as you like."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            try:
                await self._sandbox.end_group(fd)
            finally:
                os.close(fd)


class LabSandbox:
    """A machine or a pod (contracts.Sandbox).

    Its root file system is its own and writable, but for the trees of programs (/usr, /opt, the
    lab's Python). Its programs are root with all capabilities over its namespaces, so they may
    mount in it: a file over a file of /usr, an overlay over a directory of /sys.
    """

    def __init__(
        self, connection: Connection, name: str, fds: Sequence[int], *, owner: int | None
    ) -> None:
        """Take over the descriptors: the first process's pidfd, then its namespaces.

        `owner` is the id that pipes and ptys are given to, so that programs can open them anew.
        """
        self.name = name
        self._connection = connection
        self._first_process = fds[0]
        self._namespaces = NamespaceFds.from_sequence(fds[1:])
        self._owner = owner
        self._gone: asyncio.Future[None] | None = None
        # A pidfd is readable when the process has ended. Not select(2): it knows 1024 descriptors.
        self._end = select.poll()
        self._end.register(self._first_process, select.POLLIN)
        self.netns_fd = self._namespaces.net

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        stdin_fd: int,
        stdout_fd: int,
        stderr_fd: int,
        cwd: str = "/",
        tty: bool = False,
        group: ProcessGroup | None = None,
    ) -> LabProcess:
        """Start a process with exactly this environment; programs are looked up in its PATH.

        Raises FileNotFoundError (no such program or `cwd`), PermissionError (cannot be executed),
        ProcessLookupError (the sandbox or the group has ended), OSError.
        """
        standard = (stdin_fd, stdout_fd, stderr_fd)
        groups = (group.fd,) if isinstance(group, LabProcessGroup) else ()
        self._hand_over(standard)
        message = {"op": "spawn", "argv": [*argv], "env": dict(env), "cwd": cwd, "tty": tty}
        try:
            answer = await self._request(message, standard, groups)
        except NotADirectoryError as error:
            raise FileNotFoundError(error.errno, error.strerror, error.filename) from None
        except OSError as error:
            if error.errno == errno.ENOEXEC:
                raise PermissionError(error.errno, error.strerror, error.filename) from None
            raise
        if answer.process is None:
            raise ConnectionError("the fork server started no process")
        return answer.process

    async def new_group(self) -> LabProcessGroup:
        """A group without processes. Raises OSError."""
        answer = await self._connection.request({"op": "group"}, ())
        return LabProcessGroup(self, answer.fds[0])

    async def end_group(self, fd: int) -> None:
        """Kill what `fd` marks and wait for its end; nothing to do in a sandbox that has ended."""
        try:
            await self._request({"op": "end group"}, (), (fd,))
        except OSError:
            if not self._has_ended():
                raise

    async def write_file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Put a file in place as a whole, its directories included; a link there is replaced.

        Raises OSError, e.g. EROFS below a tree of programs.
        """
        await self.write_files({path: (content, mode)})

    async def write_files(
        self, files: Mapping[str, tuple[bytes, int]], directories: Sequence[str] = ()
    ) -> None:
        """Put many files in place, each with its mode, after making directories for everybody.

        Raises OSError, also where a directory cannot be made.
        """
        message = {
            "op": "write",
            "directories": [*directories],
            "files": protocol.pack_files({path: content for path, (content, _) in files.items()}),
            "modes": {path: mode for path, (_, mode) in files.items()},
        }
        await self._request(message, ())

    async def bind(
        self, other: Sandbox, source: str, target: str, *, kind: str = "", read_only: bool = False
    ) -> None:
        """Find a path of another sandbox here, with all that is mounted below it.

        `kind` is the type of a hostPath volume. Raises OSError where the path is not of that type.
        """
        if not isinstance(other, LabSandbox):
            raise TypeError("the other sandbox was made by another runtime")
        message = {
            "op": "bind",
            "source": source,
            "target": target,
            "kind": kind,
            "read_only": read_only,
        }
        await self._request(message, (), (other.namespaces.mnt,))

    async def name_networks(self, added: Mapping[str, Sandbox], removed: Sequence[str]) -> None:
        """Have names in /run/netns for the networks of other sandboxes, and forget names.

        A name keeps a network alive. Raises OSError.
        """
        names = list(added)
        for start in range(0, max(len(names), 1), _NETWORKS_AT_ONCE):
            part = names[start : start + _NETWORKS_AT_ONCE]
            message = {
                "op": "name networks",
                "added": part,
                "removed": [] if start else [*removed],
            }
            await self._request(message, (), tuple(added[name].netns_fd for name in part))

    async def destroy(self) -> None:
        """Kill everything in it at once (SIGKILL) and give up its namespaces; repeat as you like.

        Returns when nothing runs in it any more, pods of a machine included. The pods' own
        sandboxes still want their `destroy` to close their descriptors.
        """
        if self._gone is not None:
            await asyncio.shield(self._gone)
            return
        loop = asyncio.get_running_loop()
        gone = self._gone = loop.create_future()
        send_signal(self._first_process, signal.SIGKILL)
        # The first process of a pid namespace ends last.
        loop.add_reader(self._first_process, self._release, gone)
        await asyncio.shield(gone)

    def _release(self, gone: "asyncio.Future[None]") -> None:
        asyncio.get_running_loop().remove_reader(self._first_process)
        os.close(self._first_process)
        self._namespaces.close()
        self.netns_fd = -1
        gone.set_result(None)

    @property
    def namespaces(self) -> NamespaceFds:
        """Its namespaces. Raises ProcessLookupError where it has ended."""
        if self._has_ended():
            raise self._ended_error()
        return self._namespaces

    def _has_ended(self) -> bool:
        # A pod ends with its machine, and nobody calls its `destroy` for that.
        return self._gone is not None or bool(self._end.poll(0))

    def _ended_error(self) -> ProcessLookupError:
        return ProcessLookupError(errno.ESRCH, "the sandbox has ended", self.name)

    async def _request(
        self, message: Mapping[str, object], fds: Sequence[int], groups: Sequence[int] = ()
    ) -> Answer:
        namespaces = self.namespaces.as_tuple()
        try:
            return await self._connection.request(message, (*fds, *namespaces, *groups))
        except OSError as error:
            # What fork(2) says in a pid namespace whose first process has ended.
            if error.errno == errno.ENOMEM and self._has_ended():
                raise self._ended_error() from None
            raise

    def _hand_over(self, fds: Sequence[int]) -> None:
        """Let the sandbox's user open /dev/stdout and its kin: they ask for the owner's rights."""
        if self._owner is None:
            return
        for fd in fds:
            status = os.fstat(fd)
            pty = stat.S_ISCHR(status.st_mode) and os.major(status.st_rdev) in _PTY_REPLICA_MAJORS
            if (pty or stat.S_ISFIFO(status.st_mode)) and status.st_uid == os.getuid():
                os.fchown(fd, self._owner, self._owner)


class LabRuntime:
    """Makes sandboxes (contracts.Runtime). One per lab, in the running event loop."""

    def __init__(self, connection: socket.socket, *, owner: int | None = None) -> None:
        """Talk to the fork server over `connection`.

        `owner`: the sandboxes' user as this process's user namespace numbers it, where that is
        not this process's own.
        """
        self._connection = Connection(connection)
        self._owner = owner

    async def create_machine(
        self, name: str, *, hostname: str, etc: Mapping[str, bytes]
    ) -> LabSandbox:
        """A machine with network, mount, pid, uts and ipc namespaces of its own.

        Loopback and everything else in its network is down. Raises OSError.
        """
        return await self._create(name, hostname, etc, None, share_network=False)

    async def create_pod(
        self,
        machine: Sandbox,
        name: str,
        *,
        hostname: str,
        etc: Mapping[str, bytes],
        host_network: bool,
    ) -> LabSandbox:
        """A pod in a machine: its processes are seen there, with a /proc, /etc... of their own.

        With `host_network` it has the machine's network namespace and a /sys that shows it.
        Raises OSError; ProcessLookupError where the machine has ended.
        """
        if not isinstance(machine, LabSandbox):
            raise TypeError("the machine was made by another runtime")
        return await self._create(name, hostname, etc, machine, share_network=host_network)

    async def _create(
        self,
        name: str,
        hostname: str,
        etc: Mapping[str, bytes],
        machine: LabSandbox | None,
        *,
        share_network: bool,
    ) -> LabSandbox:
        message = {
            "op": "create",
            "hostname": hostname,
            "etc": protocol.pack_files(etc),
            "share_network": share_network,
            # containerd 2 does so for pods: enable_unprivileged_icmp, enable_unprivileged_ports.
            "unprivileged": machine is not None and not share_network,
        }
        fds = machine.namespaces.as_tuple() if machine is not None else ()
        answer = await self._connection.request(message, fds)
        return LabSandbox(self._connection, name, answer.fds, owner=self._owner)
