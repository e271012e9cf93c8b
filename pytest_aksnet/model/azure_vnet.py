"""What Azure Resource Manager says of virtual networks, subnets and their usage: data only.

Ids are in lower case. What ARM's answer lacks is None, or empty where it is text.
"""

from dataclasses import dataclass

from pytest_aksnet.model.arm import Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class Peering:
    """One side of a peering: `state` is Connected, Disconnected or Initiated.

    `in_sync` is FullyInSync where both sides know each other's present ranges.
    """

    id: str
    remote_vnet: str
    state: str
    in_sync: str
    remote_ranges: tuple[str, ...]
    allows_access: bool | None
    allows_forwarded: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Subnet:
    """One subnet, with the ids of what is attached to it.

    `endpoint_policies` says what holds for private endpoints in it: Disabled, Enabled (both),
    NetworkSecurityGroupEnabled or RouteTableEnabled. `endpoints` are those that it says to have,
    which may be more than the ones that may be read.
    """

    id: str
    cidrs: tuple[str, ...]
    security_group: str
    route_table: str
    nat_gateway: str
    provisioning_state: str
    default_outbound: bool | None
    delegations: tuple[str, ...]
    endpoint_policies: str = ""
    endpoints: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name."""
        return self.id.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class VirtualNetwork:
    """One virtual network. `dns_servers` are its custom ones, empty for Azure's own.

    `is_whole` is whether ARM gave the lists of subnets and of peerings, empty ones included.
    """

    id: str
    ranges: tuple[str, ...]
    dns_servers: tuple[str, ...]
    subnets: tuple[Subnet, ...]
    peerings: tuple[Peering, ...]
    provisioning_state: str = ""
    is_whole: bool = True

    @property
    def name(self) -> str:
        """Its name."""
        return self.id.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubnetUsage:
    """How many addresses a subnet has for use and how many are taken, as the network counts them.

    Source: "REST API: Virtual Networks - List Usage".
    """

    subnet: str
    limit: int
    used: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicAddress:
    """One public address. `ip` is empty while none is allocated; `attached_to` is an id."""

    id: str
    ip: str
    sku: str
    allocation: str
    attached_to: str
    idle_minutes: int | None


VNETS: Topic[tuple[VirtualNetwork, ...]] = Topic(
    "virtual-networks", ("Microsoft.Network/virtualNetworks/read",)
)
PEERED_NETWORKS: Topic[tuple[VirtualNetwork, ...]] = Topic(
    "peered-networks", ("Microsoft.Network/virtualNetworks/read",)
)
SUBNET_USAGE: Topic[tuple[SubnetUsage, ...]] = Topic(
    "subnet-usage", ("Microsoft.Network/virtualNetworks/usages/read",)
)
PUBLIC_ADDRESSES: Topic[tuple[PublicAddress, ...]] = Topic(
    "public-addresses",
    ("Microsoft.Network/publicIPAddresses/read", "Microsoft.Network/publicIPPrefixes/read"),
)
