"""The cluster's way out in Azure Resource Manager, and the addresses that the internet sees."""

import pytest

from pytest_aksnet.azure_inventory import Arm
from pytest_aksnet.factories import Aks, NetshootFactory


@pytest.mark.aksnet(
    id="azure.egress-address-is-outbound",
    feature="azure",
    severity="critical",
)
def test_egress_address_is_outbound(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """The internet sees pods with an outbound address that Azure has for the outbound type.

    Why: A NAT gateway or a route that somebody attached takes over unseen: allow lists of others
    refuse the cluster, and with a firewall nobody inspects what leaves.

    Remedy: `az aks show --query networkProfile` has the outbound type and its addresses,
    `az network vnet subnet show` the NAT gateway and the route table that come first.
    """
    arm.assert_egress_address_is_outbound(netshoot.on_each(aks.nodes))


@pytest.mark.aksnet(
    id="azure.outbound-rule-covers-nodes",
    feature="azure",
    severity="critical",
)
def test_outbound_rule_covers_nodes(arm: Arm) -> None:
    """Every Ready node is in the backend pool of the load balancer's outbound rule.

    Why: A node outside it has no way to the internet, and its pods pull no image.

    When: the outbound type is loadBalancer.

    Remedy: `az network lb outbound-rule list` names the pool, `az network lb address-pool show`
    its members; `az aks update` without changes makes AKS reconcile both.
    """
    arm.assert_outbound_rule_covers_nodes()


@pytest.mark.aksnet(
    id="azure.nat-gateway-on-subnets",
    feature="azure",
    severity="critical",
)
def test_nat_gateway_on_subnets(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """Every subnet of nodes has the NAT gateway, and that has a public address.

    Why: With this outbound type nothing else lets the nodes out: without it, no image and no API.

    When: the outbound type is one of NAT gateways.

    Remedy: `az network vnet subnet update --nat-gateway`; `az network nat gateway show` lists
    addresses and subnets.
    """
    arm.assert_nat_gateway_on_subnets(netshoot.on_each(aks.nodes))


@pytest.mark.aksnet(
    id="azure.snat-ports-fit",
    feature="azure",
    severity="major",
)
def test_snat_ports_fit(arm: Arm) -> None:
    """Outbound addresses have the SNAT ports of all nodes: now, in an upgrade, and at the most.

    Why: Nodes for which no ports are left have no way out, and scaling or upgrades fail.

    When: the outbound type is loadBalancer.

    Remedy: nodes = 64000 / ports * addresses, counted with maxSurge and the autoscaler's most;
    `az aks update --load-balancer-outbound-ports` or `--load-balancer-managed-outbound-ip-count`.
    """
    arm.assert_snat_ports_fit()


@pytest.mark.aksnet(
    id="azure.snat-ports-in-use",
    feature="azure",
    severity="major",
)
def test_snat_ports_in_use(arm: Arm) -> None:
    """No node uses nearly all its SNAT ports, as the newest samples of Azure Monitor say.

    Why: When they are used up, connections to the same destination fail now and then, and nothing
    in the cluster says so.

    When: the outbound type is loadBalancer.

    Remedy: `az monitor metrics list --metric UsedSnatPorts` by BackendIPAddress; use connections
    again, give nodes more ports, or a NAT gateway (`az aks update --outbound-type`).
    """
    arm.assert_snat_ports_in_use()


@pytest.mark.aksnet(
    id="azure.snat-ports-after-scale-out",
    feature="azure",
    severity="major",
)
def test_snat_ports_after_scale_out(arm: Arm) -> None:
    """No node uses more SNAT ports than it keeps when an upgrade or the autoscaler adds nodes.

    Why: By itself the load balancer halves the ports of running nodes beyond 50, 100, 200 nodes;
    connections that hold the others are cut in the middle of a scale-out.

    When: the outbound type is loadBalancer, and ports are given by the size of the pool.

    Remedy: `az aks update --load-balancer-outbound-ports` fixes the ports of each node.
    """
    arm.assert_snat_ports_after_scale_out()
