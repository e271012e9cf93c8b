"""Effective routes of a subnet: what Azure makes of system routes, gateways and route tables. Pure.

The longest prefix wins; of equal prefixes a user-defined route, then one of a gateway, then a
system route; private endpoints are routes of their own ("Azure docs: virtual-networks-udr-overview,
private-endpoint-overview").
"""

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pytest_aksnet.lab.azure.resources import Peering, Subnet, VirtualNetwork
from pytest_aksnet.lab.azure.state import AzureState

DEFAULT = "Default"
GATEWAY = "VirtualNetworkGateway"
USER = "User"
APPROVED = "Approved"
CONNECTED = "Connected"

# What a virtual network drops unless its own routes say otherwise.
_UNUSED = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
_PRECEDENCE = (USER, GATEWAY, DEFAULT)


@dataclass(frozen=True, slots=True, kw_only=True)
class EffectiveRoute:
    """One effective route, with the words of ARM's EffectiveRoute.

    `next_hop_type` is VnetLocal, VNetPeering, InterfaceEndpoint, Internet, VirtualAppliance,
    VirtualNetworkGateway or None; `state` Invalid where another route of the same prefix wins.
    """

    prefix: str
    next_hop_type: str
    next_hop_ip: str = ""
    source: str = DEFAULT
    state: str = "Active"
    name: str = ""


def effective_routes(
    azure: AzureState, network: VirtualNetwork, subnet: Subnet
) -> list[EffectiveRoute]:
    """All routes of a subnet, those that lose included, in the order in which they take effect."""
    routes = [*_system_routes(azure, network), *_user_routes(azure, subnet)]
    routes.sort(key=lambda one: (_rank(one), one.prefix))
    best: dict[str, str] = {}
    for route in routes:
        best.setdefault(route.prefix, route.source)
    return [
        route if best[route.prefix] == route.source else replace(route, state="Invalid")
        for route in routes
    ]


def next_hop(routes: list[EffectiveRoute], address: str) -> EffectiveRoute | None:
    """The route that an address takes; None where it has none, as IPv6 within IPv4 routes."""
    wanted = ipaddress.ip_address(address)
    found = [
        route
        for route in routes
        if route.state == "Active" and wanted in ipaddress.ip_network(route.prefix)
    ]
    return max(found, key=lambda one: ipaddress.ip_network(one.prefix).prefixlen, default=None)


def connected_peers(azure: AzureState, network: VirtualNetwork) -> list[VirtualNetwork]:
    """The networks that a network is peered with, both sides being connected."""
    return [
        azure.networks[peering.remote_network]
        for peering in network.peerings
        if _way_back(azure, network, peering) is not None
    ]


def site_prefixes(azure: AzureState, network: VirtualNetwork) -> list[str]:
    """Prefixes of the connected sites that a network reaches by its own or its peer's gateway."""
    owners = {network.name}
    owners |= {
        peering.remote_network
        for peering in network.peerings
        if peering.use_remote_gateways and _way_back(azure, network, peering) is not None
    }
    return [
        prefix
        for site in azure.sites.values()
        if site.connected and site.network in owners
        for prefix in site.prefixes
    ]


def networks_of_site(azure: AzureState, name: str) -> list[VirtualNetwork]:
    """The networks that a site reaches; none while it is not connected."""
    site = azure.sites[name]
    return [
        network
        for network in azure.networks.values()
        if set(site.prefixes) & set(site_prefixes(azure, network))
    ]


def _way_back(
    azure: AzureState, network: VirtualNetwork, peering: Peering
) -> VirtualNetwork | None:
    remote = azure.networks.get(peering.remote_network)
    if remote is None or peering.state != CONNECTED:
        return None
    back = any(
        other.remote_network == network.name and other.state == CONNECTED
        for other in remote.peerings
    )
    return remote if back else None


def _system_routes(azure: AzureState, network: VirtualNetwork) -> Iterator[EffectiveRoute]:
    local = set(network.prefixes)
    for prefix in network.prefixes:
        yield EffectiveRoute(prefix=prefix, next_hop_type="VnetLocal")
    peers = connected_peers(azure, network)
    for peer in peers:
        for prefix in peer.prefixes:
            yield EffectiveRoute(prefix=prefix, next_hop_type="VNetPeering")
    near = {one.name for one in (network, *peers)}
    for endpoint in azure.private_endpoints.values():
        owner = azure.network_of_subnet(endpoint.subnet)
        if owner.name in near and endpoint.status == APPROVED:
            yield EffectiveRoute(prefix=f"{endpoint.ip}/32", next_hop_type="InterfaceEndpoint")
    for prefix in site_prefixes(azure, network):
        yield EffectiveRoute(
            prefix=prefix,
            next_hop_type=GATEWAY,
            next_hop_ip=azure.gateway_ip,
            source=GATEWAY,
        )
    yield EffectiveRoute(prefix="0.0.0.0/0", next_hop_type="Internet")
    if any(":" in prefix for prefix in local):
        yield EffectiveRoute(prefix="::/0", next_hop_type="Internet")
    for prefix in _UNUSED:
        if prefix not in local:
            yield EffectiveRoute(prefix=prefix, next_hop_type="None")


def _user_routes(azure: AzureState, subnet: Subnet) -> Iterator[EffectiveRoute]:
    table = azure.route_tables.get(subnet.route_table)
    for route in table.routes if table else ():
        yield EffectiveRoute(
            prefix=route.prefix,
            next_hop_type=route.next_hop_type,
            next_hop_ip=route.next_hop_ip,
            source=USER,
            name=route.name,
        )


def _rank(route: EffectiveRoute) -> tuple[int, int]:
    length = ipaddress.ip_network(route.prefix).prefixlen
    return -length, _PRECEDENCE.index(route.source)
