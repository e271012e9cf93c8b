"""Network security groups as chains of the fabric's table. Pure.

A group judges what begins a flow; what belongs to a known one passes, as Azure's groups keep flow
records ("Azure docs: network-security-groups-overview"). In the chains `return` is Allow.
"""

import itertools
from collections.abc import Mapping

from pytest_aksnet.lab.azure.resources import SecurityGroup, SecurityRule
from pytest_aksnet.lab.azure.security_rules import (
    PLATFORM_TAGS,
    Addresses,
    ordered_rules,
    resolve,
    tag_values,
)
from pytest_aksnet.lab.azure.state import CLUSTER_NETWORK, POD_SUBNET, AzureState
from pytest_aksnet.lab.network.ports import Port, of_version, subnet_of
from pytest_aksnet.lab.network.tables import Chains

IP = {4: "ip", 6: "ip6"}
_ICMP = {4: "icmp", 6: "ipv6-icmp"}
_INBOUND, _OUTBOUND = "Inbound", "Outbound"


class SecurityChains:
    """Adds the chains of groups to `chains` as ports need them, for one IP version."""

    def __init__(self, azure: AzureState, chains: Chains, version: int) -> None:
        self._azure = azure
        self._chains = chains
        self._version = version
        self._made: dict[tuple[str, str, str], str] = {}

    def leaving(self, port: Port) -> list[str]:
        """Rules that judge what a port's machine begins with others."""
        return self._of_port(port, _OUTBOUND, "saddr")

    def arriving(self, port: Port) -> list[str]:
        """Rules that judge what others begin with a port's machine."""
        return self._of_port(port, _INBOUND, "daddr")

    def to_platform(self, port: Port) -> list[str]:
        """Rules that judge what a machine begins with Azure's own addresses.

        Only rules that name a platform tag hold for these.
        """
        lines = []
        for group, tags in self._groups(port):
            rules = [
                rule
                for rule in ordered_rules(group, _OUTBOUND)
                if set(rule.destinations) & set(PLATFORM_TAGS)
            ]
            lines += [line for rule in rules for line in rule_lines(rule, tags, self._version)]
        return lines

    def _groups(self, port: Port) -> list[tuple[SecurityGroup, Mapping[str, Addresses]]]:
        found = []
        place = subnet_of(self._azure, port)
        places = [place] if place else []
        if port.node is not None and self._azure.spec.mode == "pod-subnet":
            network = self._azure.networks[CLUSTER_NETWORK]
            places.append((network, network.subnet(POD_SUBNET)))
        for network, subnet in places:
            group = self._azure.security_groups.get(subnet.security_group)
            if group is not None:
                found.append((group, tag_values(self._azure, network, subnet)))
        return found

    def _of_port(self, port: Port, direction: str, side: str) -> list[str]:
        place = subnet_of(self._azure, port)
        if place is None:
            return []
        network, subnet = place
        lines = []
        own = self._chain(network.name, subnet.name, direction)
        if port.node is None or self._azure.spec.mode != "pod-subnet":
            return [f"jump {own}"] if own else []
        pods = network.subnet(POD_SUBNET)
        theirs = self._chain(network.name, pods.name, direction)
        ip = IP[self._version]
        if own:
            lines.append(f"{ip} {side} != {pods.prefix} jump {own}")
        if theirs:
            lines.append(f"{ip} {side} {pods.prefix} jump {theirs}")
        return lines

    def _chain(self, network_name: str, subnet_name: str, direction: str) -> str:
        place = network_name, subnet_name, direction
        if place not in self._made:
            self._made[place] = self._make_chain(*place)
        return self._made[place]

    def _make_chain(self, network_name: str, subnet_name: str, direction: str) -> str:
        network = self._azure.networks[network_name]
        subnet = network.subnet(subnet_name)
        group = self._azure.security_groups.get(subnet.security_group)
        if group is None:
            return ""
        tags = tag_values(self._azure, network, subnet)
        lines = [
            line
            for rule in ordered_rules(group, direction)
            for line in rule_lines(rule, tags, self._version)
        ]
        return self._chains.add("group", *lines)


def rule_lines(rule: SecurityRule, tags: Mapping[str, Addresses], version: int) -> list[str]:
    """A rule as rules of nftables: none where it says nothing of that IP version."""
    verdict = "return" if rule.access == "Allow" else "drop"
    sources = _matches("saddr", resolve(rule.sources, tags), version)
    destinations = _matches("daddr", resolve(rule.destinations, tags), version)
    ports = _ports(rule, version)
    return [
        " ".join(part for part in (*pair, ports, verdict) if part)
        for pair in itertools.product(sources, destinations)
    ]


def _matches(side: str, entries: list[Addresses | None], version: int) -> list[str]:
    found = []
    for entry in entries:
        if entry is None:
            found.append("")
            continue
        networks = of_version(entry.networks, version)
        if "0.0.0.0/0" in networks or "::/0" in networks:
            found += [] if entry.others else [""]
        elif networks:
            unlike = "!= " if entry.others else ""
            found.append(f"{IP[version]} {side} {unlike}{{ {', '.join(networks)} }}")
        elif entry.others:
            found.append("")
    return found


def _ports(rule: SecurityRule, version: int) -> str:
    protocol = rule.protocol.lower()
    if protocol == "icmp":
        return f"meta l4proto {_ICMP[version]}"
    known = "*" not in rule.source_ports, "*" not in rule.destination_ports
    if protocol == "*" and not any(known):
        return ""
    parts = [f"meta l4proto {{ {'tcp, udp' if protocol == '*' else protocol} }}"]
    for side, ports, given in (
        ("sport", rule.source_ports, known[0]),
        ("dport", rule.destination_ports, known[1]),
    ):
        if given:
            parts.append(f"th {side} {{ {', '.join(ports)} }}")
    return " ".join(parts)
