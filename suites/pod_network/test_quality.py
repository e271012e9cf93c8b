"""The ways between nodes: every port, many connections, few losses, and ICMP."""

import pytest

from pytest_aksnet.assertions.pod_ways import PORTS
from pytest_aksnet.factories import Aks, NetshootFactory
from pytest_aksnet.model.peers import NodeRef
from pytest_aksnet.probes import reflector


@pytest.mark.aksnet(
    id="pod-network.ports", feature="pod-network", severity="major", needs=("two-nodes",)
)
def test_ports(aks: Aks, netshoot: NetshootFactory) -> None:
    """Pods answer on low and high ports, over TCP and UDP, to pods of all nodes.

    Why: Rules of a network security group that allow known ports only break whatever uses others,
    often long after they were written.

    Remedy: Let all traffic pass between the ranges of nodes and pods in the security groups of the
    nodes' subnet; `az network nic list-effective-nsg` shows which rule denies.
    """
    command = reflector.argv(reflector.PORT, *PORTS)
    targets = netshoot.on_each(aks.nodes, container={"command": list(command)})
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_reaches_ports(targets, PORTS)


@pytest.mark.aksnet(id="pod-network.many-connections", feature="pod-network", severity="major")
def test_many_connections(node_pair: tuple[NodeRef, NodeRef], netshoot: NetshootFactory) -> None:
    """200 TCP connections between two nodes are open at the same time, and each of them works.

    Why: A full connection tracking table, or a limit per source, drops new connections while those
    that exist go on, so that the network seems to work now and then.

    Remedy: `sysctl net.netfilter.nf_conntrack_max nf_conntrack_count` and `dmesg` on both nodes;
    raise the limit in the node pool's linux-os-config, or find who opens so many.
    """
    source, target = netshoot.on_each(node_pair)
    source.assert_connects_often(target)


@pytest.mark.aksnet(id="pod-network.loss", feature="pod-network", severity="major")
def test_loss(node_pair: tuple[NodeRef, NodeRef], netshoot: NetshootFactory) -> None:
    """Of 500 datagrams between two nodes no more are lost than a sound network loses by chance.

    Why: One packet of fifty lost is invisible to single requests and takes most of the throughput
    of TCP away.

    Remedy: `ethtool -S eth0` on both nodes (drops, ring overflows, vf_ counters), then the health
    of the hosts in Azure Resource Health.
    """
    source, target = netshoot.on_each(node_pair)
    source.assert_little_loss(target)


@pytest.mark.aksnet(
    id="pod-network.icmp-echo", feature="pod-network", severity="minor", needs=("two-nodes",)
)
def test_icmp_echo(aks: Aks, netshoot: NetshootFactory) -> None:
    """Pods of every node answer pings of pods of every node.

    Why: Where ICMP is dropped, senders never learn of a smaller MTU on the way, and monitoring by
    ping shows healthy nodes as dead.

    When: Where pods may open ping sockets (net.ipv4.ping_group_range).

    Remedy: Allow ICMP between the ranges of nodes and pods in network security groups and
    firewalls.
    """
    pods = netshoot.on_each(aks.nodes)
    for pod in pods:
        pod.assert_pings_all([other for other in pods if other is not pod])
