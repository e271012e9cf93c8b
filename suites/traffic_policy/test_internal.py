"""Services as pods use them: cluster addresses, hairpin, internal traffic policy."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory, ServiceFactory
from pytest_aksnet.model.peers import NodeRef


@pytest.mark.aksnet(id="traffic-policy.cluster-ip", feature="traffic-policy", severity="critical")
def test_cluster_ip(
    node: NodeRef, netshoot: NetshootFactory, service: ServiceFactory, aks: Aks
) -> None:
    """A Service's cluster address is served from every node, and backends see the client pod."""
    backends = netshoot.on_each(aks.nodes[:2], labels={"app": "cluster-ip"})
    netshoot(on=node).assert_no_snat(service(backends))


@pytest.mark.aksnet(id="traffic-policy.hairpin", feature="traffic-policy", severity="minor")
def test_hairpin(node: NodeRef, netshoot: NetshootFactory, service: ServiceFactory) -> None:
    """A pod reaches itself through the Service whose only backend it is, on every node."""
    pod = netshoot(on=node, labels={"app": "hairpin"})
    pod.assert_connects(service([pod]))


@pytest.mark.aksnet(id="traffic-policy.internal-local", feature="traffic-policy", severity="major")
def test_internal_local(
    node_pair: tuple[NodeRef, NodeRef], netshoot: NetshootFactory, service: ServiceFactory
) -> None:
    """With internalTrafficPolicy Local only a backend on the client's own node serves."""
    without, with_backend = node_pair
    backend = netshoot(on=with_backend, labels={"app": "internal-local"})
    local = service([backend], internal_traffic_policy="Local")
    neighbour = netshoot(on=with_backend)
    neighbour.assert_internal_local(local, [backend])
    netshoot(on=without).assert_internal_local_drops(local, [backend], neighbour)
