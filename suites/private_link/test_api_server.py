"""The API server of a private cluster."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory


@pytest.mark.aksnet(
    id="private-link.api-server",
    feature="private-link",
    severity="critical",
    needs=("host-network", "root-ca"),
)
def test_api_server(netshoot: NetshootFactory, aks: Aks) -> None:
    """The name of a private API server is private for pods and nodes, and leads to its certificate.

    Why: Nodes that lose that name lose the control plane: they become NotReady after minutes, all
    at once, and new ones never join.

    Remedy: The zone privatelink.REGION.azmk8s.io (in the node resource group, or your own) must be
    linked to the VNet whose DNS is asked; custom DNS servers must forward it to 168.63.129.16.
    """
    node = aks.nodes[0]
    netshoot(on=node, host_network=True).assert_private_api_server()
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_private_api_server()
