"""The API server as Azure has it: who may reach it, and by which name."""

import pytest

from pytest_aksnet.azure_inventory import Arm
from pytest_aksnet.factories import Aks, NetshootFactory

# Names are resolved as nodes do.
_NODES_DNS = {"dnsPolicy": "Default"}


@pytest.mark.aksnet(
    id="azure.api-server-ranges",
    feature="azure",
    severity="critical",
    needs=("host-network",),
)
def test_api_server_ranges(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """The authorized ranges of the API server contain the addresses that the cluster leaves with.

    Why: Kubelets reach a public API server with the cluster's own egress address; ranges that lack
    it cut all nodes off, at the latest when their connections are made anew.

    When: the API server is public and has authorized ranges.

    Remedy: `az aks update --api-server-authorized-ip-ranges` with the named address; of a firewall
    or a NAT gateway it is that one's public address.
    """
    arm.need_authorized_ranges()
    pods = netshoot.on_each(aks.nodes, host_network=True, spec=_NODES_DNS)
    arm.assert_ranges_have_egress(pods)


@pytest.mark.aksnet(
    id="azure.api-server-restricted",
    feature="azure",
    severity="major",
)
def test_api_server_restricted(arm: Arm) -> None:
    """The API server is private, or open to some ranges only; fails where the site file wants that.

    Why: One that the whole internet reaches is a leaked token away from being somebody else's.

    Remedy: `az aks update --api-server-authorized-ip-ranges`; private_cluster or authorized_ranges
    in [azure_profile] of the site file make an open one fail, otherwise it is a warning.
    """
    arm.assert_api_server_restricted()


@pytest.mark.aksnet(
    id="azure.api-server-name",
    feature="azure",
    severity="critical",
)
def test_api_server_name(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """The API server's name in Azure is the one in use, and every node's resolvers know it.

    Why: Nodes that cannot resolve it become NotReady, and new ones never join; of a private
    cluster the name must be a private address.

    Remedy: `az aks show --query "[fqdn, privateFqdn]"`; for a private one `az network private-dns
    link vnet list` of the zone, and custom DNS servers that forward it to 168.63.129.16.
    """
    pods = netshoot.on_each(aks.nodes, spec=_NODES_DNS)
    arm.assert_api_server_name(aks.known_api_server_name(), pods)
