"""Reads texts of /proc/net as the kernel writes them. Pure; a text that is none is a ValueError.

Columns and names differ between kernels, so everything is read by its heading.
"""

from collections.abc import Iterator


def conntrack_stat(text: str) -> dict[str, int]:
    """The counters of /proc/net/stat/nf_conntrack, summed over the CPUs; `entries` is not summed.

    A heading, then one line of hexadecimal numbers per CPU. `entries` is the whole table's in each
    (Linux: net/netfilter/nf_conntrack_standalone.c).
    """
    heading, *lines = text.splitlines()
    names = heading.split()
    rows = [[int(word, 16) for word in line.split()] for line in lines]
    if "entries" not in names or not rows or any(len(row) != len(names) for row in rows):
        raise ValueError("not the columns of nf_conntrack")
    summed = {
        name: sum(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)
    }
    summed["entries"] = rows[0][names.index("entries")]
    return summed


def protocol_counters(text: str) -> dict[str, int]:
    """The counters of /proc/net/snmp and /proc/net/netstat, such as "Tcp.RetransSegs".

    Pairs of lines with the same prefix: names, then numbers (Linux: net/ipv4/proc.c).
    """
    found: dict[str, int] = {}
    lines = iter(text.splitlines())
    for heading in lines:
        found |= dict(_pair(heading, next(lines, "")))
    if not found:
        raise ValueError("no counters")
    return found


def _pair(heading: str, values: str) -> Iterator[tuple[str, int]]:
    (prefix, *names), (same, *numbers) = heading.split(), values.split() or [""]
    if prefix != same or not prefix.endswith(":") or len(names) != len(numbers):
        raise ValueError(f"{prefix!r} is not followed by its numbers")
    for name, number in zip(names, numbers, strict=True):
        yield f"{prefix}{name}".replace(":", "."), int(number)


def default_interface(text: str) -> str:
    """The interface of the first default route in /proc/net/route, empty where there is none."""
    heading, *lines = text.splitlines()
    names = heading.split()
    interface, destination, mask = (names.index(name) for name in ("Iface", "Destination", "Mask"))
    for line in lines:
        fields = line.split()
        if int(fields[destination], 16) == 0 and int(fields[mask], 16) == 0:
            return fields[interface]
    return ""
