"""Which way Azure sends what leaves a subnet: user-defined, peering and system routes. Pure.

The longest prefix wins, and of equal ones a user-defined route. Routes of gateways are not told
here: where one may lead, the way is not known. Source: "Azure docs: virtual-networks-udr-overview".
"""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_aksnet.expectations.addresses import is_private
from pytest_aksnet.expectations.azure_places import CONNECTED, Spot
from pytest_aksnet.expectations.azure_security_rules import METADATA, PROBE_SOURCE, networks
from pytest_aksnet.model.azure_routes import INTERNET, RouteTable, UserRoute

LOCAL = "VnetLocal"
PEERING = "VNetPeering"
UNKNOWN = "unknown"
# They are served by the host: user-defined routes do not hold for them.
_OF_THE_HOST = (PROBE_SOURCE, METADATA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """Where a packet is sent: the next hop's type, and the user-defined route that says so.

    `route` is None for Azure's own routes. It is not `certain` where a route by service tag or one
    of a gateway may be more specific.
    """

    kind: str
    route: UserRoute | None = None
    certain: bool = True


def next_hop(address: str, spot: Spot, table: RouteTable | None) -> Hop:
    """The next hop of what a machine in a subnet sends to an address."""
    wanted = ipaddress.ip_address(address)
    if address in _OF_THE_HOST:
        return Hop(kind=LOCAL)
    best: tuple[int, bool] = (-1, False)
    found = Hop(kind=UNKNOWN)
    routes = table.routes if table else ()
    for prefix, kind, route in [
        *((one.prefix, one.next_hop, one) for one in routes),
        *((prefix, kind, None) for prefix, kind in _system(spot)),
    ]:
        for cidr in networks([prefix]):
            rank = (cidr.prefixlen, route is not None)
            if wanted in cidr and rank > best:
                best, found = rank, Hop(kind=kind or UNKNOWN, route=route)
    if best[0] < 0 and not is_private(address):
        found = Hop(kind=INTERNET)
    if is_private(address):
        inside = any(wanted in cidr for prefix, _ in _system(spot) for cidr in networks([prefix]))
        doubtful = not inside and table is not None and table.has_gateway_routes is not False
    else:
        doubtful = any(not networks([one.prefix]) for one in routes)
    return Hop(kind=found.kind, route=found.route, certain=not doubtful)


def default_route(table: RouteTable | None, version: int = 4) -> UserRoute | None:
    """The user-defined default route of a table."""
    for one in table.routes if table else ():
        for cidr in networks([one.prefix]):
            if cidr.version == version and not cidr.prefixlen:
                return one
    return None


def _system(spot: Spot) -> Iterable[tuple[str, str]]:
    for prefix in spot.vnet.ranges:
        yield prefix, LOCAL
    for peering in spot.vnet.peerings:
        if peering.state.lower() == CONNECTED:
            for prefix in peering.remote_ranges:
                yield prefix, PEERING
