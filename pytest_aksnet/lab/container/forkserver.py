"""The fork server: one small, single-threaded process that starts every process of every sandbox.

It was forked before asyncio was imported, lives in the template's root with the sandboxes'
identity, and keeps no state beyond the children it has yet to report. What has to happen in other
namespaces happens in a child, so that one slow request holds up no other.

A new process of a sandbox is its child, not the sandbox's: it enters the pid namespace by fork,
and its exit status can be had by waitpid(2). The first process of a sandbox does nothing but
reap; with it the kernel ends the whole sandbox.

Processes of one container have a cgroup namespace of their own, as on a real node. What they start
inherits it, also what leaves session and parents, so it tells whose a process is.
"""

import errno
import gc
import os
import selectors
import signal
import socket
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import NoReturn, TypedDict, cast

from pytest_aksnet.lab.container import children, protocol, rootfs, unprivileged
from pytest_aksnet.lab.container.children import SpawnRequest
from pytest_aksnet.lab.kernel import syscalls
from pytest_aksnet.lab.kernel.namespaces import NamespaceFds

NAMESPACES = 5
"""How many descriptors `NamespaceFds` has: they follow a request's other descriptors."""

_SANDBOX_NAMESPACES = (
    syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWPID
)
_DIED = {"errno": errno.EIO, "text": "the process that worked on it was killed", "path": ""}


class CreateRequest(TypedDict):
    """A new sandbox; inside the namespaces that come with it, if any.

    `unprivileged`: in its own network, pings and low ports need no privilege.
    """

    op: str
    id: int
    hostname: str
    etc: dict[str, str]
    share_network: bool
    unprivileged: bool


class GroupRequest(TypedDict):
    """A new group of processes, or the end of the one that comes after the namespaces."""

    op: str
    id: int


class WriteRequest(TypedDict):
    """Directories and files to be put in place in the namespaces that come with it.

    `files` maps paths to contents, `modes` the same paths to permissions.
    """

    op: str
    id: int
    directories: list[str]
    files: dict[str, str]
    modes: dict[str, int]


class BindRequest(TypedDict):
    """A path of another sandbox to be found in this one, whose namespaces come first.

    The other's mount namespace comes after them. `kind` is as in a hostPath volume.
    """

    op: str
    id: int
    source: str
    target: str
    kind: str
    read_only: bool


class NamesRequest(TypedDict):
    """Network namespaces to be named in /run/netns of the namespaces that come first.

    A descriptor of each of `added` follows them, in that order; `removed` are to be forgotten.
    """

    op: str
    id: int
    added: list[str]
    removed: list[str]


@dataclass(slots=True)
class _Starting:
    """A process between fork and exec. `pipe` says an error, or closes by a successful exec."""

    request: int
    pid: int
    pidfd: int
    pipe: int


class ForkServer:
    """Serves one connection until it ends."""

    def __init__(self, connection: socket.socket, trees: tuple[str, ...]) -> None:
        """Serve `connection`; sandboxes see the `trees` of the template."""
        self._connection = connection
        self._trees = trees
        self._home = syscalls.open_namespace("pid")
        self._no_group = syscalls.open_namespace("cgroup")
        self._selector = selectors.DefaultSelector()
        self._starting: dict[int, _Starting] = {}
        self._running: set[int] = set()
        self._jobs: dict[int, int] = {}

    def serve(self) -> None:
        """Answer requests; returns when the other side is gone."""
        woken, wake = socket.socketpair()
        for end in (woken, wake):
            end.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._connection, selectors.EVENT_READ)
        self._selector.register(woken, selectors.EVENT_READ)
        # What is there now will never be garbage; collections would copy shared pages.
        gc.collect()
        gc.freeze()
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._connection:
                    received = protocol.receive(self._connection)
                    if received is None:
                        return
                    self._handle(*received)
                elif key.fileobj is woken:
                    with suppress(BlockingIOError):
                        woken.recv(4096)
                    self._reap()
                elif key.data in self._starting:
                    self._started(key.data)

    def _handle(self, message: protocol.Message, fds: list[int]) -> None:
        try:
            if message["op"] == "spawn":
                self._spawn(cast(SpawnRequest, message), fds)
            elif message["op"] == "create":
                create = cast(CreateRequest, message)
                self._job(create["id"], fds, lambda: self._create(create, fds))
            elif message["op"] == "group":
                self._new_group(cast(GroupRequest, message))
            elif message["op"] == "end group":
                end = cast(GroupRequest, message)
                self._job(end["id"], fds, lambda: self._end_group(end, fds))
            elif message["op"] == "bind":
                bind = cast(BindRequest, message)
                self._job(bind["id"], fds[:NAMESPACES], lambda: self._bind(bind, fds))
            elif message["op"] == "name networks":
                names = cast(NamesRequest, message)
                self._job(names["id"], fds[:NAMESPACES], lambda: self._name_networks(names, fds))
            else:
                write = cast(WriteRequest, message)
                self._job(write["id"], fds, lambda: self._write(write, fds))
        except OSError as error:
            self._answer(message["id"], error=protocol.describe_error(error))
        finally:
            for fd in fds:
                os.close(fd)

    def _answer(
        self,
        request: object,
        *,
        error: Mapping[str, object] | None = None,
        pid: int = 0,
        fds: Sequence[int] = (),
    ) -> None:
        message = {"id": request, "error": error, "pid": pid}
        protocol.send(self._connection, message, fds)

    # -- processes -----------------------------------------------------------------------

    def _spawn(self, request: SpawnRequest, fds: list[int]) -> None:
        namespaces = NamespaceFds.from_sequence(fds[3 : 3 + NAMESPACES])
        groups = fds[3 + NAMESPACES :]
        reading, writing = os.pipe()
        try:
            pid = self._fork_in(namespaces.pid, groups[0] if groups else self._no_group)
            if pid == 0:
                children.execute(request, fds[:3], namespaces, writing)
        except OSError:
            os.close(reading)
            raise
        finally:
            os.close(writing)
        starting = _Starting(request["id"], pid, os.pidfd_open(pid), reading)
        self._starting[pid] = starting
        self._selector.register(reading, selectors.EVENT_READ, pid)

    def _started(self, pid: int) -> None:
        starting = self._starting.pop(pid)
        self._selector.unregister(starting.pipe)
        with open(starting.pipe, "rb") as pipe:
            trouble = pipe.read()
        if trouble:
            number, _, path = trouble.decode(errors="surrogateescape").partition(" ")
            error = OSError(int(number), os.strerror(int(number)), path)
            self._answer(starting.request, error=protocol.describe_error(error))
        else:
            self._running.add(pid)
            self._answer(starting.request, pid=pid, fds=[starting.pidfd])
        os.close(starting.pidfd)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid in self._starting:
                self._started(pid)
            if pid in self._running:
                self._running.discard(pid)
                code = os.waitstatus_to_exitcode(status)
                ended = {"exited": pid, "status": code if code >= 0 else 128 - code}
                protocol.send(self._connection, ended)
            request = self._jobs.pop(pid, None)
            if request is not None and status != 0:
                self._answer(request, error=_DIED)

    def _fork_in(self, pid_namespace: int, group: int) -> int:
        """Fork a child into a pid namespace below this process's own, and into a group.

        It is in the group from its first moment: no end of the group can miss it.
        """
        pid = -1
        try:
            syscalls.setns(pid_namespace, syscalls.CLONE_NEWPID)
            syscalls.setns(group, syscalls.CLONE_NEWCGROUP)
            pid = children.fork()
        finally:
            if pid != 0:
                syscalls.setns(self._home, syscalls.CLONE_NEWPID)
                syscalls.setns(self._no_group, syscalls.CLONE_NEWCGROUP)
        return pid

    def _new_group(self, request: GroupRequest) -> None:
        syscalls.unshare(syscalls.CLONE_NEWCGROUP)
        group = syscalls.open_namespace("cgroup")
        try:
            syscalls.setns(self._no_group, syscalls.CLONE_NEWCGROUP)
            self._answer(request["id"], fds=[group])
        finally:
            os.close(group)

    # -- jobs: children that answer themselves ---------------------------------------------

    def _job(self, request: int, fds: list[int], work: Callable[[], None]) -> None:
        inside = fds[NAMESPACES - 1] if fds else -1
        pid = self._fork_in(inside, self._no_group) if inside >= 0 else children.fork()
        if pid:
            self._jobs[pid] = request
            return
        try:
            work()
        except BaseException as error:
            self._answer(request, error=protocol.describe_error(error))
        os._exit(0)

    def _write(self, request: WriteRequest, fds: list[int]) -> None:
        NamespaceFds.from_sequence(fds).enter()
        os.umask(0o022)
        for path in request["directories"]:
            os.makedirs(path, exist_ok=True)
            os.chmod(path, 0o777)
        for path, content in protocol.unpack_files(request["files"]).items():
            rootfs.replace_file(path, content, request["modes"][path])
        self._answer(request["id"])

    def _bind(self, request: BindRequest, fds: list[int]) -> None:
        os.umask(0o022)
        syscalls.setns(fds[NAMESPACES], syscalls.CLONE_NEWNS)
        rootfs.require_host_path(request["source"], request["kind"])
        is_directory = os.path.isdir(request["source"])
        tree = syscalls.copy_mount(request["source"], read_only=request["read_only"])
        NamespaceFds.from_sequence(fds[:NAMESPACES]).enter()
        rootfs.make_mount_point(request["target"], is_directory=is_directory)
        syscalls.attach_mount(tree, request["target"])
        self._answer(request["id"])

    def _name_networks(self, request: NamesRequest, fds: list[int]) -> None:
        NamespaceFds.from_sequence(fds[:NAMESPACES]).enter()
        rootfs.forget_networks(request["removed"])
        rootfs.name_networks(dict(zip(request["added"], fds[NAMESPACES:], strict=True)))
        self._answer(request["id"])

    def _end_group(self, request: GroupRequest, fds: list[int]) -> None:
        NamespaceFds.from_sequence(fds[:NAMESPACES]).enter()
        children.kill_group(fds[NAMESPACES])
        self._answer(request["id"])

    def _create(self, request: CreateRequest, fds: list[int]) -> None:
        flags = _SANDBOX_NAMESPACES
        if request["share_network"]:
            syscalls.setns(NamespaceFds.from_sequence(fds).net, syscalls.CLONE_NEWNET)
        else:
            flags |= syscalls.CLONE_NEWNET
        syscalls.unshare(flags)
        settled, settling = os.pipe()
        if children.fork() == 0:
            self._become_first_process(request, settling)
        os.close(settling)
        # Nothing said: it was killed before it could answer, and the status tells the server so.
        os._exit(0 if os.read(settled, 1) else 1)

    def _become_first_process(self, request: CreateRequest, settling: int) -> NoReturn:
        try:
            os.umask(0o022)
            etc = protocol.unpack_files(request["etc"])
            rootfs.enter_new_root(self._trees, request["hostname"], etc)
            if request["unprivileged"]:
                unprivileged.allow_pings_and_low_ports()
            namespaces = NamespaceFds.of_this_process()
            itself = os.pidfd_open(os.getpid())
            self._answer(request["id"], fds=[itself, *namespaces.as_tuple()])
        except BaseException as error:
            self._answer(request["id"], error=protocol.describe_error(error))
            os.write(settling, b".")
            os._exit(1)
        os.write(settling, b".")
        children.reap_forever()
