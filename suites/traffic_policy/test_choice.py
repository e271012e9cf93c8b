"""Which endpoint a connection gets: spread, session affinity, traffic distribution."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory, ServiceFactory


@pytest.mark.aksnet(id="traffic-policy.spread", feature="traffic-policy", severity="major")
def test_spread(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """Connections spread over the endpoints of a Service as by chance, from every node.

    Why: an endpoint that gets too much is overloaded while others idle, and one that gets nothing
    is capacity that was paid for and does not work.

    Remedy: look for sessionAffinity and trafficDistribution of the Service, then at the rules of
    the node that is named: each endpoint needs the same probability.
    """
    backends = netshoot.on_each((aks.nodes * 3)[:3], labels={"app": "spread"})
    served = service(backends)
    for client in netshoot.on_each(aks.nodes):
        client.assert_spread(served, backends)


@pytest.mark.aksnet(
    id="traffic-policy.session-affinity", feature="traffic-policy", severity="major"
)
def test_session_affinity(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """With sessionAffinity ClientIP all connections of one client reach the same endpoint.

    Why: applications that keep sessions in memory lose them when a client changes its server.

    Remedy: look at the rules of the node that is named (`iptables-save | grep recent`, sets named
    affinity- of nftables); a masqueraded source makes many clients one.
    """
    backends = netshoot.on_each((aks.nodes * 2)[:2], labels={"app": "session-affinity"})
    sticky = service(backends, spec={"sessionAffinity": "ClientIP"})
    for client in netshoot.on_each(aks.nodes):
        client.assert_sticks(sticky, backends)


@pytest.mark.aksnet(
    id="traffic-policy.traffic-distribution", feature="traffic-policy", severity="minor"
)
def test_traffic_distribution(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """With trafficDistribution clients are served from their own zone, or else from any.

    Why: a preference saves latency and traffic between zones, and must not cut off clients whose
    zone has no endpoint.

    Remedy: `kubectl get endpointslices -o yaml` shows hints; with hints and without an endpoint in
    its zone a node has to use all endpoints.
    """
    aks.need_zones()
    everywhere = netshoot.on_each(aks.nodes, labels={"app": "traffic-distribution"})
    only = netshoot(labels={"app": "traffic-distribution-one"})
    spec = {"trafficDistribution": "PreferClose"}
    near, one = service(everywhere, spec=spec), service([only], spec=spec)
    for client in netshoot.on_each(aks.nodes):
        client.assert_prefers_near(near, everywhere, aks.nodes)
        client.assert_served(one, [only])
