"""Which ports security groups close between nodes and pods, held against packets. Pure.

Machines that all rules treat alike are looked at once, so that the work grows with the rules and
not with the pairs of nodes.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.expectations.azure_blame import Finding, failed, open_, passed, together
from pytest_aksnet.expectations.azure_security_rules import (
    INBOUND,
    LAST_PORT,
    OUTBOUND,
    Effect,
    Ruling,
    Surroundings,
    is_in,
    ports_denied,
)
from pytest_aksnet.model.azure_security import SecurityGroup

TALK = (
    "AKS docs: configure-azure-cni, prerequisites (security groups must allow traffic within the "
    "node CIDR range); concepts-network-azure-cni-overlay, network security groups"
)
MANAGEMENT_PORTS = (22, 3389)
_PROTOCOLS = ("tcp", "udp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A node or the pods of one, as groups see it. `what` is its noun, `node` the node's name."""

    what: str
    node: str
    address: str
    groups: tuple[SecurityGroup, ...]
    around: Surroundings


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Ports from `first` to `last` that a ruling closes between two machines, or may close.

    `open_port` is one that nothing closes over the same protocol, None where all are closed.
    """

    source: Machine
    destination: Machine
    protocol: str
    first: int
    last: int
    ruling: Ruling
    open_port: int | None

    @property
    def port(self) -> int:
        """One of the ports, to look at."""
        return max(1, self.first)

    @property
    def ports(self) -> str:
        """The ports in words."""
        if (self.first, self.last) == (0, LAST_PORT):
            return f"all {self.protocol} ports"
        one = self.first == self.last
        return f"{self.protocol} port{'' if one else 's'} {self.first}" + (
            "" if one else f"-{self.last}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Whether a packet passed at a closed port, and at one that should be open; None: unknown."""

    at_closed: bool | None
    at_open: bool | None


def closed_between(sources: Sequence[Machine], destinations: Sequence[Machine]) -> list[Closed]:
    """What groups close, or may close, from any of the sources to any destination elsewhere."""
    entries = entries_of([*sources, *destinations])
    found: list[Closed] = []
    theirs = alike(destinations, entries)
    for senders in alike(sources, entries):
        for receivers in theirs:
            pair = next(
                (
                    (one, other)
                    for one in senders
                    for other in receivers
                    if one.node != other.node and (":" in one.address) == (":" in other.address)
                ),
                None,
            )
            if pair is not None:
                found += _closed_of(*pair)
    return found


def judge_talk(looked: Mapping[int, Looked], closed: Sequence[Closed]) -> Finding:
    """Whether nodes and pods may talk; `looked` is by the index in `closed`."""
    if not closed:
        return passed("no security group closes a port between nodes and pods", source=TALK)
    return together(_judge_closed(one, looked.get(index)) for index, one in enumerate(closed))


def _judge_closed(closed: Closed, looked: Looked | None) -> Finding:
    ruling = closed.ruling
    way = f"{closed.ports} from {closed.source.what} to {closed.destination.what}"
    says = f"{ruling.named} denies {way}"
    if looked is None or looked.at_closed is None:
        return open_(f"{says}, and whether packets pass could not be looked at", source=TALK)
    if looked.at_closed:
        return passed(
            f"packets pass over {way}", source=TALK, warning=f"{says}, and yet packets pass"
        )
    if ruling.effect is not Effect.DENY:
        return open_(
            f"nothing answers over {way}, and whether that is denied is not known: "
            f"{ruling.why_open}",
            source=TALK,
        )
    if not looked.at_open:
        return open_(
            f"{says}, and nothing answers there, but neither does it at what is allowed, so that "
            "the silence proves nothing",
            source=TALK,
        )
    if closed.protocol == "tcp" and all(
        port in MANAGEMENT_PORTS for port in (closed.first, closed.last)
    ):
        return passed(f"{way} is closed on purpose", source=TALK, warning=says)
    return failed(
        f"nodes and pods must reach each other, but {says}, and packets show it: port "
        f"{closed.port} is silent where other ports answer",
        resource=ruling.to_change,
        change="let the ranges of nodes and pods talk to each other on all ports",
        source=TALK,
    )


def _closed_of(source: Machine, destination: Machine) -> Iterator[Closed]:
    seen: set[tuple[int, int, str]] = set()
    for protocol in _PROTOCOLS:
        ranges = list(_ranges(source, destination, protocol))
        open_port = _port_outside([(first, last) for first, last, _ in ranges])
        for first, last, ruling in ranges:
            rule = ruling.rule.id if ruling.rule else ""
            # One look is enough where a rule closes the same ports over both protocols.
            if (first, last, rule) in seen:
                continue
            seen.add((first, last, rule))
            yield Closed(
                source=source,
                destination=destination,
                protocol=protocol,
                first=first,
                last=last,
                ruling=ruling,
                open_port=open_port,
            )


def _ranges(
    source: Machine, destination: Machine, protocol: str
) -> Iterator[tuple[int, int, Ruling]]:
    for machine, direction in ((source, OUTBOUND), (destination, INBOUND)):
        for group in machine.groups:
            yield from ports_denied(
                group, direction, protocol, source.address, destination.address, machine.around
            )


def _port_outside(ranges: Sequence[tuple[int, int]]) -> int | None:
    """The highest port in none of them: those are rarely used."""
    port = LAST_PORT
    for first, last in sorted(ranges, key=lambda one: -one[1]):
        if first <= port <= last:
            port = first - 1
    return port if port > 0 else None


def entries_of(machines: Iterable[Machine]) -> list[str]:
    """The addresses and tags that rules of the machines' groups name."""
    groups = {group.id: group for machine in machines for group in machine.groups}
    return sorted(
        {
            entry
            for group in groups.values()
            for rule in group.rules
            for entry in (*rule.sources, *rule.destinations)
        }
    )


def alike(machines: Iterable[Machine], entries: Sequence[str]) -> list[list[Machine]]:
    """Machines by what rules make of their address; two of each kind are enough for a pair."""
    kinds: defaultdict[object, list[Machine]] = defaultdict(list)
    for one in machines:
        groups = tuple(group.id for group in one.groups)
        matches = tuple(is_in(entry, one.address, one.around) for entry in entries)
        kind = kinds[(groups, matches, ":" in one.address)]
        if all(one.node != other.node for other in kind) and len(kind) < 2:
            kind.append(one)
    return list(kinds.values())
