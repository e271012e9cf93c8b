"""What pods, nodes and DNS servers say of a name behind a private endpoint, side by side. Pure.

Owns how an answer is read, which zones are responsible for a name, and whose links count: Azure DNS
answers from the zones that are linked to the virtual network from which it is asked ("Azure docs:
private-dns-overview, private-endpoint-dns").
"""

import enum
import ipaddress
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_aksnet.expectations.addresses import is_private
from pytest_aksnet.expectations.dns import failure
from pytest_aksnet.model.azure_private import PrivateZone, ZoneGroup, ZoneLink
from pytest_aksnet.model.azure_vnet import VirtualNetwork
from pytest_aksnet.model.observation import DnsAnswer, DnsStatus

AZURE_DNS = "168.63.129.16"
COMPLETED = "Completed"
_PRIVATELINK = "privatelink"


class Said(enum.Enum):
    """What an answer comes to."""

    PRIVATE = "private"
    PUBLIC = "public"
    NOTHING = "no address"  # the name does not exist, or has no address
    UNANSWERED = "no answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class NameSeen:
    """One name and who says what of it.

    `expected` are addresses that Azure or the site file has for it, empty where none are known.
    `pods` are the answers to pods by node, `servers` those of the VNet's own DNS servers by
    address and `azure` that of Azure DNS, both asked from a node.
    """

    name: str
    expected: tuple[str, ...] = ()
    pods: Mapping[str, DnsAnswer] = field(default_factory=dict)
    servers: Mapping[str, DnsAnswer] = field(default_factory=dict)
    azure: DnsAnswer | None = None

    def said(self, answer: DnsAnswer | None) -> Said:
        """What an answer comes to; an address of the endpoint is private in whatever range."""
        if answer is None or answer.status not in (DnsStatus.NOERROR, DnsStatus.NXDOMAIN):
            return Said.UNANSWERED
        if not answer.addresses:
            return Said.NOTHING
        public = [
            one for one in answer.addresses if one not in self.expected and not is_private(one)
        ]
        return Said.PUBLIC if public else Said.PRIVATE

    @property
    def aliases(self) -> tuple[str, ...]:
        """The names that stand for it in zones: its privatelink aliases, as any answer has them.

        Azure's public DNS gives the alias, so that the name alone does not always tell the zone.
        """
        answers = (*self.pods.values(), *self.servers.values(), *filter(None, (self.azure,)))
        chains = (alias for answer in answers for alias in answer.cname_chain)
        plain = [alias.rstrip(".").lower() for alias in chains]
        if _is_privatelink(self.name):
            plain.append(self.name)
        return tuple(dict.fromkeys(one for one in plain if _is_privatelink(one)))

    @property
    def records(self) -> tuple[str, ...]:
        """The names that its records may have: its aliases, or what most services take."""
        if self.aliases:
            return self.aliases
        host, _, domain = self.name.partition(".")
        return (f"{host}.{_PRIVATELINK}.{domain}",)

    def worst_pods(self) -> tuple[Said, tuple[str, ...]]:
        """What pods get, the worst of it, and the nodes on which they do.

        Public before no address before private. Nodes without an answer do not count while others
        have one: that is for checks of DNS to say.
        """
        by_said: dict[Said, list[str]] = {}
        for node, answer in self.pods.items():
            by_said.setdefault(self.said(answer), []).append(node)
        for said in (Said.PUBLIC, Said.NOTHING, Said.PRIVATE):
            if said in by_said:
                return said, tuple(by_said[said])
        return Said.UNANSWERED, tuple(self.pods)

    def told(self) -> str:
        """Who says what, in words."""
        parts = [f"pods of {node}: {words(answer)}" for node, answer in self.pods.items()]
        parts += [f"DNS server {ip}: {words(answer)}" for ip, answer in self.servers.items()]
        if self.azure is not None:
            parts.append(f"Azure DNS: {words(self.azure)}")
        return "; ".join(parts)


def words(answer: DnsAnswer) -> str:
    """An answer's addresses, or why it has none."""
    return failure(answer) or ", ".join(answer.addresses)


def _is_privatelink(name: str) -> bool:
    return f".{_PRIVATELINK}." in f".{name}"


def zones_of(
    seen: NameSeen, zones: Iterable[PrivateZone], groups: Iterable[ZoneGroup] = ()
) -> list[PrivateZone]:
    """The zones that are responsible for a name, the longest first; `groups` name some as well."""
    named = {zone for group in groups for zone in group.zones}
    wanted = {seen.name, *seen.records}
    found = [one for one in zones if one.id in named or any(map(one.holds, wanted))]
    return sorted(found, key=lambda zone: -len(zone.name))


@dataclass(frozen=True, slots=True, kw_only=True)
class Askers:
    """From where Azure DNS is asked: ids of virtual networks.

    `own` are the cluster's. `vnets` are those whose links count, `strangers` the VNet's own DNS
    servers that are in none of the networks that are known, on premises for example.
    """

    own: tuple[str, ...]
    vnets: tuple[str, ...]
    dns_servers: tuple[str, ...] = ()
    strangers: tuple[str, ...] = ()


def askers_of(vnets: Sequence[VirtualNetwork]) -> Askers:
    """Who asks Azure DNS for the machines of these virtual networks."""
    ranges = dict(_ranges(vnets))
    asking: dict[str, None] = {}
    strangers: dict[str, None] = {}
    servers: dict[str, None] = {}
    for vnet in vnets:
        others = [ip for ip in vnet.dns_servers if ip != AZURE_DNS]
        if len(others) < len(vnet.dns_servers) or not others:
            asking[vnet.id] = None
        for ip in others:
            servers[ip] = None
            near = [one for one, cidrs in ranges.items() if _within(ip, cidrs)]
            if near:
                asking[near[0]] = None
            else:
                strangers[ip] = None
    return Askers(
        own=tuple(vnet.id for vnet in vnets),
        vnets=tuple(asking),
        dns_servers=tuple(servers),
        strangers=tuple(strangers),
    )


def known_ranges(vnets: Sequence[VirtualNetwork]) -> tuple[str, ...]:
    """The ranges of these virtual networks and of their peers."""
    return tuple(cidr for _, cidrs in _ranges(vnets) for cidr in cidrs)


def is_within(address: str, cidrs: Iterable[str]) -> bool:
    """Whether an address is in one of the ranges."""
    return _within(address, tuple(cidrs))


def _ranges(vnets: Sequence[VirtualNetwork]) -> Iterator[tuple[str, tuple[str, ...]]]:
    for vnet in vnets:
        yield vnet.id, vnet.ranges
    for vnet in vnets:
        for peering in vnet.peerings:
            if peering.remote_vnet:
                yield peering.remote_vnet, peering.remote_ranges


def _within(address: str, cidrs: Sequence[str]) -> bool:
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(cidr) for cidr in cidrs)


def in_effect(zone: PrivateZone, links: Iterable[ZoneLink], askers: Askers) -> tuple[ZoneLink, ...]:
    """The completed links of a zone to networks from which Azure DNS is asked."""
    return tuple(
        link
        for link in links
        if link.zone == zone.id and link.vnet in askers.vnets and link.state == COMPLETED
    )
