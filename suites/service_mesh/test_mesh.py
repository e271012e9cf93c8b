"""Pods of a service mesh: sidecars, mutual TLS, identities, weights, and the way out of it."""

import pytest

from pytest_aksnet.assertions.service_mesh import HTTP_SERVICE
from pytest_aksnet.factories import (
    Aks,
    ManifestFactory,
    NamespaceFactory,
    NetshootFactory,
    ServiceFactory,
)
from pytest_aksnet.inventory import Inventory

# What sets up the redirection in a pod of the mesh has NET_ADMIN, which only namespaces of the
# PodSecurity level `privileged` admit: those of runs that may use the host network.
_NEEDS = ("mesh", "host-network")
_STRICT = (*_NEEDS, "mesh-authentication", "two-nodes")
_SPLIT = (*_NEEDS, "mesh-routes", "two-nodes")


@pytest.mark.aksnet(
    id="service-mesh.sidecar-injected", feature="service-mesh", severity="critical", needs=_NEEDS
)
def test_sidecar_injected(
    netshoot: NetshootFactory, namespace: NamespaceFactory, inventory: Inventory
) -> None:
    """A new pod of a namespace with the mesh's label gets its sidecar.

    Why: whatever the mesh promises, mutual TLS first, holds for pods with a sidecar only; the
    others run on without, and nobody notices.

    When: the cluster has Istio, as the AKS add-on or its own.

    Remedy: `kubectl get mutatingwebhookconfigurations` must list istio-sidecar-injector for the
    revision that the namespace's label istio.io/rev names; pods made before need a restart.
    """
    mesh = inventory.mesh()
    inventory.assert_injected(netshoot(namespace=namespace(mesh.labels)), mesh)


@pytest.mark.aksnet(
    id="service-mesh.plaintext-refused", feature="service-mesh", severity="critical", needs=_STRICT
)
def test_plaintext_refused(
    aks: Aks,
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    service: ServiceFactory,
    manifest: ManifestFactory,
    inventory: Inventory,
) -> None:
    """With mutual TLS set to STRICT a pod refuses plaintext, and serves clients of the mesh.

    Why: STRICT is what encryption and identities inside a cluster rest on; where it is not kept,
    any pod gets in without either.

    When: the cluster has Istio, as the AKS add-on or its own.

    Remedy: `istioctl proxy-status` shows sidecars that do not hear of changes; look for a
    PeerAuthentication of the workload itself, which wins over that of its namespace.
    """
    mesh = inventory.mesh()
    place, outside = namespace(mesh.labels), netshoot()
    server, client = netshoot.on_each(aks.nodes[:2], namespace=place)
    inventory.need_in_mesh(server, client)
    served = service([server], spec=HTTP_SERVICE)
    rule = mesh.authentication(manifest, place, "PERMISSIVE")
    client.assert_served_in_mesh(served, server)
    outside.assert_served_in_mesh(served, server)
    manifest.change(rule, {"spec": {"mtls": {"mode": "STRICT"}}})
    outside.assert_plaintext_refused(served, server)
    client.assert_served_in_mesh(served, server)


@pytest.mark.aksnet(
    id="service-mesh.identity",
    feature="service-mesh",
    severity="critical",
    needs=(*_NEEDS, "two-nodes"),
)
def test_identity(
    aks: Aks,
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    service: ServiceFactory,
    inventory: Inventory,
) -> None:
    """A server in the mesh is told the caller's namespace and service account, by its certificate.

    Why: authorization policies of the mesh go by this identity; a wrong one lets the wrong in.

    When: the cluster has Istio, as the AKS add-on or its own.

    Remedy: `istioctl proxy-config secret POD` shows the certificate of the caller's sidecar; look
    for a DestinationRule that turns TLS off, and for proxyHeaders in the configuration of the mesh.
    """
    mesh = inventory.mesh()
    client = netshoot(aks.nodes[0], namespace=namespace(mesh.labels))
    server = netshoot(aks.nodes[1], namespace=namespace(mesh.labels))
    inventory.need_in_mesh(client, server)
    client.assert_identity_told(service([server], spec=HTTP_SERVICE), server)


@pytest.mark.aksnet(
    id="service-mesh.traffic-split", feature="service-mesh", severity="major", needs=_SPLIT
)
def test_traffic_split(
    aks: Aks,
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    service: ServiceFactory,
    manifest: ManifestFactory,
    inventory: Inventory,
) -> None:
    """Two versions behind a Service get the shares that a VirtualService gives them, by statistics.

    Why: a release that should meet a few requests meets half of them where weights are ignored.

    When: the cluster has Istio, as the AKS add-on or its own.

    Remedy: `istioctl analyze -n NAMESPACE` names hosts and subsets that do not fit; a
    VirtualService counts only where the port of the Service is known as HTTP, by its name or
    appProtocol.
    """
    mesh = inventory.mesh()
    place = namespace(mesh.labels)
    old = netshoot(aks.nodes[0], namespace=place, labels={"app": "split", "version": "v1"})
    new = netshoot(aks.nodes[1], namespace=place, labels={"app": "split", "version": "v2"})
    client = netshoot(namespace=place)
    inventory.need_in_mesh(client, old, new)
    served = service([old, new], spec=HTTP_SERVICE)
    mesh.split(manifest, served, {"v1": 90, "v2": 10})
    client.assert_split_in_mesh(served, {old.pod: 90, new.pod: 10})


@pytest.mark.aksnet(
    id="service-mesh.way-out",
    feature="service-mesh",
    severity="major",
    needs=(*_NEEDS, "kubernetes-service", "two-nodes"),
)
def test_way_out(
    aks: Aks,
    netshoot: NetshootFactory,
    namespace: NamespaceFactory,
    service: ServiceFactory,
    inventory: Inventory,
) -> None:
    """A pod of the mesh reaches Services outside the mesh, and the API server.

    Why: few clusters are all in the mesh; what is not must go on serving those who are.

    When: the cluster has Istio, as the AKS add-on or its own.

    Remedy: look for a Sidecar object whose egress hosts leave the namespace out, and for a
    DestinationRule that demands ISTIO_MUTUAL of a host without a sidecar.
    """
    mesh = inventory.mesh()
    witness, server = netshoot.on_each(aks.nodes[:2])
    client = netshoot(namespace=namespace(mesh.labels))
    inventory.need_in_mesh(client)
    served = service([server], spec=HTTP_SERVICE)
    api = aks.service("default", "kubernetes")
    client.assert_leaves_mesh(served, server, api, witness=witness)
