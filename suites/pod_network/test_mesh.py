"""Every pair of nodes: pods of each node reach pods of every node, over both protocols."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(
    id="pod-network.mesh-tcp", feature="pod-network", severity="critical", needs=("two-nodes",)
)
def test_mesh_tcp(node: NodeRef, aks: Aks, netshoot: NetshootFactory) -> None:
    """Pods of a node reach pods of all other nodes over TCP, and the right ones answer.

    Why: It is the first rule of the Kubernetes network model; where one pair of nodes is cut,
    applications fail for a part of their replicas.

    Remedy: The failure names the pairs and says whether the target answers itself; look at routes
    (kubenet: `az network route-table route list`), security groups and the CNI agent of that node.
    """
    targets = netshoot.on_each(aks.other_nodes(node))
    netshoot(on=node).assert_reaches_all(targets, protocol="tcp")


@pytest.mark.aksnet(
    id="pod-network.mesh-udp", feature="pod-network", severity="critical", needs=("two-nodes",)
)
def test_mesh_udp(node: NodeRef, aks: Aks, netshoot: NetshootFactory) -> None:
    """Pods of a node reach pods of all other nodes over UDP, and the right ones answer.

    Why: DNS, QUIC and VXLAN are UDP, which filters and connection tracking treat apart from TCP.

    Remedy: Where TCP passes, a filter by protocol is to blame: rules of network security groups,
    firewalls between subnets, network policies.
    """
    targets = netshoot.on_each(aks.other_nodes(node))
    netshoot(on=node).assert_reaches_all(targets, protocol="udp")


@pytest.mark.aksnet(
    id="pod-network.path-mtu", feature="pod-network", severity="major", needs=("two-nodes",)
)
def test_path_mtu(node: NodeRef, aks: Aks, netshoot: NetshootFactory) -> None:
    """Packets as long as the pods' interfaces take get to pods of all other nodes with DF set.

    Why: Where long packets vanish and nobody is told, small requests work and large answers hang.

    Remedy: Look for a tunnel or VPN on the way and for a filter that drops ICMP (fragmentation
    needed); `ping -M do -s 1472` from pod to pod shows the same.
    """
    targets = netshoot.on_each(aks.other_nodes(node))
    netshoot(on=node).assert_path_mtu(targets)


@pytest.mark.aksnet(
    id="pod-network.path-mtu-node",
    feature="pod-network",
    severity="major",
    needs=("host-network", "two-nodes"),
)
def test_path_mtu_node(aks: Aks, netshoot: NetshootFactory) -> None:
    """Packets as long as interfaces take get from pods and nodes to all other nodes with DF set.

    Why: Kubelet, API server, ingress controllers and registries talk with nodes, not with pods; a
    black hole there shows as exec, logs or image pulls that hang.

    Remedy: Compare the MTU of eth0 on the nodes (1500 in AKS), and look for a filter that drops
    ICMP (fragmentation needed) between them.
    """
    hosts = netshoot.on_each(aks.nodes, host_network=True)
    for pod in (*hosts, *netshoot.on_each(aks.nodes)):
        pod.assert_path_mtu([host for host in hosts if host.pod.node != pod.pod.node])
