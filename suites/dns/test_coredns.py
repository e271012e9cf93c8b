"""CoreDNS and LocalDNS themselves: replicas, what the owner added, the cache on the nodes."""

import pytest

from pytest_aksnet.assertions.dns_layers import nodes_with_local_dns
from pytest_aksnet.factories import Aks, NetshootFactory
from pytest_aksnet.inventory import Inventory


@pytest.mark.aksnet(
    id="dns.replicas-ready", feature="dns", severity="info", needs=("coredns-pods",)
)
def test_replicas_ready(inventory: Inventory) -> None:
    """All replicas of CoreDNS are ready; those that all stand on one node are a warning.

    Why: with one replica, or all on one node, the drain of a node ends all name resolution.

    Remedy: kubectl describe pod -n kube-system -l k8s-app=kube-dns; on AKS the ConfigMap
    coredns-autoscaler sets their number.
    """
    inventory.assert_dns_replicas()


@pytest.mark.aksnet(
    id="dns.custom-corefile", feature="dns", severity="major", needs=("coredns-custom",)
)
def test_custom_corefile(inventory: Inventory) -> None:
    """What ConfigMap coredns-custom adds to CoreDNS is read by it, and does not stop it.

    Why: CoreDNS goes on with the old text until it restarts, and then does not start: an upgrade
    brings that to light.

    When: there is such a ConfigMap, and it has a key.

    Remedy: keys end with .server or .override, server blocks have braces, plugins are those that
    CoreDNS is built with; restart it after a change.
    """
    inventory.assert_custom_corefile()


@pytest.mark.aksnet(
    id="dns.local-dns", feature="dns", severity="critical", needs=("kubernetes-service",)
)
def test_local_dns(netshoot: NetshootFactory, aks: Aks) -> None:
    """LocalDNS answers on every node that has it, at both addresses, and pods there ask it.

    Why: pods of such a node ask nobody else; while it is down nothing resolves there.

    When: nodes have the label kubernetes.azure.com/localdns-state=enabled.

    Remedy: systemctl status localdns on the node (az aks command invoke, or kubectl debug node);
    reimage the node.
    """
    api = aks.service("default", "kubernetes")
    for pod in netshoot.on_each(nodes_with_local_dns(aks.nodes)):
        pod.assert_local_dns(api, aks.external_names())
