"""Accelerated networking: each node has a virtual function, and traffic goes through it."""

import pytest

from pytest_aksnet.factories import IperfFactory, NetshootFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(
    id="accelerated-networking.vf-present",
    feature="accelerated-networking",
    severity="major",
    needs=("host-network",),
)
def test_vf_present(node: NodeRef, netshoot: NetshootFactory) -> None:
    """Every node has a virtual function of a known driver below its network interface."""
    netshoot(on=node, host_network=True).assert_vf_present()


@pytest.mark.aksnet(
    id="accelerated-networking.vf-used",
    feature="accelerated-networking",
    severity="major",
    needs=("host-network",),
)
def test_vf_used(
    node_pair: tuple[NodeRef, NodeRef], netshoot: NetshootFactory, iperf: IperfFactory
) -> None:
    """Nearly all packets of a transfer between two nodes go through the virtual function."""
    source, target = node_pair
    sender = netshoot(on=source, host_network=True)
    sender.assert_vf_used(iperf(on=target, host_network=True))
