"""Names of Services, as pods on every node resolve them."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory, ServiceFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(
    id="dns.service-name", feature="dns", severity="critical", needs=("kubernetes-service",)
)
def test_service_name(node: NodeRef, netshoot: NetshootFactory, aks: Aks) -> None:
    """The full name of a Service resolves to its cluster address from every node."""
    api = aks.service("default", "kubernetes")
    netshoot(on=node).assert_resolves(api.fqdn, to=api)


@pytest.mark.aksnet(
    id="dns.search-path", feature="dns", severity="major", needs=("kubernetes-service",)
)
def test_search_path(node: NodeRef, netshoot: NetshootFactory, aks: Aks) -> None:
    """A Service resolves by its short name, through the search path that pods are given."""
    netshoot(on=node).assert_resolves("kubernetes.default", to=aks.service("default", "kubernetes"))


@pytest.mark.aksnet(id="dns.headless-service", feature="dns", severity="major")
def test_headless_service(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """A headless Service resolves to the addresses of exactly its ready pods."""
    ready = netshoot.on_each(aks.nodes[:2], labels={"app": "headless"})
    waiting = netshoot(on=aks.nodes[0], labels={"app": "headless"}, ready=False)
    assert waiting.pod.ip not in {pod.pod.ip for pod in ready}
    name = service(ready, headless=True).fqdn
    netshoot().assert_resolves(name, to=[pod.pod.ip for pod in ready])


@pytest.mark.aksnet(
    id="dns.external-name", feature="dns", severity="minor", needs=("kubernetes-service",)
)
def test_external_name(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """A Service of type ExternalName is an alias of the name that it stands for."""
    api = aks.service("default", "kubernetes")
    alias = service(external_name=api.fqdn)
    netshoot().assert_resolves(alias.fqdn, to=[api.fqdn, api.cluster_ip])
