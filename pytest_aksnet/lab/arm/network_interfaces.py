"""Microsoft.Network: network interfaces, of VMs, private endpoints and scale sets.

Those of scale sets are told below Microsoft.Compute and not among networkInterfaces, so that
nothing that is asked of a network interface can be asked of them: uniform orchestration.
"""

from collections.abc import Iterable

from pytest_aksnet.lab.arm.balancers import pool_id, pools
from pytest_aksnet.lab.arm.documents import (
    Document,
    part,
    reference,
    references,
    resource,
    tagged,
    without_nothing,
)
from pytest_aksnet.lab.arm.ids import guid
from pytest_aksnet.lab.arm.interfaces import (
    INSTANCES,
    INTERFACES,
    PUBLIC_NAME,
    SCALE_SETS,
    Interface,
    interfaces,
    machines,
    node_interface,
)
from pytest_aksnet.lab.arm.kinds import Provider, embedded
from pytest_aksnet.lab.arm.network_vnets import subnet_id
from pytest_aksnet.lab.arm.world import World


def _interfaces(world: World) -> Iterable[Document]:
    for one in interfaces(world):
        if not one.node:
            group = one.id.split("/")[4]
            yield resource(group, INTERFACES, one.name, _properties(world, one), tags={})


def _of_scale_set(world: World, parent: Document) -> Iterable[Document]:
    for node in machines(world):
        if node.vmss == parent["name"]:
            yield _scale_set_interface(world, node_interface(world, node))


def _of_instance(world: World, parent: Document) -> Iterable[Document]:
    for node in machines(world):
        found = node_interface(world, node)
        if found.machine == parent["id"]:
            yield _scale_set_interface(world, found)


def _scale_set_interface(world: World, one: Interface) -> Document:
    """Like every part of a scale set's instance it has neither type nor location."""
    properties = {"provisioningState": "Succeeded", **_properties(world, one)}
    return tagged({"id": one.id, "name": one.name, "properties": properties})


def _properties(world: World, one: Interface) -> Document:
    network = world.azure.networks[one.network]
    return without_nothing(
        {
            "resourceGuid": guid(one.id),
            "ipConfigurations": [_configuration(world, one, n) for n in range(len(one.ips))]
            + ([_configuration6(world, one)] if one.ip6 else []),
            "dnsSettings": {
                "dnsServers": [],
                "appliedDnsServers": list(network.dns_servers),
                "internalDomainNameSuffix": world.spec.internal_suffix,
            },
            "macAddress": one.mac.upper().replace(":", "-"),
            "primary": True,
            "enableAcceleratedNetworking": one.accelerated,
            "enableIPForwarding": one.forwarding,
            "virtualMachine": one.machine and reference(one.machine),
            "privateEndpoint": one.endpoint and reference(one.endpoint),
            "nicType": "Standard",
            "hostedWorkloads": [],
            "disableTcpStateTracking": False,
        }
    )


def _configuration(world: World, one: Interface, number: int) -> Document:
    in_pools = number == 0 and any(node.name == one.node for node in world.network.backends())
    behind = [pool_id(*pool) for pool in pools(world)] if in_pools else []
    network = world.azure.networks[one.network]
    return part(
        one.id,
        f"{INTERFACES}/ipConfigurations",
        one.configuration_name(number),
        without_nothing(
            {
                "privateIPAddress": one.ips[number],
                "privateIPAllocationMethod": "Dynamic",
                "privateIPAddressVersion": "IPv4",
                "primary": number == 0,
                "subnet": reference(subnet_id(network, one.subnet)),
                "loadBalancerBackendAddressPools": references(behind) or None,
                "publicIPAddress": _public_address(one) if number == 0 else None,
                "privateLinkConnectionProperties": {
                    "groupId": one.group_id,
                    "requiredMemberName": one.group_id,
                    "fqdns": [one.fqdn],
                }
                if one.endpoint
                else None,
            }
        ),
    )


def _public_address(one: Interface) -> Document | None:
    if not one.public_ip:
        return None
    return reference(f"{one.configuration_id(0)}/publicIPAddresses/{PUBLIC_NAME}")


def _configuration6(world: World, one: Interface) -> Document:
    network = world.azure.networks[one.network]
    return part(
        one.id,
        f"{INTERFACES}/ipConfigurations",
        one.configuration_name(len(one.ips)),
        {
            "privateIPAddress": one.ip6,
            "privateIPAllocationMethod": "Dynamic",
            "privateIPAddressVersion": "IPv6",
            "primary": False,
            "subnet": reference(subnet_id(network, one.subnet)),
        },
    )


_CONFIGURATIONS = embedded("ipConfigurations")

PROVIDER = Provider(
    tops={INTERFACES: _interfaces},
    parts={
        f"{INTERFACES}/ipConfigurations": _CONFIGURATIONS,
        f"{SCALE_SETS}/networkInterfaces": _of_scale_set,
        f"{INSTANCES}/networkInterfaces": _of_instance,
        f"{INSTANCES}/networkInterfaces/ipConfigurations": _CONFIGURATIONS,
    },
)
