"""Reads NAT gateways, and the public addresses that the cluster leaves with.

Source: the REST API of Microsoft.Network (2026-03-01).
"""

from functools import partial
from typing import Any

from pytest_aksnet.arm.by_id import get_each
from pytest_aksnet.arm.cluster import node_group_of
from pytest_aksnet.arm.reader import Look, TopicReader
from pytest_aksnet.arm.values import id_of, ids_of, text
from pytest_aksnet.model.azure import CLUSTER, POOLS
from pytest_aksnet.model.azure_balancers import LOAD_BALANCERS, Balancer
from pytest_aksnet.model.azure_outbound import (
    NAT_GATEWAYS,
    OUTBOUND_ADDRESSES,
    NatGateway,
    OutboundAddress,
)
from pytest_aksnet.model.azure_vnet import PUBLIC_ADDRESSES, VNETS
from pytest_aksnet.model.resource_id import resource_id


def _read_gateways(look: Look) -> tuple[NatGateway, ...]:
    """Those of the nodes' group, and those of the pools' subnets wherever they are."""
    network = look.door.network
    there = list(network.nat_gateways.list(node_group_of(look)))
    known = {id_of(one) for one in there}
    pools = look.read(POOLS)
    used = {one for pool in pools for one in (pool.node_subnet, pool.pod_subnet) if one}
    attached = {
        subnet.nat_gateway
        for vnet in look.read(VNETS)
        for subnet in vnet.subnets
        if subnet.nat_gateway and (subnet.id in used or not used)
    }
    there += get_each(look, sorted(attached - known), lambda door: door.network.nat_gateways)
    return tuple(map(_gateway, there))


def _gateway(found: Any) -> NatGateway:
    return NatGateway(
        id=id_of(found),
        sku=text(found.sku.name if found.sku else None).lower(),
        addresses=_both(found.public_ip_addresses, found.public_ip_addresses_v6),
        prefixes=_both(found.public_ip_prefixes, found.public_ip_prefixes_v6),
        subnets=None if found.subnets is None else ids_of(found.subnets),
    )


def _both(v4: Any, v6: Any) -> tuple[str, ...] | None:
    return None if v4 is None and v6 is None else (*ids_of(v4), *ids_of(v6))


def _read_addresses(look: Look) -> tuple[OutboundAddress, ...]:
    """Of the managed cluster, NAT gateways and outbound rules, wherever they are."""
    network = look.read(CLUSTER).network
    gateways = look.read(NAT_GATEWAYS)
    of_rules = (
        one
        for balancer in look.read(LOAD_BALANCERS)
        for frontend in balancer.frontends or ()
        if frontend.id in _outbound_frontends(balancer)
        for one in (frontend.public_address, frontend.public_prefix)
    )
    wanted = dict.fromkeys(
        (
            *(network.outbound_ids if network else ()),
            *(one for gateway in gateways for one in gateway.addresses or ()),
            *(one for gateway in gateways for one in gateway.prefixes or ()),
            *filter(None, of_rules),
        )
    )
    known = {
        one.id: OutboundAddress(id=one.id, range=one.ip, owner=one.attached_to)
        for one in look.read(PUBLIC_ADDRESSES)
    }
    elsewhere = [one for one in wanted if one not in known]
    found = look.together(partial(_get_address, look, one) for one in elsewhere)
    known |= {one.id: one for one in found}
    return tuple(known[one] for one in wanted)


def _outbound_frontends(balancer: Balancer) -> set[str]:
    return {one for rule in balancer.outbound_rules or () for one in rule.frontends or ()}


def _get_address(look: Look, address: str) -> OutboundAddress:
    place = resource_id(address)
    network = look.door_of(place.subscription).network
    if place.kind == "microsoft.network/publicipprefixes":
        prefix = network.public_ip_prefixes.get(place.group, place.name)
        return OutboundAddress(id=address, range=text(prefix.ip_prefix), owner="")
    found = network.public_ip_addresses.get(place.group, place.name)
    owner = id_of(found.ip_configuration or found.nat_gateway)
    return OutboundAddress(id=address, range=text(found.ip_address), owner=owner)


READERS = (
    TopicReader(NAT_GATEWAYS, _read_gateways),
    TopicReader(OUTBOUND_ADDRESSES, _read_addresses),
)
