"""Which source address destinations outside the pod network see, as the network mode promises."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(
    id="egress.source-at-pods", feature="egress", severity="critical", needs=("two-nodes",)
)
def test_source_at_pods(netshoot: NetshootFactory, aks: Aks) -> None:
    """Pods of all nodes see each other's own addresses.

    Why: network policies, allow lists and audit logs name pods by their addresses; a translated
    address is the node's, and stands for everything on it.

    Remedy: compare nonMasqueradeCIDRs of azure-ip-masq-agent with the pod range:
    `kubectl -n kube-system get configmap azure-ip-masq-agent-config-reconciled -o yaml`.
    """
    for node in aks.nodes:
        others = netshoot.on_each(aks.other_nodes(node))
        netshoot(on=node).assert_sources_as_promised(others)


@pytest.mark.aksnet(
    id="egress.source-at-own-node", feature="egress", severity="minor", needs=("host-network",)
)
def test_source_at_own_node(netshoot: NetshootFactory, aks: Aks) -> None:
    """The node's own processes see the addresses of the node's pods.

    Why: agents on the node, such as those for logs, metrics and identities, tell pods apart by
    their addresses.

    Remedy: look for a MASQUERADE rule before the agent's own in the node's nat table; rules of
    azure-ip-masq-agent spare destinations that are local to the node.
    """
    for node in aks.nodes:
        netshoot(on=node).assert_sources_as_promised([netshoot(on=node, host_network=True)])


@pytest.mark.aksnet(
    id="egress.source-at-other-node", feature="egress", severity="major", needs=("host-network",)
)
def test_source_at_other_node(
    node_pair: tuple[NodeRef, NodeRef], netshoot: NetshootFactory
) -> None:
    """Another node sees the source address that the network mode promises inside the VNet.

    Why: overlay and kubenet pods must hide behind their node, as nothing outside can answer them;
    in flat networks firewalls and servers must see the pod itself.

    Remedy: compare nonMasqueradeCIDRs of azure-ip-masq-agent with what the mode needs (AKS docs:
    concepts-network-cni-overview), and look for network security group rules between nodes.
    """
    source, target = node_pair
    netshoot(on=source).assert_source_as_promised(netshoot(on=target, host_network=True))


@pytest.mark.aksnet(id="egress.source-at-vm", feature="egress", severity="major")
def test_source_at_vm(node: NodeRef, netshoot: NetshootFactory, aks: Aks) -> None:
    """A VM in the VNet sees the source address that the network mode promises.

    Why: security groups, firewalls and database allow lists inside the VNet are written for
    either pods or nodes; the other one is refused, or let in by mistake.

    Remedy: compare nonMasqueradeCIDRs of azure-ip-masq-agent with the ranges of the VNet:
    `kubectl -n kube-system get configmap azure-ip-masq-agent-config-reconciled -o yaml`.
    """
    netshoot(on=node).assert_source_as_promised(aks.site.need_vnet_vm())


@pytest.mark.aksnet(id="egress.source-at-peered-vm", feature="egress", severity="major")
def test_source_at_peered_vm(netshoot: NetshootFactory, aks: Aks) -> None:
    """A VM in a peered VNet sees the source address that the network mode promises.

    Why: a hub's firewall and its routes know either nodes or pods; with the other address answers
    are dropped or take another way.

    Remedy: `az network vnet peering list` must say Connected on both sides; compare
    nonMasqueradeCIDRs of azure-ip-masq-agent with the range of the peered VNet.
    """
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_source_as_promised(aks.site.need_peered_vm())


@pytest.mark.aksnet(id="egress.source-at-on-prem", feature="egress", severity="major")
def test_source_at_on_prem(netshoot: NetshootFactory, aks: Aks) -> None:
    """A host on premises sees the source address that the network mode promises.

    Why: sites on premises route and filter by the ranges they were told; overlay pod ranges are
    never among them.

    Remedy: look at the state of the VPN or ExpressRoute connection and at the routes it announces:
    `az network vpn-connection show`, `az network vnet-gateway list-learned-routes`.
    """
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_source_as_promised(aks.site.need_on_prem())


@pytest.mark.aksnet(
    id="egress.node-source-inside", feature="egress", severity="minor", needs=("host-network",)
)
def test_node_source_inside(netshoot: NetshootFactory, aks: Aks) -> None:
    """Hosts inside (VNet, peered VNet, on premises) see each node itself with its own address.

    Why: kubelets, volume drivers and other host-network pods reach storage and directories there,
    which let in the nodes' subnet.

    Remedy: look at the route table of the nodes' subnet and at the peering: `az network nic
    show-effective-route-table`.
    """
    for pod in netshoot.on_each(aks.nodes, host_network=True):
        for host in aks.site.need_inside():
            pod.assert_source_as_promised(host)


@pytest.mark.aksnet(id="egress.source-at-internet", feature="egress", severity="major")
def test_source_at_internet(node: NodeRef, netshoot: NetshootFactory, aks: Aks) -> None:
    """A host on the internet sees the cluster's public egress address.

    Why: partners and SaaS allow the cluster's traffic by that address.

    Remedy: compare egress_ips of the site file with what the outbound type gives: outbound IPs of
    the load balancer, of the NAT gateway or of the firewall (`az aks show --query
    networkProfile.outboundType`).
    """
    netshoot(on=node).assert_source_as_promised(aks.site.need_internet())


@pytest.mark.aksnet(
    id="egress.node-source-at-internet", feature="egress", severity="minor", needs=("host-network",)
)
def test_node_source_at_internet(node: NodeRef, netshoot: NetshootFactory, aks: Aks) -> None:
    """A host on the internet sees the same public egress address for the node itself.

    Why: image pulls and host-network pods leave as the node does; a node with a public address of
    its own, or with another route, leaves past the firewall.

    Remedy: look for public addresses of nodes (enableNodePublicIP) and at the route table of each
    pool's subnet.
    """
    netshoot(on=node, host_network=True).assert_source_as_promised(aks.site.need_internet())
