"""The kernel and the clock of every node, seen from host-network pods without any privilege."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory


@pytest.mark.aksnet(
    id="node-health.kernel-settings",
    feature="node-health",
    severity="critical",
    needs=("host-network",),
)
def test_kernel_settings(aks: Aks, netshoot: NetshootFactory) -> None:
    """The kernel of every node forwards packets, and its other settings are in their ranges.

    Why: with ip_forward off, as after a hardening script, a node looks well and its pods reach
    nobody; too few ports or tracked connections fail under load only.

    Remedy: find who set it (`grep -r NAME /etc/sysctl.d` by `kubectl debug node/NAME`); on AKS set
    it by a custom node configuration (`az aks nodepool add --linux-os-config FILE`).
    """
    for host in netshoot.on_each(aks.nodes, host_network=True):
        host.assert_kernel_settings()


@pytest.mark.aksnet(
    id="node-health.clocks-agree",
    feature="node-health",
    severity="major",
    needs=("host-network", "two-nodes"),
)
def test_clocks_agree(aks: Aks, netshoot: NetshootFactory) -> None:
    """The clocks of all nodes agree.

    Why: certificates, tokens and Leases carry times, so pods on a node whose clock is wrong are
    refused by others for reasons that nobody looks for.

    Remedy: `chronyc tracking` on the node (`kubectl debug node/NAME`); on Azure chrony takes the
    time from the host by the PTP device /dev/ptp_hyperv.
    """
    hosts = netshoot.on_each(aks.nodes, host_network=True)
    hosts[0].assert_clocks_agree(hosts)


@pytest.mark.aksnet(
    id="node-health.same-mtu",
    feature="node-health",
    severity="major",
    needs=("host-network", "two-nodes"),
)
def test_same_mtu(aks: Aks, netshoot: NetshootFactory) -> None:
    """The network interfaces of all nodes have the same MTU.

    Why: between nodes with different MTUs long packets vanish or are cut, so that small requests
    work and large answers hang.

    Remedy: `ip link show eth0` on the nodes; what sets it is netplan or a DaemonSet, and both ends
    and Azure have to agree on more than 1500.
    """
    hosts = netshoot.on_each(aks.nodes, host_network=True)
    hosts[0].assert_same_mtu(hosts)


@pytest.mark.aksnet(
    id="node-health.conntrack-headroom",
    feature="node-health",
    severity="major",
    needs=("host-network", "two-nodes"),
)
def test_conntrack_headroom(aks: Aks, netshoot: NetshootFactory) -> None:
    """No node's table of tracked connections is nearly full, or drops packets under a small load.

    Why: a full table drops the first packet of every new connection, DNS queries included, while
    everything that is connected goes on.

    Remedy: `conntrack -S` and `sysctl net.netfilter.nf_conntrack_count`; find the pod with the many
    flows, or raise netNetfilterNfConntrackMax in the pool's node configuration.
    """
    hosts = netshoot.on_each(aks.nodes, host_network=True)
    hosts[0].assert_conntrack_headroom(hosts)


@pytest.mark.aksnet(
    id="node-health.interface-drops",
    feature="node-health",
    severity="major",
    needs=("host-network", "two-nodes"),
)
def test_interface_drops(aks: Aks, netshoot: NetshootFactory) -> None:
    """The network interface of no node counts errors or drops while nodes talk to each other.

    Why: what an interface drops TCP sends again, so that all is slow and nothing fails.

    Remedy: `ip -s -s link show eth0` and `ethtool -S eth0` on the node; look at the load of its
    CPUs, at its receive queues (`ethtool -l`), and whether Azure services the host.
    """
    hosts = netshoot.on_each(aks.nodes, host_network=True)
    hosts[0].assert_links_lose_nothing(hosts)


@pytest.mark.aksnet(
    id="node-health.tcp-retransmits",
    feature="node-health",
    severity="major",
    needs=("host-network", "two-nodes"),
)
def test_tcp_retransmits(aks: Aks, netshoot: NetshootFactory) -> None:
    """Nearly no TCP segment has to be sent again while nodes talk to each other.

    Why: a loss of a few packets in a hundred divides the throughput of every connection, and adds
    seconds to those whose first packet is lost.

    Remedy: `nstat -az TcpRetransSegs` on each node, and `mtr` between the two nodes that lose;
    compare interface-drops, throughput and Azure's resource health of the VM.
    """
    hosts = netshoot.on_each(aks.nodes, host_network=True)
    hosts[0].assert_few_retransmits(hosts)
