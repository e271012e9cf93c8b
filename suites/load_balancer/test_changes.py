"""What clients see of a load balancer while its Service and its pods change."""

import pytest

from pytest_aksnet.assertions.outside_client import Outside
from pytest_aksnet.factories import Aks, NetshootFactory, ServiceFactory
from pytest_aksnet.inventory import Inventory


@pytest.mark.aksnet(
    id="load-balancer.address-kept",
    feature="load-balancer",
    severity="major",
    needs=("load-balancer", "service-change"),
)
def test_address_kept(
    netshoot: NetshootFactory,
    service: ServiceFactory,
    inventory: Inventory,
    outside: Outside,
    aks: Aks,
) -> None:
    """A load balancer keeps its address when its Service changes, and serves a port that is added.

    Why: DNS records and firewall rules name the address: one that moves is an outage.

    Remedy: Reserve the address: a public IP resource, or the annotation
    service.beta.kubernetes.io/azure-load-balancer-ipv4. `kubectl get events` shows what the cloud
    provider did.
    """
    backend = netshoot(on=aks.nodes[-1], labels={"app": "address-kept"})
    kept = service([backend], type="LoadBalancer", internal_load_balancer=True)
    target = {"protocol": "TCP", "targetPort": backend.pod.port}
    ports = [{"name": f"p{port}", "port": port, **target} for port in (80, 81)]
    idle = {"service.beta.kubernetes.io/azure-load-balancer-tcp-idle-timeout": "10"}
    service.change(kept, spec={"ports": ports}, annotations=idle)
    outside.in_vnet.assert_frontend(kept, [backend], port=81)
    inventory.assert_address_kept(kept)


@pytest.mark.aksnet(
    id="load-balancer.drain",
    feature="load-balancer",
    severity="major",
    needs=("load-balancer", "two-nodes"),
)
def test_drain(
    netshoot: NetshootFactory, service: ServiceFactory, outside: Outside, aks: Aks
) -> None:
    """With externalTrafficPolicy Local a node whose pods are gone gets no connection any more.

    Why: An upgrade drains node after node; a load balancer that keeps sending there loses a share
    of all connections each time.

    Remedy: On that node the healthCheckNodePort must answer 503 as soon as its last pod is gone:
    look at kube-proxy (or cilium) there. The load balancer follows after two failed probes, 10 s.
    """
    last, labels = aks.nodes[-1], {"app": "drain"}
    leaving = netshoot(on=last, labels=labels)
    staying = netshoot(on=aks.other_nodes(last)[-1], labels=labels)
    drained = service(
        [leaving, staying],
        type="LoadBalancer",
        internal_load_balancer=True,
        external_traffic_policy="Local",
    )
    outside.in_vnet.assert_every_backend_serves(drained, [leaving, staying])
    netshoot.remove(leaving)
    outside.in_vnet.assert_frontend(drained, [staying])


@pytest.mark.aksnet(
    id="load-balancer.released",
    feature="load-balancer",
    severity="major",
    needs=("load-balancer",),
)
def test_released(
    netshoot: NetshootFactory, service: ServiceFactory, outside: Outside, aks: Aks
) -> None:
    """The frontend of a Service that is deleted does not answer any more.

    Why: A frontend that is left behind keeps an application reachable that was meant to be gone,
    and its address is paid for and not to be had.

    Remedy: A Service that stays with a deletionTimestamp waits for the cloud provider: look at its
    events, and for locks, policies or missing rights on the node resource group
    (`az lock list`). Do not remove the finalizer: the frontend would stay.
    """
    backend = netshoot(on=aks.nodes[-1], labels={"app": "released"})
    gone, control = (
        service([backend], type="LoadBalancer", internal_load_balancer=True) for _ in range(2)
    )
    outside.in_vnet.assert_frontend(gone, [backend])
    service.remove(gone)
    outside.in_vnet.assert_released(gone, control)
