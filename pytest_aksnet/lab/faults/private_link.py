"""Faults of private endpoints and of the private zones that have their records."""

from copy import deepcopy

from pytest_aksnet.lab.azure.resources import (
    PrivateZone,
    RecordSet,
    SecurityGroup,
    SecurityRule,
)
from pytest_aksnet.lab.azure.routes import APPROVED
from pytest_aksnet.lab.azure.security_rules import VIRTUAL_NETWORK
from pytest_aksnet.lab.azure.state import ENDPOINT_SUBNET, AzureState
from pytest_aksnet.lab.faults.of_azure import AzureFault
from pytest_aksnet.lab.spec import NODE_RESOURCE_GROUP, RESOURCE_GROUP, PrivateEndpoint

FORMER_ADDRESS = "10.226.0.251"
"""An address in the subnet of private endpoints that an endpoint had before."""
_FORMER_NAME = "formeraccount"
_SECOND = "second "
_ENDPOINTS_GROUP = "private-endpoints-nsg"


class PrivateEndpointRejected(AzureFault):
    """The owner of the resource has turned the connection down."""

    name = "private-endpoint-rejected"
    describes = (
        "The owner of the resource behind a private endpoint has rejected its connection: the name "
        "resolves to the endpoint, and nothing answers (Azure docs: manage-private-endpoint)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Reject it."""
        azure.private_endpoints[_endpoint(azure).name].status = "Rejected"

    def mends(self, azure: AzureState) -> None:
        """Approve it."""
        azure.private_endpoints[_endpoint(azure).name].status = APPROVED


class PrivateZoneGroupMissing(AzureFault):
    """An endpoint without zone group was made anew, and its record was not."""

    name = "private-zone-group-missing"
    describes = (
        "A private endpoint without a DNS zone group was made anew and has another address now; "
        "nobody keeps its record, which has the former one still (Azure docs: "
        "private-endpoint-dns-integration, private DNS zone group)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Take the group away, and leave the former address in the record."""
        endpoint = _endpoint(azure)
        azure.private_endpoints[endpoint.name].zone = ""
        for record in azure.private_zones[endpoint.zone].records:
            if endpoint.ip in record.values:
                record.values = [FORMER_ADDRESS]

    def mends(self, azure: AzureState) -> None:
        """Bring it back, with the record that it keeps."""
        endpoint = _endpoint(azure)
        azure.private_endpoints[endpoint.name].zone = endpoint.zone
        for record in azure.private_zones[endpoint.zone].records:
            if record.values == [FORMER_ADDRESS] and record.name != _FORMER_NAME:
                record.values = [endpoint.ip]


class PrivateRecordDangling(AzureFault):
    """A record of an endpoint that was deleted."""

    name = "private-record-dangling"
    describes = (
        "A privatelink zone has a record of a private endpoint that was deleted: whoever gets its "
        "address next is taken for the former resource (Microsoft cloud security benchmark, NS-10)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Put the record in."""
        self.mends(azure)
        record = RecordSet(name=_FORMER_NAME, kind="A", values=[FORMER_ADDRESS])
        azure.private_zones[_endpoint(azure).zone].records.append(record)

    def mends(self, azure: AzureState) -> None:
        """Take it out."""
        records = azure.private_zones[_endpoint(azure).zone].records
        records[:] = [record for record in records if record.name != _FORMER_NAME]


class PrivateZoneSplit(AzureFault):
    """Two zones of one name: the network is linked to the one without the record."""

    name = "private-zone-split"
    describes = (
        "There are two private zones of the same privatelink name: the endpoint's zone group keeps "
        "its record in one, and the VNet is linked to the other, which lacks it (Azure docs: "
        "private-endpoint-dns-integration; private-dns-zone-overview, one zone of a name per VNet)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Make the second zone, which has the records and no link."""
        self.mends(azure)
        endpoint = _endpoint(azure)
        first = azure.private_zones[endpoint.zone]
        azure.private_zones[_SECOND + endpoint.zone] = PrivateZone(
            name=first.name,
            resource_group=NODE_RESOURCE_GROUP,
            records=[deepcopy(one) for one in first.records if endpoint.ip in one.values],
        )
        first.records = [one for one in first.records if endpoint.ip not in one.values]
        azure.private_endpoints[endpoint.name].zone = _SECOND + endpoint.zone

    def mends(self, azure: AzureState) -> None:
        """Give the first its records back, and delete the second."""
        endpoint = _endpoint(azure)
        second = azure.private_zones.pop(_SECOND + endpoint.zone, None)
        if second is not None:
            azure.private_zones[endpoint.zone].records += second.records
        azure.private_endpoints[endpoint.name].zone = endpoint.zone


class NsgBlocksPrivateEndpoints(AzureFault):
    """A security group on the endpoints' subnet that lets nobody in."""

    name = "nsg-blocks-private-endpoints"
    describes = (
        "The subnet of the private endpoints has a network security group that denies port 443, "
        "and network policies for private endpoints are on: names resolve, connections are "
        "approved, and nothing answers (Azure docs: disable-private-endpoint-network-policy)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Attach the group, and have it hold for endpoints."""
        rule = SecurityRule(
            name="DenyHttpsIn",
            priority=200,
            direction="Inbound",
            access="Deny",
            protocol="Tcp",
            sources=(VIRTUAL_NETWORK,),
            destination_ports=("443",),
        )
        azure.security_groups[_ENDPOINTS_GROUP] = SecurityGroup(
            name=_ENDPOINTS_GROUP, resource_group=RESOURCE_GROUP, rules=[rule]
        )
        subnet = azure.cluster_network.subnet(ENDPOINT_SUBNET)
        subnet.security_group = _ENDPOINTS_GROUP
        subnet.endpoint_policies = "NetworkSecurityGroupEnabled"

    def mends(self, azure: AzureState) -> None:
        """Detach it."""
        subnet = azure.cluster_network.subnet(ENDPOINT_SUBNET)
        subnet.security_group, subnet.endpoint_policies = "", "Disabled"
        azure.security_groups.pop(_ENDPOINTS_GROUP, None)


class PrivateLinkInProgress(AzureFault):
    """Links of private zones that are not made to the end."""

    name = "private-link-in-progress"
    describes = (
        "The private zones' links to the VNet are there and not in effect: they are InProgress, "
        "and names resolve publicly (REST API: Private DNS, VirtualNetworkLinkState)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Have them all in progress."""
        self._set(azure, completed=False)

    def mends(self, azure: AzureState) -> None:
        """Complete them."""
        self._set(azure, completed=True)

    def _set(self, azure: AzureState, *, completed: bool) -> None:
        for zone in azure.private_zones.values():
            for link in zone.links:
                link.completed = completed


def _endpoint(azure: AzureState) -> PrivateEndpoint:
    """The first one, as a lab starts with it."""
    return azure.spec.private_endpoints[0]


PRIVATE_LINK_FAULTS = (
    PrivateEndpointRejected,
    PrivateZoneGroupMissing,
    PrivateRecordDangling,
    PrivateZoneSplit,
    PrivateLinkInProgress,
    NsgBlocksPrivateEndpoints,
)
