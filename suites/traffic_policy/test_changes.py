"""Services that change: new, deleted, with pods that come and go."""

import pytest

from pytest_aksnet.factories import Aks, ManifestFactory, NetshootFactory, ServiceFactory
from pytest_aksnet.inventory import Inventory
from pytest_aksnet.probes import readiness_switch


@pytest.mark.aksnet(id="traffic-policy.new-service", feature="traffic-policy", severity="critical")
def test_new_service(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """A new Service is served from every node within half a minute; how long it took is kept.

    Why: a node that does not hear of changes fails only workloads that come or move later.

    Remedy: restart the service proxy of the node that is named, and see in its log whether it
    watches Services and EndpointSlices; look at its load where it is slow.
    """
    clients = netshoot.on_each(aks.nodes)
    backend = netshoot(labels={"app": "new-service"})
    new = service([backend])
    for client in clients:
        client.assert_served(new, [backend])


@pytest.mark.aksnet(id="traffic-policy.deleted-service", feature="traffic-policy", severity="minor")
def test_deleted_service(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """A deleted Service is not served any more from any node within half a minute.

    Why: its address is given to another Service later, whose clients would meet the old pods.

    Remedy: restart the service proxy of the node that is named; look for errors of its sync.
    """
    backend = netshoot(labels={"app": "deleted-service"})
    clients, gone = netshoot.on_each(aks.nodes), service([backend])
    for client in clients:
        client.assert_served(gone, [backend])
    service.remove(gone)
    for client in clients:
        client.assert_deleted(gone, [backend])


@pytest.mark.aksnet(
    id="traffic-policy.endpoints-follow-pods", feature="traffic-policy", severity="critical"
)
def test_endpoints_follow_pods(
    netshoot: NetshootFactory, service: ServiceFactory, inventory: Inventory, aks: Aks
) -> None:
    """The EndpointSlices of a Service list exactly the pods that it selects and that are ready now.

    Why: service proxies send to whatever stands there, so Services break cluster-wide without it.

    Remedy: `kubectl get endpointslices` beside `kubectl get pods -o wide`; with AKS the controller
    runs in the control plane: a case for support, unless webhooks or quotas refuse its writes.
    """
    labels = {"app": "endpoints-follow-pods"}
    stays, leaves = netshoot.on_each(
        (aks.nodes[0], aks.nodes[0]),
        labels=labels,
        spec=readiness_switch.SPEC,
        container=readiness_switch.CONTAINER,
    )
    netshoot(labels=labels, ready=False)
    served = service(selector=labels)
    inventory.assert_listed(served, [stays, leaves])
    leaves.turn_unready()
    inventory.assert_listed(served, [stays])


@pytest.mark.aksnet(id="traffic-policy.unready-pod", feature="traffic-policy", severity="critical")
def test_unready_pod(
    netshoot: NetshootFactory, service: ServiceFactory, inventory: Inventory, aks: Aks
) -> None:
    """A pod that stops being ready gets no new connection from any node; how long it took is kept.

    Why: readiness is how a pod sheds load; connections that still come are lost or slow.

    Remedy: `kubectl describe pod` and the EndpointSlice tell whether the kubelet (probes late), the
    controller or the service proxy of the node that is named is behind.
    """
    pods = netshoot.on_each(
        (aks.nodes[0], aks.nodes[-1]),
        labels={"app": "unready-pod"},
        spec=readiness_switch.SPEC,
        container=readiness_switch.CONTAINER,
    )
    clients, served = netshoot.on_each(aks.nodes), service(pods)
    pods[-1].turn_unready()
    inventory.assert_listed(served, pods[:1])
    for client in clients:
        client.assert_all_served(served, pods[:1], connections=40)


@pytest.mark.aksnet(
    id="traffic-policy.stale-endpoints", feature="traffic-policy", severity="critical"
)
def test_stale_endpoints(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """After pods were replaced every connection from every node reaches one that is there.

    Why: rules that keep a pod that is gone lose a share of all connections, as if by chance.

    Remedy: compare the endpoints in the rules of the node that is named with the EndpointSlice, and
    restart its service proxy; look for errors of its sync in the log.
    """
    labels = {"app": "stale-endpoints"}
    stays, goes = netshoot.on_each((aks.nodes * 2)[:2], labels=labels)
    served = service([stays, goes])
    comes = netshoot(on=aks.nodes[-1], labels=labels)
    netshoot.remove(goes)
    for client in netshoot.on_each(aks.nodes):
        client.assert_all_served(served, [stays, comes], connections=60)


@pytest.mark.aksnet(id="traffic-policy.stale-udp-flow", feature="traffic-policy", severity="major")
def test_stale_udp_flow(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """Datagrams from a steady source port follow the Service to its new pod, on every node.

    Why: UDP has no end, so a flow that is tracked keeps its old pod for as long as packets come:
    resolvers, syslog and media clients then talk to nobody for hours.

    Remedy: `conntrack -L -p udp --dst ADDRESS` on the node that is named shows the old pod; restart
    its kube-proxy, whose work it is to delete such entries.
    """
    labels = {"app": "stale-udp-flow"}
    old = netshoot(labels=labels)
    served, clients = service([old], udp=True), netshoot.on_each(aks.nodes)
    for client in clients:
        client.assert_udp_flow(served, [old])
    new = netshoot(on=aks.nodes[-1], labels=labels)
    netshoot.remove(old)
    for client in clients:
        client.assert_udp_flow(served, [new])


@pytest.mark.aksnet(
    id="traffic-policy.rolling-update",
    feature="traffic-policy",
    severity="major",
    needs=("deployments",),
)
def test_rolling_update(
    netshoot: NetshootFactory, service: ServiceFactory, manifest: ManifestFactory, aks: Aks
) -> None:
    """A rolling update of pods that end gracefully loses no connection, from three nodes at most.

    Why: this is what readiness probes, preStop hooks and rolling updates are there for; what is
    lost here is lost with every deployment and every upgrade of nodes.

    Remedy: the node that is named hears late of endpoints that end: look at its service proxy. Give
    pods a preStop hook that is longer than that.
    """
    labels = {"app": "rolling-update"}
    first, *others = netshoot.on_each(aks.nodes[:3])
    rollout = manifest.rollout(labels)
    first.assert_none_lost(service(selector=labels, target_port=8080), rollout, others)
