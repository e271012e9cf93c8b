"""Microsoft.Network: effective routes and effective security rules of a network interface.

For interfaces of their own only: those of a uniform scale set are no networkInterfaces, so what is
asked of them is not found, as in Azure.
"""

from collections.abc import Mapping

from aiohttp import web

from pytest_aksnet.lab.arm.documents import Document, reference
from pytest_aksnet.lab.arm.interfaces import INTERFACES, Interface, interfaces
from pytest_aksnet.lab.arm.kinds import Call, Provider
from pytest_aksnet.lab.arm.network_security import rule_properties
from pytest_aksnet.lab.arm.network_vnets import subnet_id
from pytest_aksnet.lab.arm.security import group_id
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.azure.resources import SecurityRule, Subnet, VirtualNetwork
from pytest_aksnet.lab.azure.routes import EffectiveRoute, effective_routes
from pytest_aksnet.lab.azure.security_rules import (
    DEFAULT_RULES,
    LOAD_BALANCER,
    VIRTUAL_NETWORK,
    Addresses,
    tag_values,
)


def interface_of(world: World, document: Document) -> Interface:
    """The interface that a document tells of."""
    return next(one for one in interfaces(world) if one.id == document["id"])


def place_of(world: World, interface: Interface) -> tuple[VirtualNetwork, Subnet]:
    """Where an interface stands."""
    network = world.azure.networks[interface.network]
    return network, network.subnet(interface.subnet)


def routes_of(world: World, interface: Interface) -> list[EffectiveRoute]:
    """The routes that hold for an interface."""
    return effective_routes(world.azure, *place_of(world, interface))


def _routes(call: Call) -> web.Response:
    async def work() -> Document:
        routes = routes_of(call.world, interface_of(call.world, call.parent))
        return {
            "value": [
                {
                    **({"name": route.name} if route.name else {}),
                    "source": route.source,
                    "state": route.state,
                    "addressPrefix": [route.prefix],
                    "nextHopType": route.next_hop_type,
                    "nextHopIpAddress": [route.next_hop_ip] if route.next_hop_ip else [],
                    "disableBgpRoutePropagation": False,
                }
                for route in routes
            ]
        }

    return call.begin(work())


def _rules(call: Call) -> web.Response:
    async def work() -> Document:
        world = call.world
        interface = interface_of(world, call.parent)
        network, subnet = place_of(world, interface)
        tags = tag_values(world.azure, network, subnet)
        group = world.azure.security_groups.get(subnet.security_group)
        if group is None:
            return {"value": []}
        return {
            "value": [
                {
                    "networkSecurityGroup": reference(group_id(group)),
                    "association": {"subnet": reference(subnet_id(network, subnet.name))},
                    "effectiveSecurityRules": [
                        *(_rule(tags, "securityRules", one) for one in group.rules),
                        *(_rule(tags, "defaultSecurityRules", one) for one in DEFAULT_RULES),
                    ],
                    "tagMap": {
                        tag: list(tags[tag].networks) for tag in (VIRTUAL_NETWORK, LOAD_BALANCER)
                    },
                }
            ]
        }

    return call.begin(work())


def _rule(tags: Mapping[str, Addresses], kind: str, rule: SecurityRule) -> Document:
    """Ports as FIRST-LAST and prefixes spelled out, as effective rules have them."""
    document = {"name": f"{kind}/{rule.name}", **rule_properties(rule)}
    document["protocol"] = "All" if rule.protocol == "*" else rule.protocol
    for field, ports in (
        ("sourcePortRange", rule.source_ports),
        ("destinationPortRange", rule.destination_ports),
    ):
        document[f"{field}s"] = ranges = [_range(port) for port in ports]
        document[field] = ranges[0]
    for side, prefixes in (("source", rule.sources), ("destination", rule.destinations)):
        document[f"{side}AddressPrefix"] = _prefix(prefixes[0])
        document[f"{side}AddressPrefixes"] = [_prefix(prefix) for prefix in prefixes]
        expanded = [
            one
            for prefix in prefixes
            if prefix in tags and not tags[prefix].others
            for one in tags[prefix].networks
        ]
        if expanded:
            document[f"expanded{side.capitalize()}AddressPrefix"] = expanded
    return document


def _range(port: str) -> str:
    return "0-65535" if port == "*" else port if "-" in port else f"{port}-{port}"


def _prefix(prefix: str) -> str:
    return "0.0.0.0/0" if prefix == "*" else prefix


PROVIDER = Provider(
    actions={
        f"{INTERFACES}/effectiveRouteTable": _routes,
        f"{INTERFACES}/effectiveNetworkSecurityGroups": _rules,
    }
)
