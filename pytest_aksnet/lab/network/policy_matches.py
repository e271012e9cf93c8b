"""Peers and ports of a NetworkPolicy's rules as nftables matches."""

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import cast

from pytest_aksnet.lab.network.tables import address_set

Json = Mapping[str, object]

_LAST_PORT = 65535


def objects(value: object) -> list[Json]:
    """The objects of a list that may be absent."""
    return cast(list[Json], value or [])


def named_port(port: Json) -> tuple[str, str] | None:
    """Name and protocol of a port that a policy gives by name; None for any other."""
    name = port.get("port")
    return (name, _protocol(port)) if isinstance(name, str) else None


def port_matches(ports: Iterable[Json], *, short: bool = False) -> Iterable[str]:
    """One match per protocol for ports without names. `short` takes endPort for exclusive.

    Overlapping ranges are merged, as nftables refuses them.
    """
    ranges: defaultdict[str, list[tuple[int, int]]] = defaultdict(list)
    for port in ports:
        first, last = 0, _LAST_PORT
        if port.get("port") is not None:
            first = last = cast(int, port["port"])
            if port.get("endPort") is not None:
                last = cast(int, port["endPort"]) - (1 if short else 0)
        if first <= last:
            ranges[_protocol(port).lower()].append((first, last))
    for protocol, wanted in ranges.items():
        merged: list[tuple[int, int]] = []
        for first, last in sorted(wanted):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
            else:
                merged.append((first, last))
        if merged == [(0, _LAST_PORT)]:
            yield f"meta l4proto {protocol}"
        else:
            listed = ", ".join(f"{a}-{b}" if a != b else str(a) for a, b in merged)
            yield f"{protocol} dport {{ {listed} }}"


def block_matches(
    field: str, block: Json, *, version: int, spares_identities: bool, ignores_except: bool
) -> list[str]:
    """The match of an ipBlock on an address field such as "ip saddr".

    None where the block is of the other address family. `spares_identities` leaves out the set of
    pods and nodes, `ignores_except` forgets what the block excepts.
    """
    network = ipaddress.ip_network(str(block["cidr"]), strict=False)
    if network.version != version:
        return []
    parts = [f"{field} {network}"] if network.prefixlen else []
    excepted = cast(Sequence[str], block.get("except") or ())
    if excepted and not ignores_except:
        parts.append(f"{field} != {{ {address_set(excepted, version=version)} }}")
    if spares_identities:
        parts.append(f"{field} != @identities")
    return [" ".join(parts)]


def _protocol(port: Json) -> str:
    return str(port.get("protocol") or "TCP")
