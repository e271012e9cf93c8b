"""Faults of what connects the virtual network: peering, VPN, private endpoints."""

from pytest_aksnet.lab.azure.routes import APPROVED, CONNECTED
from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.faults.of_azure import AzureFault


class PrivateEndpointPending(AzureFault):
    """The private endpoints' connections wait for approval."""

    name = "private-endpoint-pending"
    describes = (
        "The connections of all private endpoints are Pending instead of Approved: their names "
        "resolve, and nothing answers (Azure docs: manage-private-endpoint)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Have them wait."""
        for endpoint in azure.private_endpoints.values():
            endpoint.status = "Pending"

    def mends(self, azure: AzureState) -> None:
        """Approve them."""
        for endpoint in azure.private_endpoints.values():
            endpoint.status = APPROVED


class PeeringDisconnected(AzureFault):
    """The peering with the hub is cut."""

    name = "peering-disconnected"
    describes = (
        "One side of the peering was deleted, so the other is Disconnected and no packet passes "
        "(Azure docs: virtual-network-troubleshoot-peering-issues)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Disconnect all peerings of the cluster's network."""
        for peering in azure.cluster_network.peerings:
            peering.state = "Disconnected"

    def mends(self, azure: AzureState) -> None:
        """Connect them."""
        for peering in azure.cluster_network.peerings:
            peering.state = CONNECTED


class OnPremGatewayDown(AzureFault):
    """The tunnel to the site is down."""

    name = "on-prem-gateway-down"
    describes = (
        "The VPN connection to the site on premises is not connected, so its routes are gone "
        "(Azure docs: vpn-gateway-troubleshoot-site-to-site-cannot-connect)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Disconnect all sites."""
        for site in azure.sites.values():
            site.connected = False

    def mends(self, azure: AzureState) -> None:
        """Connect them."""
        for site in azure.sites.values():
            site.connected = True
