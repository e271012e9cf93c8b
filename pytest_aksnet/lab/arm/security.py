"""Which rule of a network security group decides about a packet. Pure.

"Azure docs: network-security-groups-overview": rules in order of priority, the first that matches
decides; the default rules come last.
"""

import ipaddress
from collections.abc import Iterable, Mapping

from pytest_aksnet.lab.arm.ids import resource_id
from pytest_aksnet.lab.azure.resources import SecurityGroup, SecurityRule
from pytest_aksnet.lab.azure.security_rules import Addresses, ordered_rules, resolve

GROUPS = "Microsoft.Network/networkSecurityGroups"


def group_id(group: SecurityGroup) -> str:
    """The id of a network security group."""
    return resource_id(group.resource_group, GROUPS, group.name)


def deciding_rule(
    group: SecurityGroup,
    tags: Mapping[str, Addresses],
    *,
    direction: str,
    protocol: str,
    source: tuple[str, int],
    destination: tuple[str, int],
) -> SecurityRule:
    """The rule that decides about packets between two (address, port).

    `direction` is Inbound or Outbound, `tags` are what service tags mean in this place.
    """
    for rule in ordered_rules(group, direction):
        if (
            rule.protocol.casefold() in ("*", protocol.casefold())
            and _has_address(resolve(rule.sources, tags), source[0])
            and _has_port(rule.source_ports, source[1])
            and _has_address(resolve(rule.destinations, tags), destination[0])
            and _has_port(rule.destination_ports, destination[1])
        ):
            return rule
    raise AssertionError("the last default rule matches everything")


def _has_address(wanted: Iterable[Addresses | None], ip: str) -> bool:
    address = ipaddress.ip_address(ip)
    for one in wanted:
        if one is None:
            return True
        within = any(
            address in ipaddress.ip_network(network, strict=False) for network in one.networks
        )
        if within != one.others:
            return True
    return False


def _has_port(wanted: Iterable[str], port: int) -> bool:
    for one in wanted:
        first, _, last = one.partition("-")
        if one == "*" or int(first) <= port <= int(last or first):
            return True
    return False
