"""Network security groups: what they let between nodes, in and out, beside what packets show."""

import pytest

from pytest_aksnet.azure_inventory import Arm
from pytest_aksnet.factories import Aks, NetshootFactory, ServiceFactory


@pytest.mark.aksnet(
    id="azure.nsg-lets-nodes-talk",
    feature="azure",
    severity="critical",
    needs=("host-network",),
)
def test_nsg_lets_nodes_talk(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """No rule of a security group closes a port between nodes and pods that packets show closed.

    Why: AKS needs all traffic between nodes, and pods reach each other on any port; a rule that
    was meant for clients outside breaks some Services, webhooks or metrics, and only now and then.

    Remedy: remove the named rule or let the ranges of nodes and pods through before it
    (`az network nsg rule update`); what pods may do is for network policies to say.
    """
    pods = netshoot.on_each(aks.nodes)
    arm.assert_groups_let_nodes_talk(pods, netshoot.on_each(aks.nodes, host_network=True))


@pytest.mark.aksnet(
    id="azure.nsg-lets-load-balancer-in",
    feature="azure",
    severity="critical",
    needs=("load-balancer",),
)
def test_nsg_lets_load_balancer_in(
    arm: Arm, netshoot: NetshootFactory, service: ServiceFactory
) -> None:
    """Security groups let in health probes of load-balanced Services, and clients at frontends.

    Why: A probe that is denied takes every node out of the load balancer; a frontend whose port is
    denied is silent for clients while all pods are well.

    Remedy: allow the service tag AzureLoadBalancer (`az network nsg rule create
    --source-address-prefixes AzureLoadBalancer`), and the Service's port from where it is called.
    """
    internal = service(
        [netshoot(labels={"app": "probed"})], type="LoadBalancer", internal_load_balancer=True
    )
    arm.assert_groups_let_load_balancer_in(internal)


@pytest.mark.aksnet(
    id="azure.nsg-lets-required-egress-out",
    feature="azure",
    severity="critical",
    needs=("host-network",),
)
def test_nsg_lets_required_egress_out(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """What nodes must reach is not denied by a security group: DNS, the API server, Azure.

    Why: Without its API server, its DNS servers or the registry a node is lost at the next start,
    and the silence of a dropped packet does not say who dropped it.

    Remedy: let the named destination out before the rule that denies it (`az network nsg rule
    create --direction Outbound --destination-address-prefixes AzureCloud`).
    """
    arm.assert_groups_let_required_out(
        netshoot.on_each(aks.nodes, host_network=True, spec={"dnsPolicy": "Default"})
    )


@pytest.mark.aksnet(
    id="azure.nsg-closes-management-ports",
    feature="azure",
    severity="major",
)
def test_nsg_closes_management_ports(arm: Arm) -> None:
    """No security group lets the whole internet in to SSH or RDP of nodes.

    Why: Management ports that are open to everybody are tried by everybody, all day.

    Remedy: remove the named rule or give it known sources (`az network nsg rule update
    --source-address-prefixes`); `kubectl debug node` and `az vmss run-command` need no open port.
    """
    arm.assert_groups_close_management()


@pytest.mark.aksnet(
    id="azure.subnets-have-security-groups",
    feature="azure",
    severity="major",
)
def test_subnets_have_security_groups(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """Every subnet with nodes or pods has a network security group, or all its interfaces have.

    Why: Without one nothing is between the cluster and whatever gets a route to it.

    Remedy: `az network vnet subnet update --network-security-group`, after a look at what the
    group's rules let between nodes.
    """
    arm.assert_subnets_have_groups(netshoot.on_each(aks.nodes))
