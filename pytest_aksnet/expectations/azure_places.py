"""Where in virtual networks an address is, and what holds there: groups, tags, routes. Pure."""

import ipaddress
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_aksnet.expectations.azure_security_rules import Surroundings, networks
from pytest_aksnet.model.azure import ManagedCluster
from pytest_aksnet.model.azure_routes import RouteTable
from pytest_aksnet.model.azure_security import SecurityGroup
from pytest_aksnet.model.azure_vnet import Subnet, VirtualNetwork

CONNECTED = "connected"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A subnet and its virtual network."""

    vnet: VirtualNetwork
    subnet: Subnet


def spot_of(address: str, vnets: Iterable[VirtualNetwork]) -> Spot | None:
    """The subnet that has an address; None where none of those that were read has it."""
    wanted = ipaddress.ip_address(address)
    return next(
        (
            Spot(vnet=vnet, subnet=subnet)
            for vnet in vnets
            for subnet in vnet.subnets
            if any(wanted in cidr for cidr in networks(subnet.cidrs))
        ),
        None,
    )


def groups_at(
    spot: Spot, provider_id: str, groups: Sequence[SecurityGroup]
) -> tuple[SecurityGroup, ...] | None:
    """The security groups of a subnet and of a machine's interfaces.

    `provider_id` is spec.providerID of its node. None where the subnet names one that was not read.
    """
    by_id = {group.id: group for group in groups}
    found = []
    if spot.subnet.security_group:
        if spot.subnet.security_group not in by_id:
            return None
        found.append(by_id[spot.subnet.security_group])
    machine = provider_id.lower().removeprefix("azure://").rstrip("/")
    found += [
        group
        for group in groups
        if machine and any(one.startswith(f"{machine}/") for one in group.interfaces)
    ]
    return tuple(dict.fromkeys(found))


def surroundings(
    spot: Spot, tables: Sequence[RouteTable], cluster: ManagedCluster | None
) -> Surroundings:
    """What the tag VirtualNetwork means in a subnet.

    Azure treats pods of an overlay as part of the network: default rules let them talk ("AKS docs:
    concepts-network-azure-cni-overlay, network security groups").
    """
    ranges = list(spot.vnet.ranges)
    for peering in spot.vnet.peerings:
        if peering.state.lower() == CONNECTED:
            ranges += peering.remote_ranges
    table = table_of(spot.subnet, tables)
    routed = [route.prefix for route in table.routes] if table else []
    plan = cluster.network if cluster else None
    if plan is not None and plan.plugin_mode.lower() == "overlay":
        ranges += plan.pod_cidrs
    known = networks([*ranges, *routed])
    return Surroundings(
        networks=tuple(one for one in known if one.prefixlen),
        may_be_all=any(not one.prefixlen for one in known),
    )


def table_of(subnet: Subnet, tables: Iterable[RouteTable]) -> RouteTable | None:
    """The route table of a subnet; None where it has none, or where it was not read."""
    return next(
        (one for one in tables if subnet.route_table and one.id == subnet.route_table), None
    )
