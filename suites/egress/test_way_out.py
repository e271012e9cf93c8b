"""With which address the cluster leaves, or that it does not leave at all."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory


@pytest.mark.aksnet(id="egress.address-promised", feature="egress", severity="critical")
def test_address_promised(netshoot: NetshootFactory, aks: Aks) -> None:
    """A name server on the internet sees pods of every node, over TCP, with a promised address.

    Why: one node that leaves by another way, past a firewall or with an address that nobody
    allowed, is found late, by the pods that happen to run there.

    Remedy: `az aks show --query networkProfile` for the outbound type and its addresses; compare
    egress_ips of the site file and the route tables of all node subnets.
    """
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_leaves_as_promised(over="tcp")


@pytest.mark.aksnet(id="egress.address-over-udp", feature="egress", severity="major")
def test_address_over_udp(netshoot: NetshootFactory, aks: Aks) -> None:
    """A name server on the internet sees pods of every node, over UDP, with a promised address.

    Why: outbound rules, NAT and firewalls treat UDP apart from TCP; an outbound rule for TCP alone
    leaves UDP without a way, or with another address.

    Remedy: the outbound rule of the load balancer must have protocol All (`az network lb
    outbound-rule list`); look at the firewall's network rules for UDP.
    """
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_leaves_as_promised(over="udp")


@pytest.mark.aksnet(id="egress.ipv6-way-out", feature="egress", severity="major")
def test_ipv6_way_out(netshoot: NetshootFactory, aks: Aks) -> None:
    """With dual stack pods of every node reach the internet over IPv6, with a public address.

    Why: programs try IPv6 first where names have it, and hang where packets vanish.

    When: pods have IPv6 addresses.

    Remedy: the load balancer needs an IPv6 outbound address (`az aks show --query
    networkProfile.loadBalancerProfile`), and the nodes' subnet an IPv6 range.
    """
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_leaves_by_ipv6()


@pytest.mark.aksnet(
    id="egress.no-way-out",
    feature="egress",
    severity="critical",
    needs=("host-network",),
)
def test_no_way_out(netshoot: NetshootFactory, aks: Aks) -> None:
    """A cluster that is to have no way to the internet has none, neither for pods nor for nodes.

    Why: isolation is what keeps data in; one outbound rule, public address or route ends it.

    When: the site file has outbound = "none".

    Remedy: look for outbound rules, NAT gateways, public addresses of nodes and default routes:
    `az network lb outbound-rule list`, `az network nic show-effective-route-table`.
    """
    pods = netshoot.on_each(aks.nodes)
    for pod in (*pods, *netshoot.on_each(aks.nodes, host_network=True)):
        pod.assert_no_way_out(aks.site.external_names)
