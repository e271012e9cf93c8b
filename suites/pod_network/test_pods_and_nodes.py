"""The rules of the Kubernetes network model: pods and nodes reach one another without NAT."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(id="pod-network.same-node", feature="pod-network", severity="critical")
def test_same_node(node: NodeRef, netshoot: NetshootFactory) -> None:
    """Two pods on one node reach each other, and the target sees the source pod's own address.

    Why: The way inside a node needs no other machine; where it fails, the node itself is broken.

    Remedy: Look at the pod's interface and routes (`kubectl exec POD -- ip route`), at the node's
    veth links, at its forwarding (`sysctl net.ipv4.ip_forward`) and at masquerade rules.
    """
    netshoot(on=node).assert_no_snat(netshoot(on=node, fresh=True))


@pytest.mark.aksnet(id="pod-network.other-node", feature="pod-network", severity="critical")
def test_other_node(node_pair: tuple[NodeRef, NodeRef], netshoot: NetshootFactory) -> None:
    """Pods on different nodes reach each other.

    Why: It is what a cluster is for; every Service and every database connection rests on it.

    Remedy: Check the routes of the pod network (kubenet: the route table; else the CNI's agents),
    the rules of network security groups between nodes, and IP forwarding of the nodes.
    """
    source, target = netshoot.on_each(node_pair)
    source.assert_connects(target)


@pytest.mark.aksnet(id="pod-network.source-kept", feature="pod-network", severity="critical")
def test_source_kept(node_pair: tuple[NodeRef, NodeRef], netshoot: NetshootFactory) -> None:
    """A pod on another node sees the source pod's own address.

    Why: The network model has no NAT between pods; policies, access logs and rate limits go by the
    address.

    Remedy: The ranges of pods must be in nonMasqueradeCIDRs of azure-ip-masq-agent (`kubectl get
    configmap -n kube-system -l component=ip-masq-agent -o yaml`).
    """
    source, target = netshoot.on_each(node_pair)
    source.assert_no_snat(target)


@pytest.mark.aksnet(
    id="pod-network.pod-to-node", feature="pod-network", severity="major", needs=("host-network",)
)
def test_pod_to_node(node: NodeRef, netshoot: NetshootFactory) -> None:
    """A pod reaches what listens on the address of its own node.

    Why: Node-local agents, such as metrics, logging and DNS caches, are called like that.

    Remedy: Look at the node's own firewall and at the policy engine's rule for traffic to the host
    (Calico: DefaultEndpointToHostAction).
    """
    netshoot(on=node).assert_connects(netshoot(on=node, host_network=True))


@pytest.mark.aksnet(
    id="pod-network.pod-to-other-node",
    feature="pod-network",
    severity="major",
    needs=("host-network",),
)
def test_pod_to_other_node(node_pair: tuple[NodeRef, NodeRef], netshoot: NetshootFactory) -> None:
    """A pod reaches what listens on the address of another node.

    Why: The API's endpoints, kubelets and host-network ingress controllers are such addresses.

    Remedy: Rules of the network security group of the nodes' subnet must let nodes and pods reach
    nodes on all ports; in overlay the node's address is what arrives (masquerade).
    """
    source, target = node_pair
    netshoot(on=source).assert_connects(netshoot(on=target, host_network=True))


@pytest.mark.aksnet(
    id="pod-network.node-to-pod", feature="pod-network", severity="major", needs=("host-network",)
)
def test_node_to_pod(node_pair: tuple[NodeRef, NodeRef], netshoot: NetshootFactory) -> None:
    """A node reaches the pods of another node.

    Why: Ingress through node ports and host-network controllers send to pods from a node's address.

    Remedy: Check the route from that node to the range of the other node's pods, and rules of
    security groups that name the range of pods only.
    """
    source, target = node_pair
    netshoot(on=source, host_network=True).assert_connects(netshoot(on=target))


@pytest.mark.aksnet(
    id="pod-network.node-to-node",
    feature="pod-network",
    severity="critical",
    needs=("host-network", "two-nodes"),
)
def test_node_to_node(node: NodeRef, aks: Aks, netshoot: NetshootFactory) -> None:
    """A node reaches what listens on the addresses of all other nodes, over TCP and UDP.

    Why: AKS needs all traffic between nodes; what is closed there breaks node ports, metrics and
    overlays one by one.

    Remedy: In the security groups of the nodes' subnet allow all ports from the nodes' range to
    itself; `az network nic list-effective-nsg` shows which rule denies.
    """
    hosts = netshoot.on_each(aks.other_nodes(node), host_network=True)
    netshoot(on=node, host_network=True).assert_reaches_all(hosts, protocol="tcp")
    netshoot(on=node, host_network=True).assert_reaches_all(hosts, protocol="udp")
