"""Faults of the virtual network's DNS: its own servers, and the records of private zones."""

from collections.abc import Iterable, Iterator, Mapping

from pytest_aksnet.lab.azure.resources import RecordSet, SecurityRule
from pytest_aksnet.lab.azure.state import POD_SUBNET, SECURITY_GROUP, AzureState
from pytest_aksnet.lab.dns.defects import Defect, DefectiveResolver
from pytest_aksnet.lab.dns.message import NXDOMAIN
from pytest_aksnet.lab.dns.servers import CustomServer
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.of_azure import AzureFault, RuleFault
from pytest_aksnet.lab.spec import LabSpec

STALE_ADDRESS = "10.226.0.250"
"""An address in the subnet of private endpoints that nobody has any more."""


class _OfCustomServer:
    """A fault of one of the VNet's own DNS servers."""

    node = ""

    def unfit(self, spec: LabSpec) -> str:
        """It needs such servers."""
        if spec.options.custom_dns:
            return ""
        return "the VNet has no DNS servers of its own: set custom-dns=true"


class CustomDnsSplitBrain(_OfCustomServer):
    """The last of the VNet's DNS servers has zones of its own by the names of private zones."""

    name = "custom-dns-split-brain"
    describes = (
        "Of the VNet's two DNS servers one hosts the privatelink zones itself, without records, "
        "instead of forwarding them to Azure: what a name is depends on who is asked "
        "(Azure/AKS#808, #3666; Azure docs: private-endpoint-dns-integration)."
    )

    async def inject(self, lab: FaultableLab) -> None:
        """Give one server empty zones."""
        zones = _last(lab.dns.custom).forwarding.zones
        for endpoint in lab.spec.private_endpoints:
            empty = DefectiveResolver(lab.dns.azure)
            empty.defects.append(Defect(rcode=NXDOMAIN))
            zones[endpoint.zone] = empty

    async def heal(self, lab: FaultableLab) -> None:
        """Take them away."""
        zones = _last(lab.dns.custom).forwarding.zones
        for endpoint in lab.spec.private_endpoints:
            zones.pop(endpoint.zone, None)


class CustomDnsDown(_OfCustomServer):
    """The last of the VNet's DNS servers answers nothing."""

    name = "custom-dns-down"
    describes = (
        "One of the VNet's two DNS servers is down: names resolve by the other one, late "
        "(Azure/AKS#1752; CoreDNS docs: forward, health checks)."
    )

    async def inject(self, lab: FaultableLab) -> None:
        """Silence it."""
        resolver = _last(lab.dns.custom).resolver
        resolver.defects = [Defect(silent=True)]

    async def heal(self, lab: FaultableLab) -> None:
        """Let it answer."""
        _last(lab.dns.custom).resolver.defects = []


class _OfEndpointRecords(AzureFault):
    """A fault that gives the A records of private endpoints other values."""

    values: tuple[str, ...]

    def breaks(self, azure: AzureState) -> None:
        """Have the records say these; none removes them."""
        for zone, record in _endpoint_records(azure.spec):
            _replace(azure, zone, record, self.values)

    def mends(self, azure: AzureState) -> None:
        """Have them say what they said at the start."""
        for zone, record in _endpoint_records(azure.spec):
            _replace(azure, zone, record, record.values)


class PrivateRecordStale(_OfEndpointRecords):
    """Records of private endpoints say an address that was theirs once."""

    name = "private-record-stale"
    describes = (
        "The private zone's record still has the address of a deleted private endpoint, so the "
        "name resolves to a private address where nobody answers (Azure/AKS#2476; Azure docs: "
        "private-endpoint-dns-integration)."
    )
    values = (STALE_ADDRESS,)


class PrivateRecordMissing(_OfEndpointRecords):
    """Private zones are linked and have no records."""

    name = "private-record-missing"
    describes = (
        "The private zone is linked and lacks the record, so the name does not exist (NXDOMAIN) "
        "where it resolved publicly before (Azure/AKS#1839; Azure docs: private-dns-fallback)."
    )
    values = ()


class DnsTruncatedTcpBlocked(RuleFault):
    """DNS passes by UDP alone."""

    name = "dns-truncated-tcp-blocked"
    describes = (
        "A rule of a network security group denies TCP to port 53 between nodes, as one that "
        "allows DNS by UDP only: answers that do not fit a datagram never come (RFC 7766; AKS "
        "docs: coredns-troubleshoot)."
    )

    def rules(self, spec: LabSpec) -> list[SecurityRule]:
        """One, for what comes to nodes and their pods."""
        return [
            SecurityRule(
                name="DenyDnsByTcp",
                priority=110,
                direction="Inbound",
                access="Deny",
                protocol="Tcp",
                destination_ports=("53",),
            )
        ]

    def breaks(self, azure: AzureState) -> None:
        """Put the rule in, in front of the pods' subnet as well where they have one."""
        super().breaks(azure)
        for subnet in azure.cluster_network.subnets:
            if subnet.name == POD_SUBNET:
                subnet.security_group = SECURITY_GROUP

    def mends(self, azure: AzureState) -> None:
        """Take it out."""
        super().mends(azure)
        for subnet in AzureState(azure.spec).cluster_network.subnets:
            if subnet.name == POD_SUBNET:
                azure.cluster_network.subnet(POD_SUBNET).security_group = subnet.security_group


def _last(servers: Mapping[str, CustomServer]) -> CustomServer:
    return servers[max(servers)]


def _endpoint_records(spec: LabSpec) -> Iterator[tuple[str, RecordSet]]:
    """The A records of private endpoints as a lab starts with them, each with its zone."""
    for name, zone in AzureState(spec).private_zones.items():
        for record in zone.records:
            if record.kind == "A":
                yield name, record


def _replace(azure: AzureState, zone: str, known: RecordSet, values: Iterable[str]) -> None:
    """Give a record set other values; none removes it."""
    place = azure.private_zones[zone]
    place.records = [
        one for one in place.records if (one.name, one.kind) != (known.name, known.kind)
    ]
    if values:
        place.records.append(
            RecordSet(name=known.name, kind=known.kind, values=[*values], ttl=known.ttl)
        )
