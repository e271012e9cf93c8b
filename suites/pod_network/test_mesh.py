"""Every pair of nodes: pods of each node reach pods of every node, over both protocols."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(
    id="pod-network.mesh-tcp", feature="pod-network", severity="critical", needs=("two-nodes",)
)
def test_mesh_tcp(node: NodeRef, aks: Aks, netshoot: NetshootFactory) -> None:
    """Pods of a node reach pods of all other nodes over TCP, and the right ones answer."""
    targets = netshoot.on_each(aks.other_nodes(node))
    netshoot(on=node).assert_reaches_all(targets, protocol="tcp")


@pytest.mark.aksnet(
    id="pod-network.mesh-udp", feature="pod-network", severity="critical", needs=("two-nodes",)
)
def test_mesh_udp(node: NodeRef, aks: Aks, netshoot: NetshootFactory) -> None:
    """Pods of a node reach pods of all other nodes over UDP, and the right ones answer."""
    targets = netshoot.on_each(aks.other_nodes(node))
    netshoot(on=node).assert_reaches_all(targets, protocol="udp")


@pytest.mark.aksnet(
    id="pod-network.path-mtu", feature="pod-network", severity="major", needs=("two-nodes",)
)
def test_path_mtu(node: NodeRef, aks: Aks, netshoot: NetshootFactory) -> None:
    """Packets as long as the pods' interfaces take get to pods of all other nodes with DF set."""
    targets = netshoot.on_each(aks.other_nodes(node))
    netshoot(on=node).assert_path_mtu(targets)
