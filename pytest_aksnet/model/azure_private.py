"""What Azure Resource Manager says of private endpoints and private DNS zones: data only.

Ids and names are in lower case, names without a last dot. What ARM's answer lacks is None, or empty
where it is text. Endpoints and zones may be in several subscriptions: `Found` says which were read.
"""

from dataclasses import dataclass
from typing import Generic, TypeVar

from pytest_aksnet.model.arm import Topic
from pytest_aksnet.model.azure_security import SecurityGroup

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A subscription that could not be read, and why. `action` is what is missing, of a 403."""

    subscription: str
    why: str
    action: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found(Generic[Item]):
    """What was found, and where it was looked for. `left_out` counts what was too much to read."""

    items: tuple[Item, ...]
    subscriptions: tuple[str, ...]
    unread: tuple[Unread, ...] = ()
    left_out: int = 0

    @property
    def complete(self) -> bool:
        """Whether all that was looked for was read."""
        return not self.unread and not self.left_out


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointName:
    """A name that clients use for what is behind a private endpoint, and its addresses there."""

    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateEndpoint:
    """One private endpoint with one connection, as an endpoint has.

    `state` is Approved, Pending, Rejected or Disconnected; `description` is its owner's word for
    it. `target` is the id of the resource behind it, `groups` its parts, such as "blob".
    `addresses` are all that its network interface has, None where that was not told. `names` may
    be told by the endpoint or by its interface.
    """

    id: str
    subnet: str
    target: str
    groups: tuple[str, ...]
    state: str
    description: str
    provisioning_state: str
    names: tuple[EndpointName, ...]
    addresses: tuple[str, ...] | None

    @property
    def vnet(self) -> str:
        """The id of its virtual network, empty where it told none."""
        return self.subnet.partition("/subnets/")[0]

    @property
    def short(self) -> str:
        """Its own name."""
        return self.id.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneGroup:
    """What keeps the records of an endpoint right: `zones` are ids of private DNS zones."""

    id: str
    endpoint: str
    zones: tuple[str, ...]
    provisioning_state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateZone:
    """One private DNS zone."""

    id: str
    name: str

    @property
    def is_of_endpoints(self) -> bool:
        """Whether its records are those of private endpoints, by its name.

        Azure docs: private-endpoint-dns; API servers of AKS have zones of their own (AKS docs:
        private-clusters).
        """
        return ".privatelink." in f".{self.name}" or self.name.endswith(".azmk8s.io")

    def holds(self, name: str) -> bool:
        """Whether a name is in it."""
        return f".{name}".endswith(f".{self.name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneRecord:
    """A set of A records of a zone. `name` is the whole name; `addresses` None where untold."""

    id: str
    zone: str
    name: str
    addresses: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ZoneLink:
    """A zone's link to a virtual network. `state` is InProgress or Completed.

    `policy` is Default, or NxDomainRedirect where the internet is asked for names that the zone
    lacks.
    """

    id: str
    zone: str
    vnet: str
    state: str
    provisioning_state: str
    policy: str


ENDPOINT_GROUPS: Topic[tuple[SecurityGroup, ...]] = Topic(
    "security-groups-of-endpoints", ("Microsoft.Network/networkSecurityGroups/read",)
)
PRIVATE_ENDPOINTS: Topic[Found[PrivateEndpoint]] = Topic(
    "private-endpoints",
    ("Microsoft.Network/privateEndpoints/read", "Microsoft.Network/networkInterfaces/read"),
)
ZONE_GROUPS: Topic[Found[ZoneGroup]] = Topic(
    "private-dns-zone-groups", ("Microsoft.Network/privateEndpoints/privateDnsZoneGroups/read",)
)
PRIVATE_ZONES: Topic[Found[PrivateZone]] = Topic(
    "private-dns-zones", ("Microsoft.Network/privateDnsZones/read",)
)
ZONE_RECORDS: Topic[Found[ZoneRecord]] = Topic(
    "private-dns-records", ("Microsoft.Network/privateDnsZones/A/read",)
)
ZONE_LINKS: Topic[Found[ZoneLink]] = Topic(
    "private-dns-links", ("Microsoft.Network/privateDnsZones/virtualNetworkLinks/read",)
)
