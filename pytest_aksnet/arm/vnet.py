"""Reads the virtual networks of the agent pools and their peers, how full they are, and addresses.

Source: the REST API of Microsoft.Network (2026-03-01).
"""

from functools import partial
from typing import Any

from pytest_aksnet.arm.by_id import get_each
from pytest_aksnet.arm.client import Door
from pytest_aksnet.arm.cluster import node_group_of
from pytest_aksnet.arm.reader import Look, TopicReader
from pytest_aksnet.arm.values import id_of, ids_of, text, texts
from pytest_aksnet.model.azure import CLUSTER, POOLS
from pytest_aksnet.model.azure_vnet import (
    PEERED_NETWORKS,
    PUBLIC_ADDRESSES,
    SUBNET_USAGE,
    VNETS,
    Peering,
    PublicAddress,
    Subnet,
    SubnetUsage,
    VirtualNetwork,
)
from pytest_aksnet.model.resource_id import resource_id

# Peers that are read one by one: a hub may have hundreds.
_MOST_PEERS = 20


def subnets_of_pools(look: Look) -> tuple[Subnet, ...]:
    """The subnets that pools name; of a virtual network that AKS made, all."""
    pools, vnets = look.read(POOLS), look.read(VNETS)
    named = {one for pool in pools for one in (pool.node_subnet, pool.pod_subnet) if one}
    return tuple(
        subnet for vnet in vnets for subnet in vnet.subnets if not named or subnet.id in named
    )


def _read_vnets(look: Look) -> tuple[VirtualNetwork, ...]:
    pools = look.read(POOLS)
    subnets = {one for pool in pools for one in (pool.node_subnet, pool.pod_subnet) if one}
    wanted = sorted({one.rpartition("/subnets/")[0] for one in subnets})
    if not wanted:
        # A virtual network that AKS made itself is in the nodes' group, and no pool names it.
        group = node_group_of(look)
        return tuple(map(_vnet, look.door.network.virtual_networks.list(group)))
    return tuple(map(_vnet, get_each(look, wanted, _networks)))


def _networks(door: Door) -> Any:
    return door.network.virtual_networks


def _vnet(found: Any) -> VirtualNetwork:
    space, options = found.address_space, found.dhcp_options
    return VirtualNetwork(
        id=id_of(found),
        ranges=texts(space.address_prefixes if space else None),
        dns_servers=texts(options.dns_servers if options else None),
        subnets=tuple(map(_subnet, found.subnets or ())),
        peerings=tuple(map(_peering, found.virtual_network_peerings or ())),
        provisioning_state=text(found.provisioning_state),
        is_whole=None not in (found.subnets, found.virtual_network_peerings),
    )


def _subnet(found: Any) -> Subnet:
    cidrs = found.address_prefixes or [found.address_prefix]
    return Subnet(
        id=id_of(found),
        cidrs=tuple(str(cidr) for cidr in cidrs if cidr),
        security_group=id_of(found.network_security_group),
        route_table=id_of(found.route_table),
        nat_gateway=id_of(found.nat_gateway),
        provisioning_state=text(found.provisioning_state),
        default_outbound=found.default_outbound_access,
        delegations=tuple(text(one.service_name) for one in found.delegations or ()),
        endpoint_policies=text(found.private_endpoint_network_policies),
        endpoints=ids_of(found.private_endpoints),
    )


def _peering(found: Any) -> Peering:
    space = found.remote_virtual_network_address_space or found.remote_address_space
    return Peering(
        id=id_of(found),
        remote_vnet=id_of(found.remote_virtual_network),
        state=text(found.peering_state),
        in_sync=text(found.peering_sync_level),
        remote_ranges=texts(space.address_prefixes if space else None),
        allows_access=found.allow_virtual_network_access,
        allows_forwarded=found.allow_forwarded_traffic,
    )


def _read_peers(look: Look) -> tuple[VirtualNetwork, ...]:
    peers = {one.remote_vnet for vnet in look.read(VNETS) for one in vnet.peerings}
    wanted = sorted(one for one in peers if one)[:_MOST_PEERS]
    return tuple(map(_vnet, get_each(look, wanted, _networks)))


def _read_usage(look: Look) -> tuple[SubnetUsage, ...]:
    vnets = look.read(VNETS)
    lists = look.together(partial(_get_usage, look, vnet.id) for vnet in vnets)
    # -1 stands for "not known": a subnet with an address range of more than one prefix.
    return tuple(
        SubnetUsage(subnet=id_of(one), limit=int(one.limit), used=int(one.current_value))
        for usages in lists
        for one in usages
        if one.limit is not None and one.limit >= 0 and one.current_value is not None
    )


def _get_usage(look: Look, vnet: str) -> list[Any]:
    place = resource_id(vnet)
    networks = look.door_of(place.subscription).network.virtual_networks
    return list(networks.list_usage(place.group, place.name))


def _read_addresses(look: Look) -> tuple[PublicAddress, ...]:
    """Those of the nodes' group, and the cluster's outbound ones wherever they are."""
    cluster = look.read(CLUSTER)
    there = list(look.door.network.public_ip_addresses.list(node_group_of(look)))
    known = {id_of(one) for one in there}
    outbound = cluster.network.outbound_ids if cluster.network else ()
    elsewhere = [one for one in outbound if one not in known and "/publicipaddresses/" in one]
    there += get_each(look, elsewhere, lambda door: door.network.public_ip_addresses)
    return tuple(map(_address, there))


def _address(found: Any) -> PublicAddress:
    owner = found.ip_configuration or found.nat_gateway
    return PublicAddress(
        id=id_of(found),
        ip=text(found.ip_address),
        sku=text(found.sku.name if found.sku else None),
        allocation=text(found.public_ip_allocation_method),
        attached_to=id_of(owner),
        idle_minutes=found.idle_timeout_in_minutes,
    )


READERS = (
    TopicReader(VNETS, _read_vnets),
    TopicReader(PEERED_NETWORKS, _read_peers),
    TopicReader(SUBNET_USAGE, _read_usage),
    TopicReader(PUBLIC_ADDRESSES, _read_addresses),
)
