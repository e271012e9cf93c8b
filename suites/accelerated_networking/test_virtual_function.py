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
    """Every node has a virtual function of a known driver below its network interface.

    Why: without it all packets take the synthetic path through the host, with several times the
    latency, more CPU and a fraction of the throughput, and nothing fails.

    Remedy: `az network nic show` (enableAcceleratedNetworking) or the size of the pool say whether
    it should be there; if so look at `lspci` and `dmesg` of the node, and redeploy the VM.
    """
    netshoot(on=node, host_network=True).assert_vf_present()


@pytest.mark.aksnet(
    id="accelerated-networking.vf-used",
    feature="accelerated-networking",
    severity="major",
    needs=("host-network",),
)
def test_vf_used(node_pair: tuple[NodeRef, NodeRef], iperf: IperfFactory) -> None:
    """Nearly all packets of a transfer between two nodes go through the virtual function.

    Why: a virtual function that is there and carries nothing costs as much latency and CPU as none;
    only the counters tell.

    Remedy: `ethtool -S eth0 | grep vf_` on the node before and after a transfer; where the counters
    stand still, `dmesg | grep -i hv_netvsc` says why; redeploy the VM.
    """
    iperf.between(node_pair).assert_vf_used_by_sender()
