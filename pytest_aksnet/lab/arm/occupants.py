"""Who has which address of the virtual networks: interfaces, frontends, endpoints, pods."""

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_aksnet.lab.arm.balancers import frontends
from pytest_aksnet.lab.arm.ids import resource_id
from pytest_aksnet.lab.arm.interfaces import interfaces
from pytest_aksnet.lab.arm.places import locate
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.azure.state import CLUSTER_NETWORK, FIREWALL_SUBNET, POD_SUBNET
from pytest_aksnet.lab.spec import RESOURCE_GROUP

FIREWALL_ID = resource_id(RESOURCE_GROUP, "Microsoft.Network/azureFirewalls", "firewall")


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupant:
    """An address and its owner's id, an IP configuration.

    `endpoint` is the id of the private endpoint that it is of, "" for none.
    """

    ip: str
    owner: str
    network: str
    subnet: str
    endpoint: str = ""


def occupants(world: World) -> list[Occupant]:
    """All of them. IPv4: Azure counts no IPv6 addresses of a subnet."""
    return list(_occupants(world))


def _occupants(world: World) -> Iterator[Occupant]:
    for interface in interfaces(world):
        for number, ip in enumerate(interface.ips):
            yield Occupant(
                ip=ip,
                owner=interface.configuration_id(number),
                network=interface.network,
                subnet=interface.subnet,
                endpoint=interface.endpoint,
            )
    for host in world.spec.hosts:
        if host.role == "firewall":
            place = locate(world, host.ip)
            assert place is not None
            yield Occupant(
                ip=host.ip,
                owner=f"{FIREWALL_ID}/azureFirewallIpConfigurations/{FIREWALL_SUBNET}",
                network=place[0],
                subnet=place[1],
            )
    for frontend in frontends(world):
        place = locate(world, frontend.ip)
        if place is not None and ":" not in frontend.ip:
            yield Occupant(ip=frontend.ip, owner=frontend.id, network=place[0], subnet=place[1])


def delegated_addresses(world: World, network: str, subnet: str) -> set[str]:
    """The addresses that nodes hold for pods in a pod subnet; they are no IP configurations."""
    if world.spec.mode != "pod-subnet" or (network, subnet) != (CLUSTER_NETWORK, POD_SUBNET):
        return set()
    return {ip for node in world.spec.nodes for ip in node.reserved_pod_ips}
