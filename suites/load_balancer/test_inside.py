"""Frontends of load balancers as pods of the cluster see them."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory, ServiceFactory


@pytest.mark.aksnet(
    id="load-balancer.from-pods",
    feature="load-balancer",
    severity="major",
    needs=("load-balancer",),
)
def test_from_pods(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """Pods of every node reach an internal load balancer of their own cluster by its address.

    Why: Applications call each other by the name that customers use, which leads to the load
    balancer; a backend cannot be reached through Azure's internal one by itself, so nodes answer.

    Remedy: Compare the rules of the service proxy on the node that fails with those of another one:
    `kubectl logs` of its kube-proxy (or cilium) pod, and a restart of that pod.
    """
    backend = netshoot(on=aks.nodes[0], labels={"app": "from-pods"})
    internal = service([backend], type="LoadBalancer", internal_load_balancer=True)
    for client in netshoot.on_each(aks.nodes):
        client.assert_served_by_frontend(internal, [backend])


@pytest.mark.aksnet(
    id="load-balancer.hairpin", feature="load-balancer", severity="major", needs=("load-balancer",)
)
def test_hairpin(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """A pod behind a load balancer gets through by its address each time, also to itself.

    Why: With Azure's own path a backend times out now and then, whenever it is sent to itself; only
    the node's service proxy saves pods from that.

    Remedy: Look at the node's hairpin rules: masquerading of what comes from the pod itself
    (KUBE-SVC chains of kube-proxy), and hairpin mode of the bridge in kubenet.
    """
    backends = netshoot.on_each(aks.nodes[:4], labels={"app": "lb-hairpin"})
    internal = service(
        backends,
        type="LoadBalancer",
        internal_load_balancer=True,
        external_traffic_policy="Local",
    )
    for pod in backends:
        pod.assert_hairpin_by_frontend(internal, backends)
