"""Microsoft.Network: virtual networks, their subnets, peerings and what is left of them."""

import ipaddress
from collections.abc import Callable, Iterable

from aiohttp import web

from pytest_aksnet.lab.arm import errors
from pytest_aksnet.lab.arm.documents import (
    Document,
    part,
    reference,
    references,
    resource,
    without_nothing,
)
from pytest_aksnet.lab.arm.ids import guid, resource_id
from pytest_aksnet.lab.arm.kinds import Call, Provider, embedded
from pytest_aksnet.lab.arm.occupants import Occupant, delegated_addresses, occupants
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.azure.resources import Peering, Subnet, VirtualNetwork
from pytest_aksnet.lab.azure.state import GATEWAY_SUBNET

NETWORKS = "Microsoft.Network/virtualNetworks"
SUBNETS = f"{NETWORKS}/subnets"
_PEERINGS = f"{NETWORKS}/virtualNetworkPeerings"
_RESERVED = 5
"""Addresses of each subnet that Azure keeps ("Azure docs: virtual-networks-faq")."""
_MOST_PROPOSED = 5


def network_id(network: VirtualNetwork) -> str:
    """The id of a virtual network."""
    return resource_id(network.resource_group, NETWORKS, network.name)


def subnet_id(network: VirtualNetwork, subnet: str) -> str:
    """The id of one of its subnets."""
    return f"{network_id(network)}/subnets/{subnet}"


def references_to_subnets(world: World, used: Callable[[Subnet], str], name: str) -> list[Document]:
    """References to the subnets, of all virtual networks, that use what has this name."""
    return references(
        subnet_id(network, subnet.name)
        for network in world.azure.networks.values()
        for subnet in network.subnets
        if used(subnet) == name
    )


def _networks(world: World) -> Iterable[Document]:
    held = occupants(world)
    for network in world.azure.networks.values():
        here = network_id(network)
        yield resource(
            network.resource_group,
            NETWORKS,
            network.name,
            {
                "resourceGuid": guid(here),
                "addressSpace": {"addressPrefixes": list(network.prefixes)},
                "dhcpOptions": {"dnsServers": list(network.dns_servers)},
                "subnets": [_subnet(world, network, one, held) for one in network.subnets],
                "virtualNetworkPeerings": [
                    _peering(world, network, one) for one in network.peerings
                ],
                "enableDdosProtection": False,
            },
        )


def _subnet(
    world: World, network: VirtualNetwork, subnet: Subnet, held: Iterable[Occupant]
) -> Document:
    azure = world.azure
    here = subnet_id(network, subnet.name)
    mine = [one for one in held if one.network == network.name and one.subnet == subnet.name]
    group = azure.security_groups.get(subnet.security_group)
    table = azure.route_tables.get(subnet.route_table)
    gateway = azure.nat_gateways.get(subnet.nat_gateway)
    properties = {
        "provisioningState": subnet.provisioning,
        "addressPrefix": subnet.prefix if subnet.prefix6 is None else None,
        "addressPrefixes": subnet.prefix6 and [subnet.prefix, subnet.prefix6],
        "networkSecurityGroup": group
        and reference(
            resource_id(group.resource_group, "Microsoft.Network/networkSecurityGroups", group.name)
        ),
        "routeTable": table
        and reference(
            resource_id(table.resource_group, "Microsoft.Network/routeTables", table.name)
        ),
        "natGateway": gateway
        and reference(
            resource_id(gateway.resource_group, "Microsoft.Network/natGateways", gateway.name)
        ),
        "ipConfigurations": references(dict.fromkeys(one.owner for one in mine)) or None,
        "privateEndpoints": references(one.endpoint for one in mine if one.endpoint) or None,
        "purpose": "PrivateEndpoints" if any(one.endpoint for one in mine) else None,
        "delegations": [_delegation(here, subnet.delegation)] if subnet.delegation else [],
        "defaultOutboundAccess": False,
        "privateEndpointNetworkPolicies": subnet.endpoint_policies,
        "privateLinkServiceNetworkPolicies": "Enabled",
    }
    return part(network_id(network), SUBNETS, subnet.name, without_nothing(properties))


def _delegation(subnet: str, service: str) -> Document:
    actions = ["Microsoft.Network/virtualNetworks/subnets/join/action"]
    return part(
        subnet,
        f"{SUBNETS}/delegations",
        "aks-delegation",
        {"serviceName": service, "actions": actions},
    )


def _peering(world: World, network: VirtualNetwork, peering: Peering) -> Document:
    remote = world.azure.networks[peering.remote_network]
    space = {"addressPrefixes": list(remote.prefixes)}
    return part(
        network_id(network),
        _PEERINGS,
        peering.name,
        {
            "peeringState": peering.state,
            "peeringSyncLevel": "FullyInSync",
            "remoteVirtualNetwork": reference(network_id(remote)),
            "remoteAddressSpace": space,
            "remoteVirtualNetworkAddressSpace": space,
            "allowVirtualNetworkAccess": True,
            "allowForwardedTraffic": peering.allow_forwarded_traffic,
            "allowGatewayTransit": False,
            "useRemoteGateways": peering.use_remote_gateways,
            "doNotVerifyRemoteGateways": False,
        },
    )


def _usages(world: World, parent: Document) -> Iterable[Document]:
    """Addresses per subnet; -1 where Azure does not say, as for a gateway's subnet."""
    network = world.azure.networks[parent["name"]]
    held = occupants(world)
    for subnet in network.subnets:
        size = ipaddress.ip_network(subnet.prefix).num_addresses
        used = {one.ip for one in held if one.network == network.name and one.subnet == subnet.name}
        used |= delegated_addresses(world, network.name, subnet.name)
        known = subnet.name != GATEWAY_SUBNET
        full = subnet.name in world.azure.full_subnets
        yield {
            "id": subnet_id(network, subnet.name),
            "name": {"value": "SubnetSpace", "localizedValue": "Subnet size and usage"},
            "unit": "Count",
            "currentValue": float(size - _RESERVED if full else len(used)) if known else -1.0,
            "limit": float(size - _RESERVED) if known else -1.0,
        }


def _check_address(call: Call) -> web.Response:
    """CheckIPAddressAvailability: whether an address is free, and else some that are."""
    network = call.world.azure.networks[call.parent["name"]]
    text = call.query.get("ipaddress", "")
    try:
        wanted = ipaddress.ip_address(text)
    except ValueError as error:
        raise errors.bad_request(
            "InvalidIPAddress", f"IP address '{text}' is not valid."
        ) from error
    taken = {one.ip for one in occupants(call.world) if one.network == network.name}
    for subnet in network.subnets:
        prefix = ipaddress.ip_network(subnet.prefix)
        if wanted not in prefix:
            continue
        free = (
            str(prefix[number])
            for number in range(4, prefix.num_addresses - 1)
            if str(prefix[number]) not in taken
        )
        taken |= delegated_addresses(call.world, network.name, subnet.name)
        kept = {prefix[number] for number in (0, 1, 2, 3, -1)}
        available = str(wanted) not in taken and wanted not in kept
        proposed = (
            [] if available else [one for one, _ in zip(free, range(_MOST_PROPOSED), strict=False)]
        )
        return web.json_response(
            {
                "available": available,
                "availableIPAddresses": proposed,
                "isPlatformReserved": wanted in kept,
            }
        )
    raise errors.bad_request(
        "PrivateIPAddressNotInAnySubnet",
        f"Private static IP address {text} does not belong to the range of any subnet in the "
        f"virtual network {call.parent['id']}.",
    )


PROVIDER = Provider(
    tops={NETWORKS: _networks},
    parts={
        SUBNETS: embedded("subnets"),
        _PEERINGS: embedded("virtualNetworkPeerings"),
        f"{NETWORKS}/usages": _usages,
    },
    reads={f"{NETWORKS}/CheckIPAddressAvailability": _check_address},
)
