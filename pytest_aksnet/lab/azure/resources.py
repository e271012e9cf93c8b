"""Kinds of Azure resources that the lab has: names and fields as ARM has them. Data only.

Resources refer to one another by name; a name is unique within its kind. Changing one takes
effect with `AzureState.changed`.
"""

from dataclasses import dataclass, field


@dataclass(kw_only=True)
class SecurityRule:
    """A rule of a network security group.

    `direction` is Inbound or Outbound, `access` Allow or Deny, `protocol` Tcp, Udp, Icmp or `*`.
    Addresses are CIDRs, `*`, or the service tags VirtualNetwork, AzureLoadBalancer, Internet,
    AzurePlatformDNS and AzurePlatformIMDS; ports are numbers, ranges as 80-90, or `*`.
    """

    name: str
    priority: int
    direction: str
    access: str
    protocol: str = "*"
    sources: tuple[str, ...] = ("*",)
    source_ports: tuple[str, ...] = ("*",)
    destinations: tuple[str, ...] = ("*",)
    destination_ports: tuple[str, ...] = ("*",)


@dataclass(kw_only=True)
class SecurityGroup:
    """A network security group: its own rules; Azure's default rules come after them."""

    name: str
    resource_group: str
    rules: list[SecurityRule] = field(default_factory=list)


@dataclass(kw_only=True)
class Route:
    """A user-defined route.

    `next_hop_type` is VirtualAppliance (with `next_hop_ip`), VnetLocal, Internet,
    VirtualNetworkGateway or None, which drops.
    """

    name: str
    prefix: str
    next_hop_type: str
    next_hop_ip: str = ""


@dataclass(kw_only=True)
class RouteTable:
    """A route table; subnets name it."""

    name: str
    resource_group: str
    routes: list[Route] = field(default_factory=list)


@dataclass(kw_only=True)
class Subnet:
    """A subnet. What it names, "" for none, holds for what stands in it.

    `provisioning` is its provisioningState. `endpoint_policies` is whether its group counts for
    private endpoints as well: Disabled, or NetworkSecurityGroupEnabled.
    """

    name: str
    prefix: str
    prefix6: str | None = None
    security_group: str = ""
    route_table: str = ""
    nat_gateway: str = ""
    delegation: str = ""
    provisioning: str = "Succeeded"
    endpoint_policies: str = "Disabled"


@dataclass(kw_only=True)
class Peering:
    """One side of a peering of virtual networks. `state` is Connected or Disconnected."""

    name: str
    remote_network: str
    state: str = "Connected"
    allow_forwarded_traffic: bool = True
    use_remote_gateways: bool = False


@dataclass(kw_only=True)
class VirtualNetwork:
    """A virtual network. Without `dns_servers` its machines ask Azure DNS."""

    name: str
    resource_group: str
    prefixes: list[str]
    subnets: list[Subnet]
    dns_servers: list[str] = field(default_factory=list)
    peerings: list[Peering] = field(default_factory=list)

    def subnet(self, name: str) -> Subnet:
        """The subnet of that name. Raises KeyError."""
        for subnet in self.subnets:
            if subnet.name == name:
                return subnet
        raise KeyError(name)


@dataclass(kw_only=True)
class VpnSite:
    """A site behind the gateway of a virtual network. `connected` as its connection's status."""

    name: str
    resource_group: str
    network: str
    prefixes: list[str]
    connected: bool = True


@dataclass(kw_only=True)
class PublicAddress:
    """A public IP address; `used_by` is the ARM-like path of what has it, below its group."""

    name: str
    resource_group: str
    ip: str
    used_by: str = ""


@dataclass(kw_only=True)
class NatGateway:
    """A NAT gateway with its public addresses (names)."""

    name: str
    resource_group: str
    public_addresses: list[str]
    idle_minutes: int = 4


@dataclass(kw_only=True)
class OutboundRule:
    """The load balancer's outbound rule. `ports` 0: by the number of nodes.

    `left_out` are names of nodes that are not in its backend pool: they have no way out by it.
    """

    name: str
    public_addresses: list[str]
    ports: int = 0
    idle_minutes: int = 30
    left_out: set[str] = field(default_factory=set)


@dataclass(kw_only=True)
class LeftOverRule:
    """A load balancing rule with its frontend whose Service is gone; `uid` was that Service's."""

    uid: str
    namespace: str
    service: str
    ip: str
    port: int
    node_port: int


@dataclass(kw_only=True)
class PrivateEndpoint:
    """A private endpoint: its address in a subnet, and what it stands for.

    `status` is Approved, Pending, Rejected or Disconnected; only the first lets packets through.
    `fqdn` is the service's public name, `zone` the private zone whose zone group it has, "" for
    none. `target` is the resource id behind it.
    """

    name: str
    resource_group: str
    ip: str
    subnet: str
    fqdn: str
    zone: str
    group_id: str
    target: str
    status: str = "Approved"


@dataclass(kw_only=True)
class RecordSet:
    """Records of one name (relative to the zone) and type in a private zone."""

    name: str
    kind: str
    values: list[str]
    ttl: int = 10


@dataclass(kw_only=True)
class ZoneLink:
    """A private zone's link to a virtual network.

    `fallback` is resolution policy NxDomainRedirect. A link that is not `completed` is still being
    made, and has no effect yet.
    """

    name: str
    network: str
    registration: bool = False
    fallback: bool = False
    completed: bool = True


@dataclass(kw_only=True)
class PrivateZone:
    """A private DNS zone."""

    name: str
    resource_group: str
    records: list[RecordSet] = field(default_factory=list)
    links: list[ZoneLink] = field(default_factory=list)
