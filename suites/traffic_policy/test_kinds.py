"""Kinds of Services: several ports, no selector, two address families, none behind them."""

import pytest

from pytest_aksnet.factories import Aks, ManifestFactory, NetshootFactory, ServiceFactory
from pytest_aksnet.service_manifests import endpoint_slice


@pytest.mark.aksnet(id="traffic-policy.multi-port", feature="traffic-policy", severity="major")
def test_multi_port(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """Each port of a Service leads to its own target port, by number and by name.

    Why: a proxy that mixes up ports sends metrics to the API and the API to nobody.

    Remedy: `kubectl get endpointslices -l kubernetes.io/service-name=NAME -o yaml`: each port
    has its name and number there. If they are right, look at the service proxy of the node.
    """
    backend = netshoot(labels={"app": "multi-port"})
    ports = [
        {"name": "number", "port": 80, "targetPort": backend.pod.port},
        {"name": "named", "port": 8443, "targetPort": "tcp"},
        {"name": "silent", "port": 8444, "targetPort": 9},
    ]
    served = service([backend], spec={"ports": ports})
    for client in netshoot.on_each(aks.nodes):
        client.assert_served(served, [backend])
        client.assert_served(served, [backend], port=8443)
        client.assert_closed(served, [backend], [(served.cluster_ip, 8444)])


@pytest.mark.aksnet(
    id="traffic-policy.manual-endpoints",
    feature="traffic-policy",
    severity="minor",
    needs=("endpoint-slices",),
)
def test_manual_endpoints(
    netshoot: NetshootFactory, service: ServiceFactory, manifest: ManifestFactory, aks: Aks
) -> None:
    """A Service without selector is served by the addresses of its hand-made EndpointSlice.

    Why: this is how a database outside the cluster gets a name and an address inside.

    Remedy: `kubectl get endpointslices -l kubernetes.io/service-name=NAME -o yaml`: the port's
    name must be that of the Service's port. Then look at the service proxy of the node.
    """
    backends = netshoot.on_each(aks.nodes[:2], labels={"app": "manual-endpoints"})
    served = service()
    manifest(endpoint_slice(served, backends), namespace=served.namespace)
    for client in netshoot.on_each(aks.nodes):
        client.assert_served(served, backends)


@pytest.mark.aksnet(id="traffic-policy.dual-stack", feature="traffic-policy", severity="major")
def test_dual_stack(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """In a dual-stack cluster a Service is served at its IPv6 address from every node as well.

    Why: programs that prefer IPv6 hang where only the IPv4 address works.

    Remedy: see that the pods have IPv6 addresses (`kubectl get pod -o yaml`, podIPs) and an
    EndpointSlice of type IPv6, then look at the IPv6 rules of the node (`ip6tables-save`).
    """
    backends = netshoot.on_each(aks.nodes[:2], labels={"app": "dual-stack"})
    served = service(backends, spec={"ipFamilyPolicy": "PreferDualStack"})
    for client in netshoot.on_each(aks.nodes):
        client.assert_served_ipv6(served, backends)


@pytest.mark.aksnet(id="traffic-policy.unserved", feature="traffic-policy", severity="minor")
def test_unserved(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """A Service without endpoints is rejected at once instead of leaving its clients to hang.

    Why: clients that are refused fall back or retry at once; those that hang pile up.

    Remedy: on the node that is named look for the reject rule (`iptables -S KUBE-SERVICES`, `nft
    list map ip kube-proxy no-endpoint-services`); a firewall that drops all ICMP hides it.
    """
    backend = netshoot(labels={"app": "served"})
    empty, served = service(selector={"app": "nobody"}), service([backend])
    for client in netshoot.on_each(aks.nodes):
        client.assert_rejected(empty, served, backend)


@pytest.mark.aksnet(id="traffic-policy.unknown-port", feature="traffic-policy", severity="minor")
def test_unknown_port(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """A cluster address answers at the ports of its Service only.

    Why: a proxy that serves more than it was asked to opens ports of pods or nodes that nobody
    meant to publish, as kube-proxy in IPVS mode once did.

    Remedy: look at the service proxy of the node that is named, and for another Service with the
    same address (`kubectl get services -A -o wide | grep ADDRESS`).
    """
    backend = netshoot(labels={"app": "unknown-port"})
    served = service([backend])
    for client in netshoot.on_each(aks.nodes):
        client.assert_closed(served, [backend], [(served.cluster_ip, served.port + 1)])
