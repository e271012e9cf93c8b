"""The way from a pod to the cluster's DNS and on to the names of the world."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(id="dns.external-names", feature="dns", severity="critical")
def test_external_names(node: NodeRef, netshoot: NetshootFactory, aks: Aks) -> None:
    """Names outside the cluster resolve from every node."""
    for name in aks.external_names():
        netshoot(on=node).assert_resolves(f"{name}.")


@pytest.mark.aksnet(
    id="dns.every-replica",
    feature="dns",
    severity="major",
    needs=("kubernetes-service", "coredns-pods"),
)
def test_every_replica(netshoot: NetshootFactory, aks: Aks) -> None:
    """Every replica of CoreDNS answers for Services when it is asked directly."""
    api = aks.service("default", "kubernetes")
    replicas = aks.pods("kube-system", "k8s-app=kube-dns")
    assert replicas, "the cluster runs no pod with the label k8s-app=kube-dns in kube-system"
    for replica in replicas:
        netshoot().assert_resolves(api.fqdn, to=api, server=replica.ip)
