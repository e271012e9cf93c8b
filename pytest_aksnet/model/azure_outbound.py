"""What Azure says of the way out: NAT gateways, and SNAT ports as they are used. Data only.

Ids are in lower case. What ARM's answer lacks is None, or empty where it is text.
"""

from dataclasses import dataclass

from pytest_aksnet.model.arm import Topic


@dataclass(frozen=True, slots=True, kw_only=True)
class NatGateway:
    """One NAT gateway: ids of its public addresses and prefixes, and of the subnets that have it.

    ARM leaves out what there is none of.
    """

    id: str
    sku: str
    addresses: tuple[str, ...] | None
    prefixes: tuple[str, ...] | None
    subnets: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OutboundAddress:
    """A public address or prefix to leave with: `range` is an address or a CIDR, empty if unsaid.

    `owner` is the id of what has it, empty for a prefix.
    """

    id: str
    range: str
    owner: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SnatPorts:
    """SNAT ports of one backend (`ip`) and protocol, over all outbound addresses.

    `at` is when the newest sample of `used` was taken (seconds since the epoch). Values are
    averages of a minute, None where there is no sample.
    """

    balancer: str
    ip: str
    protocol: str
    allocated: float | None
    used: float | None
    at: float


NAT_GATEWAYS: Topic[tuple[NatGateway, ...]] = Topic(
    "nat-gateways", ("Microsoft.Network/natGateways/read",)
)
OUTBOUND_ADDRESSES: Topic[tuple[OutboundAddress, ...]] = Topic(
    "outbound-addresses",
    ("Microsoft.Network/publicIPAddresses/read", "Microsoft.Network/publicIPPrefixes/read"),
)
SNAT_METRICS: Topic[tuple[SnatPorts, ...]] = Topic(
    "snat-ports", ("Microsoft.Insights/metrics/read",)
)
