"""Sets of namespaces as descriptors, and the identities of user namespaces."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_aksnet.lab.kernel import syscalls


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceFds:
    """Open descriptors of the namespaces that a process lives in. Whoever holds it closes them."""

    net: int
    mnt: int
    uts: int
    ipc: int
    pid: int

    @classmethod
    def of_this_process(cls) -> "NamespaceFds":
        """Those of the calling thread. Raises OSError."""
        return cls(
            net=syscalls.open_namespace("net"),
            mnt=syscalls.open_namespace("mnt"),
            uts=syscalls.open_namespace("uts"),
            ipc=syscalls.open_namespace("ipc"),
            pid=syscalls.open_namespace("pid"),
        )

    @classmethod
    def from_sequence(cls, fds: Sequence[int]) -> "NamespaceFds":
        """The reverse of `as_tuple`."""
        net, mnt, uts, ipc, pid = fds
        return cls(net=net, mnt=mnt, uts=uts, ipc=ipc, pid=pid)

    def as_tuple(self) -> tuple[int, ...]:
        """All descriptors in the order that `from_sequence` takes."""
        return (self.net, self.mnt, self.uts, self.ipc, self.pid)

    def enter(self) -> None:
        """Move the calling, single-threaded process into all but the pid namespace.

        A pid namespace is entered by forking: see `children_in`. Raises OSError.
        """
        syscalls.setns(self.net, syscalls.CLONE_NEWNET)
        syscalls.setns(self.uts, syscalls.CLONE_NEWUTS)
        syscalls.setns(self.ipc, syscalls.CLONE_NEWIPC)
        syscalls.setns(self.mnt, syscalls.CLONE_NEWNS)

    def close(self) -> None:
        """Close all of them."""
        for fd in self.as_tuple():
            os.close(fd)


def write_identity_maps(
    pid: int | str, users: Sequence[tuple[int, int]], groups: Sequence[tuple[int, int]]
) -> None:
    """Map single ids of a new user namespace, as pairs (id inside, id in the parent namespace).

    With one group setgroups(2) is denied in it, as the kernel asks of ordinary users. Raises
    OSError, e.g. where AppArmor lets the namespace be made but not be used.
    """
    process = Path("/proc", str(pid))
    if len(groups) == 1:
        process.joinpath("setgroups").write_text("deny")
    process.joinpath("gid_map").write_text("".join(f"{a} {b} 1\n" for a, b in groups))
    process.joinpath("uid_map").write_text("".join(f"{a} {b} 1\n" for a, b in users))


def is_mapped(identity: int) -> bool:
    """Whether the user namespace of this process has that user and that group."""
    return all(
        any(
            int(first) <= identity < int(first) + int(count)
            for first, _, count in map(str.split, Path("/proc/self", name).read_text().splitlines())
        )
        for name in ("uid_map", "gid_map")
    )
