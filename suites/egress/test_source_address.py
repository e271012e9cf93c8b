"""Which source address destinations outside the pod network see, as the network mode promises."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(
    id="egress.source-at-other-node", feature="egress", severity="major", needs=("host-network",)
)
def test_source_at_other_node(
    node_pair: tuple[NodeRef, NodeRef], netshoot: NetshootFactory
) -> None:
    """Another node sees the source address that the network mode promises inside the VNet."""
    source, target = node_pair
    netshoot(on=source).assert_source_as_promised(netshoot(on=target, host_network=True))


@pytest.mark.aksnet(id="egress.source-at-vm", feature="egress", severity="major")
def test_source_at_vm(node: NodeRef, netshoot: NetshootFactory, aks: Aks) -> None:
    """A VM in the VNet sees the source address that the network mode promises."""
    netshoot(on=node).assert_source_as_promised(aks.site.need_vnet_vm())


@pytest.mark.aksnet(
    id="egress.source-at-internet", feature="egress", severity="major", controls=("MCSB NS-3",)
)
def test_source_at_internet(node: NodeRef, netshoot: NetshootFactory, aks: Aks) -> None:
    """A host on the internet sees the cluster's public egress address."""
    netshoot(on=node).assert_source_as_promised(aks.site.need_internet())


@pytest.mark.aksnet(
    id="egress.node-source-at-internet", feature="egress", severity="minor", needs=("host-network",)
)
def test_node_source_at_internet(node: NodeRef, netshoot: NetshootFactory, aks: Aks) -> None:
    """A host on the internet sees the same public egress address for the node itself."""
    netshoot(on=node, host_network=True).assert_source_as_promised(aks.site.need_internet())
