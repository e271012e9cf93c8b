"""What needs no privilege in a pod's own network: ICMP echo sockets, and ports below 1024."""

from contextlib import suppress
from pathlib import Path

_MOST_GROUPS = 2**31 - 1  # GROUP_RANGE_MAX of the kernel (include/net/ping.h)
_SETTINGS = Path("/proc/sys/net/ipv4")


def allow_pings_and_low_ports() -> None:
    """Set both for the network namespace of this process, as far as this machine lets it.

    In containers /proc/sys may be read-only; then both stay with the privileged.
    """
    groups = ping_groups(Path("/proc/self/gid_map").read_text())
    for name, value in (("ping_group_range", groups), ("ip_unprivileged_port_start", "0")):
        with suppress(OSError):
            _SETTINGS.joinpath(name).write_text(value)


def ping_groups(gid_map: str) -> str:
    """The widest range of groups that the kernel takes in a user namespace with that gid_map.

    Both ends have to be mapped, and to be in order as the first user namespace numbers them.
    """
    extents = [tuple(map(int, line.split())) for line in gid_map.splitlines()]
    low, _, _ = min(extents, key=lambda extent: extent[1])
    first, _, count = max(extents, key=lambda extent: extent[1] + extent[2])
    return f"{low} {min(first + count - 1, _MOST_GROUPS)}"
