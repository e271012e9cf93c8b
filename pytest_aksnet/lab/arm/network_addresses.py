"""Microsoft.Network: public IP addresses and NAT gateways."""

from collections.abc import Iterable

from pytest_aksnet.lab.arm.balancers import PUBLIC, Frontend, balancer_id, frontends
from pytest_aksnet.lab.arm.documents import (
    Document,
    reference,
    references,
    resource,
    without_nothing,
)
from pytest_aksnet.lab.arm.ids import guid, resource_id
from pytest_aksnet.lab.arm.kinds import Provider
from pytest_aksnet.lab.arm.network_vnets import references_to_subnets
from pytest_aksnet.lab.arm.occupants import FIREWALL_ID
from pytest_aksnet.lab.arm.places import locate
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.azure.resources import NatGateway, PublicAddress
from pytest_aksnet.lab.azure.state import FIREWALL_SUBNET
from pytest_aksnet.lab.spec import CLUSTER_NAME, NODE_RESOURCE_GROUP

ADDRESSES = "Microsoft.Network/publicIPAddresses"
GATEWAYS = "Microsoft.Network/natGateways"
_STANDARD = {"name": "Standard", "tier": "Regional"}
_ZONES = ["1", "2", "3"]


def address_id(world: World, name: str) -> str:
    """The id of a public IP address: of the Azure resources, or one that a Service got."""
    found = world.azure.public_addresses.get(name)
    group = found.resource_group if found else NODE_RESOURCE_GROUP
    return resource_id(group, ADDRESSES, name)


def gateway_id(gateway: NatGateway) -> str:
    """The id of a NAT gateway."""
    return resource_id(gateway.resource_group, GATEWAYS, gateway.name)


def outbound_frontend_id(public_address: str) -> str:
    """The frontend for outbound traffic with a public address: AKS names it with a GUID."""
    name = guid(f"frontend {public_address}")
    return f"{balancer_id(PUBLIC)}/frontendIPConfigurations/{name}"


def _addresses(world: World) -> Iterable[Document]:
    for one in world.azure.public_addresses.values():
        yield _address(one.resource_group, one.name, one.ip, _use(world, one), {})
    for frontend in frontends(world):
        if locate(world, frontend.ip) is None:
            tags = {
                "k8s-azure-cluster-name": CLUSTER_NAME,
                "k8s-azure-service": f"{frontend.namespace}/{frontend.service}",
            }
            yield _of_service(frontend, tags)


def _of_service(frontend: Frontend, tags: Document) -> Document:
    return _address(
        NODE_RESOURCE_GROUP,
        frontend.public_address_name,
        frontend.ip,
        {"ipConfiguration": reference(frontend.id)},
        tags,
    )


def _use(world: World, address: PublicAddress) -> Document:
    """What has it."""
    outbound = world.azure.outbound_rule
    if outbound and address.name in outbound.public_addresses:
        return {"ipConfiguration": reference(outbound_frontend_id(address.name))}
    for gateway in world.azure.nat_gateways.values():
        if address.name in gateway.public_addresses:
            return {"natGateway": reference(gateway_id(gateway))}
    if address.used_by.startswith("azureFirewalls/"):
        configuration = f"{FIREWALL_ID}/azureFirewallIpConfigurations/{FIREWALL_SUBNET}"
        return {"ipConfiguration": reference(configuration)}
    return {}


def _address(group: str, name: str, ip: str, use: Document, tags: Document) -> Document:
    return resource(
        group,
        ADDRESSES,
        name,
        without_nothing(
            {
                "resourceGuid": guid(f"{group} {name}"),
                "ipAddress": ip,
                "publicIPAddressVersion": "IPv6" if ":" in ip else "IPv4",
                "publicIPAllocationMethod": "Static",
                "idleTimeoutInMinutes": 4,
                "ipTags": [],
                "ddosSettings": {"protectionMode": "VirtualNetworkInherited"},
                **use,
            }
        ),
        sku=_STANDARD,
        zones=_ZONES,
        tags=tags,
    )


def _gateways(world: World) -> Iterable[Document]:
    for gateway in world.azure.nat_gateways.values():
        yield resource(
            gateway.resource_group,
            GATEWAYS,
            gateway.name,
            {
                "resourceGuid": guid(gateway_id(gateway)),
                "idleTimeoutInMinutes": gateway.idle_minutes,
                "publicIpAddresses": references(
                    address_id(world, name) for name in gateway.public_addresses
                ),
                "subnets": references_to_subnets(world, lambda one: one.nat_gateway, gateway.name),
            },
            sku={"name": "Standard"},
            tags={},
        )


PROVIDER = Provider(tops={ADDRESSES: _addresses, GATEWAYS: _gateways})
