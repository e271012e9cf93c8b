"""The rules of the Kubernetes network model: pods and nodes reach one another without NAT."""

import pytest

from pytest_aksnet.factories import NetshootFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(id="pod-network.same-node", feature="pod-network", severity="critical")
def test_same_node(node: NodeRef, netshoot: NetshootFactory) -> None:
    """Two pods on one node reach each other, and the target sees the source pod's own address."""
    netshoot(on=node).assert_no_snat(netshoot(on=node, fresh=True))


@pytest.mark.aksnet(id="pod-network.other-node", feature="pod-network", severity="critical")
def test_other_node(node_pair: tuple[NodeRef, NodeRef], netshoot: NetshootFactory) -> None:
    """Pods on different nodes reach each other."""
    source, target = netshoot.on_each(node_pair)
    source.assert_connects(target)


@pytest.mark.aksnet(id="pod-network.source-kept", feature="pod-network", severity="critical")
def test_source_kept(node_pair: tuple[NodeRef, NodeRef], netshoot: NetshootFactory) -> None:
    """A pod on another node sees the source pod's own address."""
    source, target = netshoot.on_each(node_pair)
    source.assert_no_snat(target)


@pytest.mark.aksnet(
    id="pod-network.pod-to-node", feature="pod-network", severity="major", needs=("host-network",)
)
def test_pod_to_node(node: NodeRef, netshoot: NetshootFactory) -> None:
    """A pod reaches what listens on the address of its own node."""
    netshoot(on=node).assert_connects(netshoot(on=node, host_network=True))


@pytest.mark.aksnet(
    id="pod-network.pod-to-other-node",
    feature="pod-network",
    severity="major",
    needs=("host-network",),
)
def test_pod_to_other_node(node_pair: tuple[NodeRef, NodeRef], netshoot: NetshootFactory) -> None:
    """A pod reaches what listens on the address of another node."""
    source, target = node_pair
    netshoot(on=source).assert_connects(netshoot(on=target, host_network=True))


@pytest.mark.aksnet(
    id="pod-network.node-to-pod", feature="pod-network", severity="major", needs=("host-network",)
)
def test_node_to_pod(node_pair: tuple[NodeRef, NodeRef], netshoot: NetshootFactory) -> None:
    """A node reaches the pods of another node."""
    source, target = node_pair
    netshoot(on=source, host_network=True).assert_connects(netshoot(on=target))
