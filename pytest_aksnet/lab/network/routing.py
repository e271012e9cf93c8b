"""Effective routes as tables of the fabric's kernel. Pure.

Each subnet has a table, and so have the sites behind a gateway. A packet is looked up in the table
of where it comes from; a route that Azure would deliver itself ends the search there (`throw`) and
the main table, which knows every machine, delivers. Pods of an overlay are a routing domain of
their own that only nodes look at, before any user-defined route ("AKS docs:
concepts-network-azure-cni-overlay").
"""

import ipaddress
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_aksnet.lab.azure.routes import (
    APPROVED,
    EffectiveRoute,
    effective_routes,
    networks_of_site,
)
from pytest_aksnet.lab.azure.state import CLUSTER_NETWORK, NODE_SUBNET, POD_SUBNET, AzureState
from pytest_aksnet.lab.kernel import route_requests
from pytest_aksnet.lab.kernel.route_requests import MAIN_TABLE
from pytest_aksnet.lab.network.ports import Port, is_forwarding, node_mark, pod_networks
from pytest_aksnet.lab.spec import LabSpec, NodeSpec

OVERLAY_TABLE = 500
TUNNEL_MTU = 1400  # bytes of a packet to a site ("Azure docs: virtual-network-tcpip-tuning")

_FIRST_SUBNET_TABLE, _SITE_TABLE, _FIRST_NODE_TABLE = 600, 700, 1000
_UNMARKED, _MARKED, _PLAIN, _OVERLAY, _HOSTS, _NODES = 10, 50, 100, 110, 150, 200

THROW = "throw"
BLACKHOLE = "blackhole"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a route stands: the table and the network that it leads to."""

    table: int
    prefix: str


@dataclass(frozen=True, slots=True)
class Way:
    """Where it leads: to the machine with address `via` by a port, or `throw` or `blackhole`."""

    port: str
    via: str | None = None
    mtu: int | None = None


Routes = Mapping[Place, Way]


def rules(azure: AzureState, ports: list[Port]) -> list[bytes]:
    """The requests that make packets look in the table of where they come from. Sent once."""
    spec = azure.spec
    tables = _tables(azure)
    made: list[bytes] = []
    for version in (4, 6) if spec.dual_stack else (4,):
        # Packets without a mark need not be compared with that of every node.
        made += [
            route_requests.rule(priority=_UNMARKED, mark=0, goto=_PLAIN, version=version),
            route_requests.rule(priority=_PLAIN, version=version),
        ]
        made += [
            route_requests.rule(
                priority=_MARKED,
                mark=node_mark(node),
                table=_FIRST_NODE_TABLE + node.index,
                version=version,
            )
            for node in spec.nodes
        ]
        pods = spec.pod_cidr if version == 4 else spec.pod_cidr6
        nodes = spec.node_subnet if version == 4 else spec.node_subnet6
        public = spec.load_balancer_range if version == 4 else spec.load_balancer_range6
        if spec.mode == "overlay":
            made += [
                route_requests.rule(
                    priority=_OVERLAY, source=source, destination=pods, table=OVERLAY_TABLE
                )
                for source in (nodes, pods)
            ]
        made += [
            route_requests.rule(
                priority=_HOSTS,
                from_link=port.name,
                table=tables[port.network, port.subnet] if port.network else _SITE_TABLE,
                version=version,
            )
            for port in ports
            if port.node is None and port.domain != "internet"
        ]
        sources = [nodes, public, *([pods] if spec.pods_have_cidr else [])]
        made += [
            route_requests.rule(
                priority=_NODES, source=source, table=tables[CLUSTER_NETWORK, NODE_SUBNET]
            )
            for source in sources
        ]
    if spec.mode == "pod-subnet":
        made.append(
            route_requests.rule(
                # Pods of this subnet have its routes, whatever those of the nodes' subnet are.
                priority=_NODES,
                source=spec.pod_subnet,
                table=tables[CLUSTER_NETWORK, POD_SUBNET],
            )
        )
    return made


def subnet_routes(azure: AzureState, ports: list[Port]) -> dict[Place, Way]:
    """What the tables of subnets and sites hold."""
    owners = {address: port for port in ports for address in (port.ip, port.ip6) if address}
    tables = _tables(azure)
    found: dict[Place, Way] = {}
    for (network_name, subnet_name), table in tables.items():
        network = azure.networks[network_name]
        for route in effective_routes(azure, network, network.subnet(subnet_name)):
            if route.state == "Active":
                way = _way(azure, route, owners)
                if way is not None:
                    found[Place(table, route.prefix)] = way
    found[Place(_SITE_TABLE, "0.0.0.0/0")] = Way(BLACKHOLE)
    for name in azure.sites:
        for network in networks_of_site(azure, name):
            for prefix in network.prefixes:
                if ":" not in prefix:  # sites have IPv4 only
                    found[Place(_SITE_TABLE, prefix)] = Way(THROW)
    return found


def machine_routes(azure: AzureState, ports: list[Port]) -> dict[Place, Way]:
    """What the main table and those of the load balancer's flows hold of machines themselves."""
    dead = {
        endpoint.ip for endpoint in azure.private_endpoints.values() if endpoint.status != APPROVED
    }
    found = {Place(MAIN_TABLE, "0.0.0.0/0"): Way(BLACKHOLE)}
    if azure.spec.dual_stack:
        found[Place(MAIN_TABLE, "::/0")] = Way(BLACKHOLE)
    for port in ports:
        mtu = TUNNEL_MTU if port.domain == "on-prem" else None
        way = Way(BLACKHOLE) if port.ip in dead else Way(port.name, mtu=mtu)
        found[Place(MAIN_TABLE, f"{port.ip}/32")] = way
        if port.ip6 is not None:
            found[Place(MAIN_TABLE, f"{port.ip6}/128")] = Way(port.name)
        if port.node is not None:
            table = _FIRST_NODE_TABLE + port.node.index
            found[Place(table, "0.0.0.0/0")] = Way(port.name, port.ip)
            if port.ip6 is not None:
                found[Place(table, "::/0")] = Way(port.name, port.ip6)
    return found


def pod_routes(spec: LabSpec, node: NodeSpec, port: Port) -> Iterator[tuple[Place, Way]]:
    """Azure's own knowledge of where the pods of a node are; kubenet has route tables instead."""
    if spec.mode == "kubenet":
        return
    table = OVERLAY_TABLE if spec.mode == "overlay" else MAIN_TABLE
    for version in (4, 6):
        address = port.address(version)
        if address is not None:
            for prefix in pod_networks(node, version):
                yield Place(table, prefix), Way(port.name, address)


def requests(current: Routes, wanted: Routes, links: Mapping[str, int]) -> list[bytes]:
    """The requests that bring the kernel from one set of routes to another.

    `links` are the indices of the ports by name; what leads to a port that is not there is left
    out, so ask again with the same `wanted` when there are more.
    """
    made = []
    for place, way in wanted.items():
        if current.get(place) == way:
            continue
        if way.port == THROW:
            made.append(route_requests.throw(place.prefix, table=place.table))
        elif way.port == BLACKHOLE:
            made.append(route_requests.blackhole(place.prefix, table=place.table))
        else:
            made.append(
                route_requests.route(
                    place.prefix,
                    links[way.port],
                    gateway=way.via,
                    onlink=way.via is not None,
                    table=place.table,
                    mtu=way.mtu,
                )
            )
    made += [
        route_requests.delete_route(place.prefix, table=place.table)
        for place in current
        if place not in wanted
    ]
    return made


def _way(azure: AzureState, route: EffectiveRoute, owners: Mapping[str, Port]) -> Way | None:
    if ":" in route.prefix and not azure.spec.dual_stack:
        return None
    if route.next_hop_type == "VirtualAppliance":
        port = owners.get(route.next_hop_ip)
        if port is None or not is_forwarding(azure, port):
            return Way(BLACKHOLE)  # nobody there, or a NIC without IP forwarding
        return Way(port.name, route.next_hop_ip)
    if route.next_hop_type == "None" or (
        route.next_hop_type in ("Internet", "VirtualNetworkGateway")
        and route.source == "User"
        and not _is_delivered(azure, route)
    ):
        return Way(BLACKHOLE)
    return Way(THROW)


def _is_delivered(azure: AzureState, route: EffectiveRoute) -> bool:
    """Whether the main table has nothing for a user's prefix that its next hop would not have."""
    network = ipaddress.ip_network(route.prefix)
    sites = [prefix for site in azure.sites.values() if site.connected for prefix in site.prefixes]
    if route.next_hop_type == "Internet":
        private = [*sites, *(one for net in azure.networks.values() for one in net.prefixes)]
        return network.prefixlen == 0 or not any(
            ipaddress.ip_network(prefix).overlaps(network)
            for prefix in private
            if ipaddress.ip_network(prefix).version == network.version
        )
    return any(
        isinstance(network, ipaddress.IPv4Network)
        and network.subnet_of(ipaddress.IPv4Network(prefix))
        for prefix in sites
    )


def _tables(azure: AzureState) -> dict[tuple[str, str], int]:
    places = [
        (network.name, subnet.name)
        for network in azure.networks.values()
        for subnet in network.subnets
    ]
    return {place: _FIRST_SUBNET_TABLE + number for number, place in enumerate(places)}
