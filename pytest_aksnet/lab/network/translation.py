"""Outbound translation: which public address and ports a machine has on the internet. Pure.

A NAT gateway of the subnet comes first, then the load balancer's outbound rule; what has neither
has no way out ("Azure docs: load-balancer-outbound-connections, nat-gateway-resource"). An outbound
rule gives each node ports of its own, by default as many as the size of the pool allows; a NAT
gateway has one supply for all. Both translate a node's primary address and the pods of a pod
subnet; secondary addresses of a NIC, as node-subnet's pods have them, have no outbound translation.
A firewall's own address is translated one to one.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_aksnet.lab.azure.resources import Subnet
from pytest_aksnet.lab.azure.state import CLUSTER_NETWORK, POD_SUBNET, AzureState
from pytest_aksnet.lab.network.ports import Port, pod_networks, subnet_of
from pytest_aksnet.lab.spec import snat_ports_by_size

FIRST_PORT = 1024
PORTS_OF_ADDRESS = 64_000
"""Ports of a public address that an outbound rule gives away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """A way out: these source networks leave as `public`, with source ports from a range."""

    sources: tuple[str, ...]
    public: str
    first_port: int = FIRST_PORT
    last_port: int = 65535


def exits(azure: AzureState, port: Port, version: int) -> list[Exit]:
    """The ways out of what a port's machine sends; none where it has no way out."""
    address = port.address(version)
    if address is None:
        return []
    if port.node is None:
        return _firewall_exit(azure, port, address) if version == 4 else []
    found = []
    for sources, subnet in _sources(azure, port, address, version):
        way = _nat_gateway(azure, subnet, sources, version) or _outbound_rule(
            azure, port, sources, version
        )
        if way is not None:
            found.append(way)
    return found


def idle_seconds(azure: AzureState) -> int:
    """After how long without a packet the edge forgets a flow to the internet."""
    minutes = 4
    if azure.outbound_rule is not None:
        minutes = azure.outbound_rule.idle_minutes
    for gateway in azure.nat_gateways.values():
        minutes = gateway.idle_minutes
    return 60 * minutes


def ports_per_node(azure: AzureState) -> int:
    """How many ports the outbound rule gives each node; 0 without such a rule."""
    rule = azure.outbound_rule
    if rule is None:
        return 0
    return rule.ports or snat_ports_by_size(len(azure.spec.nodes))


def _sources(
    azure: AzureState, port: Port, address: str, version: int
) -> Iterator[tuple[tuple[str, ...], Subnet]]:
    place = subnet_of(azure, port)
    assert place is not None
    assert port.node is not None
    network, subnet = place
    if azure.spec.mode != "pod-subnet":
        yield (address,), subnet
        return
    pods = network.subnet(POD_SUBNET)
    theirs = tuple(pod_networks(port.node, version))
    if pods.nat_gateway == subnet.nat_gateway:
        yield (address, *theirs), subnet
    else:
        yield (address,), subnet
        yield theirs, pods


def _nat_gateway(
    azure: AzureState, subnet: Subnet, sources: tuple[str, ...], version: int
) -> Exit | None:
    gateway = azure.nat_gateways.get(subnet.nat_gateway)
    public = _public(azure, gateway.public_addresses, version) if gateway else []
    return Exit(sources=sources, public=public[0]) if public else None


def _outbound_rule(
    azure: AzureState, port: Port, sources: tuple[str, ...], version: int
) -> Exit | None:
    rule = azure.outbound_rule
    public = _public(azure, rule.public_addresses, version) if rule else []
    if not public or rule is None or port.node is None or port.node.name in rule.left_out:
        return None
    count = ports_per_node(azure)
    per_address = PORTS_OF_ADDRESS // count
    number, place = divmod(port.node.index, per_address)
    if number >= len(public):
        return None  # the ports of all addresses are taken
    first = FIRST_PORT + place * count
    return Exit(
        sources=sources, public=public[number], first_port=first, last_port=first + count - 1
    )


def _firewall_exit(azure: AzureState, port: Port, address: str) -> list[Exit]:
    if port.network != CLUSTER_NETWORK or not port.forwards:
        return []
    return [
        Exit(sources=(address,), public=one.ip)
        for one in azure.public_addresses.values()
        if one.used_by.startswith("azureFirewalls/")
    ]


def _public(azure: AzureState, names: list[str], version: int) -> list[str]:
    found = [azure.public_addresses[name].ip for name in names if name in azure.public_addresses]
    return [ip for ip in found if (":" in ip) == (version == 6)]
