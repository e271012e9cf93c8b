"""What Azure Resource Manager says of route tables: data only.

Ids are in lower case. What ARM's answer lacks is empty.
"""

from dataclasses import dataclass

from pytest_aksnet.model.arm import Topic

APPLIANCE = "VirtualAppliance"
NOWHERE = "None"
INTERNET = "Internet"
GATEWAY = "VirtualNetworkGateway"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserRoute:
    """One user-defined route. `prefix` is a range or a service tag.

    `next_hop` is VirtualAppliance (with `next_hop_ip`), VnetLocal, Internet, VirtualNetworkGateway
    or None, which drops.
    """

    id: str
    prefix: str
    next_hop: str
    next_hop_ip: str = ""

    @property
    def name(self) -> str:
        """Its name."""
        return self.id.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteTable:
    """One route table. `has_gateway_routes` is whether routes of gateways are added, None unsaid.

    `subnets` are the ids of those that use it. `is_whole` is whether ARM gave all routes, each with
    its prefix and next hop.
    """

    id: str
    routes: tuple[UserRoute, ...]
    subnets: tuple[str, ...]
    has_gateway_routes: bool | None = None
    is_whole: bool = True

    @property
    def name(self) -> str:
        """Its name."""
        return self.id.rpartition("/")[2]


ROUTE_TABLES: Topic[tuple[RouteTable, ...]] = Topic(
    "route-tables", ("Microsoft.Network/routeTables/read",)
)
