"""One transfer between two nodes, there and back, and how near nodes are to each other."""

import pytest

from pytest_aksnet.factories import Aks, IperfFactory, NetshootFactory
from pytest_aksnet.model.peers import NodePool, NodeRef


@pytest.mark.aksnet(
    id="accelerated-networking.vf-used-by-receiver",
    feature="accelerated-networking",
    severity="major",
    needs=("host-network",),
)
def test_vf_used_by_receiver(node_pair: tuple[NodeRef, NodeRef], iperf: IperfFactory) -> None:
    """Nearly all packets of a transfer go through the virtual function of the receiver as well.

    Why: a receiver on the synthetic path costs CPU and latency on that node, and the sender's
    counters show nothing of it.

    Remedy: `ethtool -S eth0 | grep vf_` on the receiving node before and after a transfer; where
    the counters stand still, `dmesg | grep -i hv_netvsc` says why; redeploy the VM.
    """
    iperf.between(node_pair).assert_vf_used_by_receiver()


@pytest.mark.aksnet(
    id="accelerated-networking.ring-overflows",
    feature="accelerated-networking",
    severity="major",
    needs=("host-network",),
)
def test_ring_overflows(node_pair: tuple[NodeRef, NodeRef], iperf: IperfFactory) -> None:
    """The NICs of two nodes drop nearly nothing, and their rings do not overflow, in a transfer.

    Why: rings that overflow lose packets while every other figure of the node looks well, and TCP
    slows down.

    Remedy: `ethtool -S VF | grep -e out_of_buffer -e discards` and `ethtool -g VF` on the node;
    enlarge the rings (`ethtool -G`) and look at how interrupts are spread over the CPUs.
    """
    iperf.between(node_pair).assert_few_losses()


@pytest.mark.aksnet(
    id="accelerated-networking.retransmits",
    feature="accelerated-networking",
    severity="major",
    needs=("host-network",),
)
def test_retransmits(node_pair: tuple[NodeRef, NodeRef], iperf: IperfFactory) -> None:
    """Nearly no segment of a transfer that is far from filling the way is sent again.

    Why: what is sent again was lost; at a few percent a transfer falls to a fraction of the rate.

    Remedy: compare with the checks ring-overflows and node-health.interface-drops, which name the
    node; if neither fails the loss is between the nodes: `mtr -T` and Azure's resource health.
    """
    iperf.between(node_pair).assert_few_retransmits()


@pytest.mark.aksnet(
    id="accelerated-networking.throughput-back",
    feature="accelerated-networking",
    severity="major",
    needs=("host-network",),
)
def test_throughput_back(node_pair: tuple[NodeRef, NodeRef], iperf: IperfFactory) -> None:
    """Two nodes reach the share of their documented bandwidth in the other direction as well.

    Why: Azure limits what a VM sends, so the two directions of a pair are limited by two VMs, and
    one may be slow alone.

    Remedy: as for throughput-between-nodes, on the node that sends here, the second of the pair.
    """
    iperf.between(node_pair).assert_throughput_back()


@pytest.mark.aksnet(
    id="accelerated-networking.same-driver",
    feature="accelerated-networking",
    severity="minor",
    needs=("host-network",),
)
def test_same_driver(node_pool: NodePool, netshoot: NetshootFactory) -> None:
    """The virtual functions of a pool's nodes have one driver, of those that Azure has.

    Why: a VM may come back on other hardware (mlx5_core or mana) and works, but settings, tools and
    DPDK programs that name a driver miss it there, and its performance differs.

    When: two nodes of the pool take part.

    Remedy: `ethtool -i` of the interface whose master is eth0, on each node; reimage or redeploy
    the node that differs, or choose a size whose hosts are of one generation.
    """
    hosts = netshoot.on_each(node_pool.nodes, host_network=True)
    hosts[0].assert_same_driver(hosts, node_pool.name)


@pytest.mark.aksnet(
    id="accelerated-networking.latency",
    feature="accelerated-networking",
    severity="major",
    needs=("host-network", "two-nodes"),
)
def test_latency(aks: Aks, netshoot: NetshootFactory) -> None:
    """Half of the TCP round trips from a node to each other node take no longer than in one region.

    Why: every request between pods pays the round trip, several times over where TLS is opened.

    Remedy: compare the zones of the nodes (`kubectl get nodes -L topology.kubernetes.io/zone`);
    nodes far apart want a proximity placement group, a firewall between them wants another route.
    """
    first, *others = netshoot.on_each(aks.nodes, host_network=True)
    first.assert_near(others)
