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
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

from pytest_aksnet.lab.container import children, protocol
from pytest_aksnet.lab.container.jobs import Jobs
from pytest_aksnet.lab.container.requests import (
    NAMESPACES,
    BindRequest,
    CreateRequest,
    GroupRequest,
    NamesRequest,
    SpawnRequest,
    WriteRequest,
)
from pytest_aksnet.lab.kernel import syscalls
from pytest_aksnet.lab.kernel.namespaces import NamespaceFds

_DIED = {"errno": errno.EIO, "text": "the process that worked on it was killed", "path": ""}


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
        self._work = Jobs(connection, trees)
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
                self._job(create["id"], fds, lambda: self._work.create(create, fds))
            elif message["op"] == "group":
                self._new_group(cast(GroupRequest, message))
            elif message["op"] == "end group":
                end = cast(GroupRequest, message)
                self._job(end["id"], fds, lambda: self._work.end_group(end, fds))
            elif message["op"] == "bind":
                bind = cast(BindRequest, message)
                self._job(bind["id"], fds[:NAMESPACES], lambda: self._work.bind(bind, fds))
            elif message["op"] == "name networks":
                names = cast(NamesRequest, message)
                self._job(
                    names["id"], fds[:NAMESPACES], lambda: self._work.name_networks(names, fds)
                )
            else:
                write = cast(WriteRequest, message)
                self._job(write["id"], fds, lambda: self._work.write(write, fds))
        except OSError as error:
            protocol.answer(
                self._connection, cast(int, message["id"]), error=protocol.describe_error(error)
            )
        finally:
            for fd in fds:
                os.close(fd)

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
            protocol.answer(
                self._connection, starting.request, error=protocol.describe_error(error)
            )
        else:
            self._running.add(pid)
            protocol.answer(self._connection, starting.request, pid=pid, fds=[starting.pidfd])
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
                protocol.answer(self._connection, request, error=_DIED)

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
            protocol.answer(self._connection, request["id"], fds=[group])
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
            protocol.answer(self._connection, request, error=protocol.describe_error(error))
        os._exit(0)
