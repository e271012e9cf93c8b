"""Ports of policies moved to where pods without privileges can listen; pure.

Order, neighbourhood and overlaps of numbers and ranges stay as they are.
"""

import copy
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from pytest_aksnet.model.policy_table import NamedPort

# Below are ports of root (net.ipv4.ip_unprivileged_port_start), above those that the kernel gives
# to clients (net.ipv4.ip_local_port_range: 32768 to 60999).
LOWEST, HIGHEST = 1024, 32767
_STEP = 10000
_WIDEST_GAP = 4

Json = Mapping[str, Any]
Range = tuple[int, int]


@dataclass(frozen=True, slots=True)
class PortMap:
    """Where numbers have gone: `starts` and `ends` map the first and last number of each range."""

    starts: Mapping[int, int]
    ends: Mapping[int, int]

    @property
    def moved(self) -> tuple[tuple[int, int], ...]:
        """The numbers that are others now, with these, in their order."""
        both = {**self.starts, **self.ends}
        return tuple((old, new) for old, new in sorted(both.items()) if old != new)

    def policy(self, policy: Json) -> dict[str, Any]:
        """A policy with its numbers moved."""
        found = copy.deepcopy(dict(policy))
        for port in _ports(found):
            number, last = port.get("port"), port.get("endPort")
            if isinstance(number, int):
                port["port"] = self.starts[number]
            if last is not None:
                port["endPort"] = self.ends[last]
        return found

    def named(self, ports: Iterable[NamedPort]) -> tuple[NamedPort, ...]:
        """Container ports with their numbers moved."""
        return tuple(replace(port, number=self.starts[port.number]) for port in ports)


def ranges_of(policies: Iterable[Json]) -> list[Range]:
    """First and last number of every port that the policies give by number."""
    return [
        (port["port"], port.get("endPort") or port["port"])
        for policy in policies
        for port in _ports(policy)
        if isinstance(port.get("port"), int)
    ]


def port_map(ranges: Sequence[Range]) -> PortMap:
    """Where the numbers of these ranges go, with room for one beside each range."""
    if not ranges:
        return PortMap({}, {})
    first, last = min(start for start, _ in ranges), max(end for _, end in ranges)
    if first > LOWEST and last < HIGHEST:
        return _shifted(ranges, 0)
    if last + _STEP < HIGHEST:
        return _shifted(ranges, _STEP)
    cuts = sorted({cut for start, end in ranges for cut in (start, end + 1)})
    place = {cuts[0]: _STEP}
    for before, cut in pairwise(cuts):
        place[cut] = place[before] + min(cut - before, _WIDEST_GAP)
    return PortMap(
        {start: place[start] for start, _ in ranges},
        {end: place[end + 1] - 1 for _, end in ranges},
    )


def _shifted(ranges: Sequence[Range], by: int) -> PortMap:
    return PortMap({start: start + by for start, _ in ranges}, {end: end + by for _, end in ranges})


def _ports(policy: Json) -> Iterator[dict[str, Any]]:
    for direction in ("ingress", "egress"):
        for rule in (policy.get("spec") or {}).get(direction) or ():
            yield from (rule or {}).get("ports") or ()
