"""The resolver that pods are given, by their dnsPolicy."""

import pytest

from pytest_aksnet.assertions.dns_resolver import counting_spec, dns_none
from pytest_aksnet.factories import Aks, NetshootFactory


@pytest.mark.aksnet(id="dns.cluster-first", feature="dns", severity="critical")
def test_cluster_first(netshoot: NetshootFactory, aks: Aks) -> None:
    """Pods on every node are given the cluster's DNS, its search list and ndots 5.

    Why: what the kubelet of one node writes wrongly, all pods that start there have.

    Remedy: compare clusterDNS and clusterDomain of the kubelets (kubectl get --raw
    /api/v1/nodes/NODE/proxy/configz), and look for admission webhooks that change dnsConfig.
    """
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_cluster_first()


@pytest.mark.aksnet(
    id="dns.cluster-first-host-network", feature="dns", severity="major", needs=("host-network",)
)
def test_cluster_first_with_host_network(netshoot: NetshootFactory, aks: Aks) -> None:
    """Pods in their node's network with ClusterFirstWithHostNet are given the cluster's DNS.

    Why: agents that run in the node's network find Services by name only with this policy.

    Remedy: see dns.cluster-first; the kubelet of the node wrote the file.
    """
    for pod in netshoot.on_each(aks.nodes, host_network=True):
        pod.assert_cluster_first()


@pytest.mark.aksnet(id="dns.policy-default", feature="dns", severity="major")
def test_policy_default(netshoot: NetshootFactory, aks: Aks) -> None:
    """Pods with dnsPolicy Default are given the resolvers of their node, on every node.

    Why: CoreDNS itself runs with this policy; a stub address or an outdated server there breaks
    all names of the world.

    Remedy: resolvConf of the kubelet is to be /run/systemd/resolve/resolv.conf; after the DNS
    servers of the virtual network have changed, nodes take them when they are restarted.
    """
    for pod in netshoot.on_each(aks.nodes, spec={"dnsPolicy": "Default"}):
        pod.assert_dns_of_node()


@pytest.mark.aksnet(id="dns.policy-none", feature="dns", severity="minor")
def test_policy_none(netshoot: NetshootFactory) -> None:
    """A pod with dnsPolicy None is given exactly what its dnsConfig says.

    Why: workloads that avoid the cluster's DNS or its search list rest on it.

    Remedy: look for admission webhooks that add to, or take away from, dnsConfig
    (kubectl get mutatingwebhookconfigurations).
    """
    servers, searches = ["192.0.2.53", "192.0.2.54"], ["one.aksnet.example", "two.aksnet.example"]
    options = {"ndots": "2", "timeout": "3", "edns0": None}
    pod = netshoot(spec=dns_none(servers, searches, options))
    pod.assert_dns_as_given(servers, searches, options)


@pytest.mark.aksnet(id="dns.search-counted", feature="dns", severity="minor")
def test_search_counted(netshoot: NetshootFactory) -> None:
    """A short name costs one query for each search domain, in order, and one as it is.

    Why: with ndots 5 every name of the world is asked for four times and more; another order or
    number means that names resolve to something else, or that the DNS carries more than it must.

    Remedy: end names of the world with a dot, or lower ndots in the dnsConfig of pods that ask for
    many; look for webhooks where dnsConfig is not applied.
    """
    netshoot(spec=counting_spec()).assert_search_counted()
