"""What Azure itself says that this cluster must reach."""

import pytest

from pytest_aksnet.azure_inventory import Arm
from pytest_aksnet.factories import Aks, NetshootFactory


@pytest.mark.aksnet(
    id="azure.required-egress",
    feature="azure",
    severity="critical",
    needs=("host-network",),
)
def test_required_egress(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """Every endpoint that Azure lists for this cluster answers every node.

    Why: The list follows region, add-ons and set-up of this very cluster; without what stands there
    nodes cannot be added, repaired or upgraded. Patterns and UDP are not looked at.

    Remedy: `az aks egress-endpoints list` has the endpoints: allow the named one in the firewall,
    the route table or the network security group of the nodes' subnet.
    """
    pods = netshoot.on_each(aks.nodes, host_network=True, spec={"dnsPolicy": "Default"})
    arm.assert_required_egress(pods)
