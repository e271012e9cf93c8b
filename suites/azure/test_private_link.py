"""Private endpoints in Azure Resource Manager, beside what pods reach and resolve."""

import pytest

from pytest_aksnet.azure_inventory import Arm
from pytest_aksnet.factories import Aks, NetshootFactory


@pytest.mark.aksnet(
    id="azure.endpoints-approved",
    feature="azure",
    severity="major",
)
def test_endpoints_approved(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """The connection of every private endpoint of the cluster's networks is approved and ready.

    Why: A connection that is pending, rejected or disconnected has an address and a name that
    resolves, and swallows every packet; nothing in the cluster says so.

    Remedy: `az network private-endpoint-connection approve` by the owner of the resource; an
    endpoint that was rejected has to be deleted and made anew.
    """
    arm.assert_endpoints_approved(netshoot(on=aks.nodes[0]))


@pytest.mark.aksnet(
    id="azure.endpoint-subnet-reachable",
    feature="azure",
    severity="major",
    needs=("host-network",),
)
def test_endpoint_subnet_reachable(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """No security group on the subnet of private endpoints keeps nodes from them.

    Why: With network policies for private endpoints on, a group that was made for machines closes
    endpoints too: names resolve, connections are approved, and nothing answers.

    Remedy: `az network nsg rule show` for the rule that is named; `az network vnet subnet show
    --query privateEndpointNetworkPolicies` says whether groups count for endpoints.
    """
    arm.assert_endpoints_reachable(netshoot.on_each(aks.nodes, host_network=True))


@pytest.mark.aksnet(
    id="azure.endpoints-have-zone-groups",
    feature="azure",
    severity="minor",
)
def test_endpoints_have_zone_groups(arm: Arm) -> None:
    """Every private endpoint has a DNS zone group, so that its records follow its address.

    Why: A record that was written by hand keeps the old address when the endpoint is made anew, and
    stays behind when it is deleted. Without a group, and with a right record, this is a warning.

    Remedy: `az network private-endpoint dns-zone-group create` with the zone that is in use.
    """
    arm.assert_endpoints_have_zone_groups()


@pytest.mark.aksnet(
    id="azure.no-dangling-records",
    feature="azure",
    severity="major",
)
def test_no_dangling_records(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """Every record of a privatelink zone has the address of a private endpoint that exists.

    Why: A record that outlives its endpoint leads to nobody, and later to whoever gets the address:
    clients send that one what they mean for a storage account or a vault.

    Remedy: `az network private-dns record-set a delete` for the record that is named.
    """
    arm.assert_no_dangling_records(netshoot(on=aks.nodes[0]))


@pytest.mark.aksnet(
    id="azure.private-api-server",
    feature="azure",
    severity="critical",
    needs=("host-network",),
)
def test_private_api_server(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """Zone, record and link of a private API server agree with its endpoint and with what pods get.

    Why: Nodes that cannot resolve that name lose the control plane, all at once; new ones never
    join. A public name beside it, which tells the private address, is a warning.

    Remedy: `az network private-dns link vnet create` for the VNet whose Azure DNS is asked; custom
    DNS servers must forward the zone to 168.63.129.16.

    When: For private clusters only.
    """
    host = netshoot(on=aks.nodes[0], host_network=True)
    arm.assert_private_api_server_is_found(netshoot.on_each(aks.nodes), host)
