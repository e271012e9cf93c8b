"""IPv6 between pods, where the cluster has two families of addresses."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory


@pytest.mark.aksnet(id="pod-network.ipv6-mesh", feature="pod-network", severity="critical")
def test_ipv6_mesh(aks: Aks, netshoot: NetshootFactory) -> None:
    """Every pod has an IPv6 address, and pods of every node reach it over TCP and UDP.

    Why: Programs that find an IPv6 address try it first, and hang where packets to it vanish.

    When: In a dual-stack cluster.

    Remedy: Compare the nodes' IPv6 addresses and pod ranges (`kubectl get nodes -o yaml`), routes
    and security groups, which have rules of their own for IPv6.
    """
    pods = netshoot.on_each(aks.nodes)
    targets = [pod.over_ipv6() for pod in pods]
    for pod in pods:
        pod.assert_reaches_all(targets, protocol="tcp")
        pod.assert_reaches_all(targets, protocol="udp")


@pytest.mark.aksnet(id="pod-network.ipv6-source-kept", feature="pod-network", severity="critical")
def test_ipv6_source_kept(aks: Aks, netshoot: NetshootFactory) -> None:
    """Pods see the IPv6 address of the pod that asks, from every node.

    Why: Network policies and access lists go by it.

    When: In a dual-stack cluster.

    Remedy: See the IPv6 ranges in nonMasqueradeCIDRs of azure-ip-masq-agent (`kubectl get configmap
    -n kube-system azure-ip-masq-agent-config-reconciled -o yaml`).
    """
    pods = netshoot.on_each(aks.nodes)
    targets = [pod.over_ipv6() for pod in pods]
    for pod in pods:
        pod.assert_source_kept_by_all(targets)


@pytest.mark.aksnet(id="pod-network.ipv6-path-mtu", feature="pod-network", severity="major")
def test_ipv6_path_mtu(aks: Aks, netshoot: NetshootFactory) -> None:
    """IPv6 packets as long as the pods' interfaces take get to the pods of all nodes.

    Why: Routers never fragment IPv6, so a narrow way that says nothing ends every large transfer.

    When: In a dual-stack cluster.

    Remedy: Let ICMPv6 type 2 (packet too big) pass everywhere, and look for tunnels between the
    nodes.
    """
    pods = netshoot.on_each(aks.nodes)
    targets = [pod.over_ipv6() for pod in pods]
    for pod in pods:
        pod.assert_path_mtu(targets)
