"""Route tables of the cluster's subnets: what takes them, and what packets say of the way."""

import pytest

from pytest_aksnet.azure_inventory import Arm
from pytest_aksnet.factories import Aks, NetshootFactory

_NODES_DNS = {"dnsPolicy": "Default"}


@pytest.mark.aksnet(
    id="azure.default-route-answers",
    feature="azure",
    severity="critical",
)
def test_default_route_answers(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """What user-defined routes send to an appliance gets answers.

    Why: Azure takes any address as a next hop: after a firewall was replaced, packets go on to the
    old one, and neither the route nor the subnet shows that anything is wrong.

    When: a route of the cluster's subnets leads to a virtual appliance.

    Remedy: `az network route-table route update --next-hop-ip-address` with the address of the
    appliance that forwards; its interface needs IP forwarding.
    """
    arm.assert_appliances_answer(netshoot.on_each(aks.nodes, spec=_NODES_DNS))


@pytest.mark.aksnet(
    id="azure.no-route-to-nowhere",
    feature="azure",
    severity="critical",
)
def test_no_route_to_nowhere(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """No route with next hop None drops what nodes and pods must reach.

    Why: Such a route is silent: it looks like a dead server, from every node at once.

    When: a route of the cluster's subnets has next hop None.

    Remedy: `az network route-table route delete` for the named route, or a narrower prefix.
    """
    arm.assert_no_dead_ends(netshoot.on_each(aks.nodes, spec=_NODES_DNS))


@pytest.mark.aksnet(
    id="azure.outbound-type-fits-routes",
    feature="azure",
    severity="critical",
)
def test_outbound_type_fits_routes(arm: Arm) -> None:
    """Subnets of nodes have the default route that the cluster's outbound type needs.

    Why: With userDefinedRouting AKS makes no way out: without the route there is none, or one that
    goes round the firewall. With a load balancer or NAT gateway a default route to an appliance
    takes the answers of public Services another way than their questions.

    Remedy: `az network route-table route create --address-prefix 0.0.0.0/0 --next-hop-type
    VirtualAppliance`, or another outbound type (`az aks update --outbound-type`).
    """
    arm.assert_outbound_type_fits()


@pytest.mark.aksnet(id="azure.kubenet-routes", feature="azure", severity="critical")
def test_kubenet_routes(arm: Arm, netshoot: NetshootFactory, aks: Aks) -> None:
    """Each node's share of the pods' range is routed to that node, and its pods are reached.

    Why: With kubenet the route table is all that knows where pods are; an entry that is lost or
    old cuts one node's pods off from all others.

    When: the network plugin is kubenet.

    Remedy: `az network route-table route list` beside `kubectl get nodes -o wide` with podCIDR;
    the cluster's identity must be allowed to write the table, then it repairs it.
    """
    arm.assert_node_ranges_routed(netshoot.on_each(aks.nodes))
