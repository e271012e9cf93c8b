"""TLS at the cluster's ingress controller."""

import pytest

from pytest_aksnet.factories import Aks, ManifestFactory, NetshootFactory, ServiceFactory
from pytest_aksnet.inventory import Inventory
from pytest_aksnet.model.ingress import PathRule, Wanted, host_of
from pytest_aksnet.probes.self_signed import self_signed


@pytest.mark.aksnet(
    id="ingress.tls-sni",
    feature="ingress",
    severity="critical",
    needs=("ingress", "tls-secret", "two-nodes"),
)
def test_tls_sni(
    aks: Aks,
    netshoot: NetshootFactory,
    service: ServiceFactory,
    manifest: ManifestFactory,
    inventory: Inventory,
) -> None:
    """Each host of an Ingress has the certificate of its own Secret shown, by SNI.

    Why: with another certificate clients refuse the connection, or trust whom they should not.

    Remedy: `kubectl describe ingress` and the controller's log tell of Secrets that are missing,
    of the wrong type, or in another namespace.
    """
    controller = inventory.ingress_class()
    backends = netshoot.on_each(aks.nodes[:2])
    services = [service([pod]) for pod in backends]
    certificates = [self_signed(host_of(one)) for one in services]
    rules = [PathRule(service=one) for one in services]
    front = controller.publish(manifest, rules, certificates=certificates)
    netshoot().assert_certificates(front, certificates * 10, alive=backends[0])


@pytest.mark.aksnet(
    id="ingress.https-redirect",
    feature="ingress",
    severity="major",
    needs=("ingress", "tls-secret"),
)
def test_https_redirect(
    netshoot: NetshootFactory,
    service: ServiceFactory,
    manifest: ManifestFactory,
    inventory: Inventory,
) -> None:
    """Where an Ingress has TLS and asks for it, plain HTTP is redirected to HTTPS.

    Why: whoever types a name begins with plain HTTP, and stays there without a redirect.

    Remedy: look for ssl-redirect in the annotations of the Ingress and in the ConfigMap of the
    controller.
    """
    controller = inventory.ingress_class()
    annotations = controller.redirecting()
    pod = netshoot()
    known = service([pod])
    made, rules = [self_signed(host_of(known))], [PathRule(service=known)]
    front = controller.publish(manifest, rules, certificates=made, annotations=annotations)
    pod.assert_redirected(front, host_of(known), source=controller.known.source, alive=pod)


@pytest.mark.aksnet(
    id="ingress.forwarded-for", feature="ingress", severity="major", needs=("ingress",)
)
def test_forwarded_for(
    netshoot: NetshootFactory,
    service: ServiceFactory,
    manifest: ManifestFactory,
    inventory: Inventory,
) -> None:
    """The backend is told the client's address in the header X-Forwarded-For.

    Why: logs, rate limits and allow lists of applications go by it; without it every request
    seems to come from the controller.

    Remedy: look at use-forwarded-headers in the controller's ConfigMap, and at
    externalTrafficPolicy of its Service: with Cluster nodes put their own address there.
    """
    controller = inventory.ingress_class()
    pod = netshoot()
    known = service([pod])
    front = controller.publish(manifest, [PathRule(service=known)])
    wanted = Wanted(host=host_of(known), pods=(pod.pod.name,))
    pod.assert_forwarded_for(front, wanted, alive=pod)
