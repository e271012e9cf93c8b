"""What /proc/sys/net/netfilter/nf_conntrack_max of a node shows: a FACADE.

The kernel's own value holds for the whole machine and cannot be set in a namespace. A file is
mounted over it, in the node and in its host-network pods; other pods see the kernel's. The count
beside it, nf_conntrack_count, is the node's own and real.
"""

import os

from pytest_aksnet.lab.contracts import Sandbox

SHOWN = "/proc/sys/net/netfilter/nf_conntrack_max"

_FILE = "/run/aksnet-nf_conntrack_max"
_PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}


async def show_limit(machine: Sandbox, most: int) -> None:
    """Show `most` on a node. Raises OSError where the machine refuses the mount."""
    await machine.write_file(_FILE, f"{most}\n".encode())
    await run_on(machine, "mount", "--bind", _FILE, SHOWN)


async def hide_limit(machine: Sandbox) -> None:
    """Show the kernel's value again. Raises OSError."""
    await run_on(machine, "umount", SHOWN)


async def run_on(machine: Sandbox, *argv: str) -> None:
    """Run a command on a machine. Raises OSError where it fails."""
    nothing = os.open(os.devnull, os.O_RDWR)
    try:
        process = await machine.spawn(
            argv, env=_PATH, stdin_fd=nothing, stdout_fd=nothing, stderr_fd=nothing
        )
        status = await process.wait()
    finally:
        os.close(nothing)
    if status:
        raise OSError(f"{' '.join(argv)} in {machine.name} ended with status {status}")
