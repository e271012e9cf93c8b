"""Reads the route tables of the cluster's subnets and of the nodes' resource group.

Source: the REST API of Microsoft.Network (2026-03-01), Route Tables.
"""

from typing import Any

from pytest_aksnet.arm.by_id import get_each
from pytest_aksnet.arm.cluster import node_group_of
from pytest_aksnet.arm.reader import Look, TopicReader
from pytest_aksnet.arm.values import id_of, ids_of, text
from pytest_aksnet.arm.vnet import subnets_of_pools
from pytest_aksnet.model.azure_routes import ROUTE_TABLES, RouteTable, UserRoute


def _read_tables(look: Look) -> tuple[RouteTable, ...]:
    """One list call has those that AKS made; a subnet's own may be anywhere."""
    subnets = subnets_of_pools(look)
    group = node_group_of(look)
    there = list(look.door.network.route_tables.list(group))
    known = {id_of(one) for one in there}
    wanted = {one.route_table for one in subnets if one.route_table} - known
    there += get_each(look, sorted(wanted), lambda door: door.network.route_tables)
    return tuple(map(_table, there))


def _table(found: Any) -> RouteTable:
    closed = found.disable_bgp_route_propagation
    return RouteTable(
        id=id_of(found),
        routes=tuple(
            UserRoute(
                id=id_of(one),
                prefix=text(one.address_prefix),
                next_hop=text(one.next_hop_type),
                next_hop_ip=text(one.next_hop_ip_address),
            )
            for one in found.routes or ()
        ),
        subnets=ids_of(found.subnets),
        has_gateway_routes=None if closed is None else not closed,
        is_whole=found.routes is not None
        and all(one.address_prefix and one.next_hop_type for one in found.routes),
    )


READERS = (TopicReader(ROUTE_TABLES, _read_tables),)
