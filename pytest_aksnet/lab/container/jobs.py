"""What a child of the fork server does in other namespaces, once, before it answers and ends.

Every job is a request of `requests` with its descriptors, and runs in a child of its own: it may
change namespaces and the mask of file modes, and be slow. Raises what goes wrong.
"""

import os
import socket
from typing import NoReturn

from pytest_aksnet.lab.container import children, protocol, rootfs, unprivileged
from pytest_aksnet.lab.container.requests import (
    NAMESPACES,
    BindRequest,
    CreateRequest,
    GroupRequest,
    NamesRequest,
    WriteRequest,
)
from pytest_aksnet.lab.kernel import syscalls
from pytest_aksnet.lab.kernel.namespaces import NamespaceFds

_SANDBOX_NAMESPACES = (
    syscalls.CLONE_NEWNS | syscalls.CLONE_NEWUTS | syscalls.CLONE_NEWIPC | syscalls.CLONE_NEWPID
)


class Jobs:
    """Answers on `connection`; sandboxes see the `trees` of the template."""

    def __init__(self, connection: socket.socket, trees: tuple[str, ...]) -> None:
        self._connection = connection
        self._trees = trees

    def write(self, request: WriteRequest, fds: list[int]) -> None:
        """Put directories and files in place in a sandbox."""
        NamespaceFds.from_sequence(fds).enter()
        os.umask(0o022)
        for path in request["directories"]:
            os.makedirs(path, exist_ok=True)
            os.chmod(path, 0o777)
        for path, content in protocol.unpack_files(request["files"]).items():
            rootfs.replace_file(path, content, request["modes"][path])
        protocol.answer(self._connection, request["id"])

    def bind(self, request: BindRequest, fds: list[int]) -> None:
        """Have a path of another sandbox in a sandbox."""
        os.umask(0o022)
        syscalls.setns(fds[NAMESPACES], syscalls.CLONE_NEWNS)
        rootfs.require_host_path(request["source"], request["kind"])
        is_directory = os.path.isdir(request["source"])
        tree = syscalls.copy_mount(request["source"], read_only=request["read_only"])
        NamespaceFds.from_sequence(fds[:NAMESPACES]).enter()
        rootfs.make_mount_point(request["target"], is_directory=is_directory)
        syscalls.attach_mount(tree, request["target"])
        protocol.answer(self._connection, request["id"])

    def name_networks(self, request: NamesRequest, fds: list[int]) -> None:
        """Name networks in /run/netns of a sandbox, and forget names."""
        NamespaceFds.from_sequence(fds[:NAMESPACES]).enter()
        rootfs.forget_networks(request["removed"])
        rootfs.name_networks(dict(zip(request["added"], fds[NAMESPACES:], strict=True)))
        protocol.answer(self._connection, request["id"])

    def end_group(self, request: GroupRequest, fds: list[int]) -> None:
        """Kill the processes of a group."""
        NamespaceFds.from_sequence(fds[:NAMESPACES]).enter()
        children.kill_group(fds[NAMESPACES])
        protocol.answer(self._connection, request["id"])

    def create(self, request: CreateRequest, fds: list[int]) -> None:
        """Make a sandbox: ends with status 0 once its first process has answered."""
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
            protocol.answer(self._connection, request["id"], fds=[itself, *namespaces.as_tuple()])
        except BaseException as error:
            protocol.answer(self._connection, request["id"], error=protocol.describe_error(error))
            os.write(settling, b".")
            os._exit(1)
        os.write(settling, b".")
        children.reap_forever()
