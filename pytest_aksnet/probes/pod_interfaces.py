"""The interfaces and default routes of a pod, as sysfs and procfs show them to any user.

One constant script, nothing interpolated: POSIX shell and cat alone. The columns of the route
tables are those of the kernel's net/ipv4/fib_trie.c and net/ipv6/route.c.
"""

import ipaddress
import re
import struct
from dataclasses import dataclass

from pytest_aksnet.model.errors import OutputUnparsable
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import PodInterfaces
from pytest_aksnet.probes.exit_status import raw_text, require_ran

_SCRIPT = """
for path in /sys/class/net/*; do
  test -r "$path/mtu" && echo "interface ${path##*/} $(cat "$path/mtu")"
done
echo routes4
cat /proc/net/route || exit 1
echo routes6
if test -e /proc/net/ipv6_route; then cat /proc/net/ipv6_route || exit 1; fi
echo end
"""
_INTERFACE = re.compile(r"interface (\S{1,64}) (\d{1,9})")
_UP, _REJECT = 0x1, 0x200  # linux/route.h: RTF_UP, RTF_REJECT
_COLUMNS4, _COLUMNS6 = 11, 10


@dataclass(frozen=True, slots=True, kw_only=True)
class InterfacesOfPod:
    """One look at the network namespace that the pod runs in."""

    @property
    def timeout_s(self) -> float:
        """When to end the command from outside (seconds)."""
        return 10.0

    def build(self) -> tuple[str, ...]:
        """The argv: sh with a constant script."""
        return ("sh", "-c", _SCRIPT)

    def parse(self, completed: Completed) -> PodInterfaces:
        """What is there. Raises ToolMissing or OutputUnparsable."""
        require_ran(completed, "sh")
        lines = completed.stdout.splitlines()
        if completed.exit_code != 0 or not lines or lines[-1] != "end":
            raise OutputUnparsable(
                "the interfaces and routes did not come to their end", raw_text(completed)
            )
        try:
            first, second = lines.index("routes4"), lines.index("routes6")
            return PodInterfaces(
                mtus=dict(_mtu(line) for line in lines[:first]),
                default4=tuple(filter(None, map(_default4, lines[first + 2 : second]))),
                default6=tuple(filter(None, map(_default6, lines[second + 1 : -1]))),
            )
        except (ValueError, struct.error) as error:
            raise OutputUnparsable(
                f"not what sysfs and procfs show: {error}", raw_text(completed)
            ) from error


def _mtu(line: str) -> tuple[str, int]:
    found = _INTERFACE.fullmatch(line)
    if found is None:
        raise ValueError(f"unknown line {line[:200]!r}")
    return found[1], int(found[2])


def _default4(line: str) -> str:
    """A line of /proc/net/route as a default route; "" if it is another one."""
    columns = line.split()
    if len(columns) != _COLUMNS4:
        raise ValueError(f"unknown route {line[:200]!r}")
    name, target, gateway, flags, mask = (columns[n] for n in (0, 1, 2, 3, 7))
    if int(target, 16) or int(mask, 16) or not _usable(int(flags, 16)):
        return ""
    # The kernel prints the address as a number of the machine's byte order.
    address = ipaddress.IPv4Address(struct.pack("=I", int(gateway, 16)))
    return f"{name} via {address}" if int(address) else name


def _default6(line: str) -> str:
    """A line of /proc/net/ipv6_route as a default route; "" if it is another one."""
    columns = line.split()
    if len(columns) != _COLUMNS6:
        raise ValueError(f"unknown IPv6 route {line[:200]!r}")
    target, bits, gateway, flags, name = (columns[n] for n in (0, 1, 4, 8, 9))
    if int(target, 16) or int(bits, 16) or not _usable(int(flags, 16)):
        return ""
    address = ipaddress.IPv6Address(int(gateway, 16))
    return f"{name} via {address}" if int(address) else name


def _usable(flags: int) -> bool:
    return bool(flags & _UP) and not flags & _REJECT
