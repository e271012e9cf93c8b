"""Bandwidth between nodes and between pods, one pair at a time, each run bounded."""

import pytest

from pytest_aksnet.factories import IperfFactory, NetshootFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(
    id="accelerated-networking.throughput-between-nodes",
    feature="accelerated-networking",
    severity="major",
    needs=("host-network",),
)
def test_throughput_between_nodes(
    node_pair: tuple[NodeRef, NodeRef], netshoot: NetshootFactory, iperf: IperfFactory
) -> None:
    """Two nodes reach the share of their documented bandwidth that accelerated networking gives.

    Why: a node that is slow slows down every replica that talks to its pods, and nothing says so.

    Remedy: look at the check vf-present of the two nodes first, then at the CPU of the tool and at
    the size's "max network bandwidth"; state floors of your own as throughput_floor_gbps.
    """
    _, target = node_pair
    hosts = netshoot.on_each(node_pair, host_network=True)
    hosts[0].assert_throughput_gbps(iperf(on=target, host_network=True), hosts=hosts)


@pytest.mark.aksnet(
    id="accelerated-networking.pod-like-host",
    feature="accelerated-networking",
    severity="minor",
    needs=("host-network",),
)
def test_pod_like_host(
    node_pair: tuple[NodeRef, NodeRef], netshoot: NetshootFactory, iperf: IperfFactory
) -> None:
    """Pods on two nodes reach nearly the bandwidth that their nodes reach.

    Why: where pods are much slower than their nodes, what lies between, such as an annotation that
    limits them, an overlay or a policy engine, takes the rest.

    Remedy: look for kubernetes.io/ingress-bandwidth and egress-bandwidth on the pods, at `tc qdisc`
    of the pods' interfaces on the node, and at encryption between nodes.
    """
    source, target = node_pair
    host = netshoot(on=source, host_network=True).measure_throughput(
        iperf(on=target, host_network=True)
    )
    netshoot(on=source).assert_throughput_like_host(iperf(on=target), host)
