"""Routes of the cluster's ingress controller: hosts, paths, backends, changes."""

import pytest

from pytest_aksnet.factories import Aks, ManifestFactory, NetshootFactory, ServiceFactory
from pytest_aksnet.inventory import Inventory
from pytest_aksnet.model.ingress import PathRule, Wanted, host_of

_NEEDS = ("ingress", "two-nodes")


@pytest.mark.aksnet(id="ingress.host-routing", feature="ingress", severity="critical", needs=_NEEDS)
def test_host_routing(
    aks: Aks,
    netshoot: NetshootFactory,
    service: ServiceFactory,
    manifest: ManifestFactory,
    inventory: Inventory,
) -> None:
    """Requests through the ingress controller reach the Service that their host belongs to.

    Why: every web application behind the controller rests on it; a host that leads to another
    Service shows one customer what belongs to another.

    Remedy: `kubectl describe ingress -A` shows events and backends; then the log of the
    controller's pods (`kubectl logs -n app-routing-system deploy/nginx` for application routing).
    """
    controller = inventory.ingress_class()
    backends = netshoot.on_each(aks.nodes[:2])
    served = {service([pod]): pod for pod in backends}
    front = controller.publish(manifest, [PathRule(service=one) for one in served])
    wanted = [Wanted(host=host_of(one), pods=(pod.pod.name,)) for one, pod in served.items()]
    netshoot().assert_routed(front, wanted, alive=backends[0], times=20)


@pytest.mark.aksnet(id="ingress.path-routing", feature="ingress", severity="major", needs=_NEEDS)
def test_path_routing(
    aks: Aks,
    netshoot: NetshootFactory,
    service: ServiceFactory,
    manifest: ManifestFactory,
    inventory: Inventory,
) -> None:
    """An exact path goes before a prefix, a longer prefix before a shorter, by whole elements.

    Why: applications share a host by paths; with another order requests end in the wrong one.

    Remedy: look at pathType and order in `kubectl get ingress -A -o yaml`, and whether another
    Ingress of the same host has the same paths.
    """
    controller = inventory.ingress_class()
    one, other = netshoot.on_each(aks.nodes[:2])
    first, second = service([one]), service([other])
    host = host_of(first)
    rules = [PathRule(service=first, path=path, host=host) for path in ("/", "/shop/cart")]
    rules.append(PathRule(service=second, path="/shop", host=host))
    rules.append(PathRule(service=first, path="/shop/now", host=host, kind="Exact"))
    front = controller.publish(manifest, rules)
    mine = ("/", "/shopping", "/shop/cart", "/shop/cart/1", "/shop/now")
    wanted = [Wanted(host=host, path=path, pods=(one.pod.name,)) for path in mine]
    for path in ("/shop", "/shop/", "/shop/carts", "/shop/now/1"):
        wanted.append(Wanted(host=host, path=path, pods=(other.pod.name,)))
    one.assert_routed(front, wanted, alive=other, times=5)


@pytest.mark.aksnet(
    id="ingress.unknown-host", feature="ingress", severity="major", needs=("ingress",)
)
def test_unknown_host(
    netshoot: NetshootFactory,
    service: ServiceFactory,
    manifest: ManifestFactory,
    inventory: Inventory,
) -> None:
    """A host that no Ingress names is answered with 404, while a named one is served.

    Why: a controller that sends unknown names to some application lets anybody who points a name
    at its address reach it, past rules that go by host.

    Remedy: look for an Ingress without host or with a defaultBackend: `kubectl get ingress -A`
    shows * for it.
    """
    controller = inventory.ingress_class()
    pod = netshoot()
    known = service([pod])
    front = controller.publish(manifest, [PathRule(service=known)])
    pod.assert_routed(front, [Wanted(host=host_of(known), pods=(pod.pod.name,))], alive=pod)
    unknown = Wanted(host=f"unknown.{host_of(known)}", statuses=(404,))
    pod.assert_routed(front, [unknown], alive=pod)


@pytest.mark.aksnet(
    id="ingress.unready-backend", feature="ingress", severity="major", needs=("ingress",)
)
def test_unready_backend(
    netshoot: NetshootFactory,
    service: ServiceFactory,
    manifest: ManifestFactory,
    inventory: Inventory,
) -> None:
    """A pod that is not ready gets no requests from the controller; a ready one gets them all.

    Why: rolling updates and overloaded pods rest on readiness; a controller that does not follow
    it sends users into errors.

    Remedy: compare `kubectl get endpointslices` of the Service with the upstreams in the
    controller's configuration, and look whether its ServiceAccount may watch EndpointSlices.
    """
    controller = inventory.ingress_class()
    labels = {"app": "ingress-unready"}
    ready, unready = netshoot(labels=labels), netshoot(labels=labels, ready=False)
    both = service([ready, unready])
    front = controller.publish(manifest, [PathRule(service=both)])
    wanted = Wanted(host=host_of(both), pods=(ready.pod.name,))
    ready.assert_routed(front, [wanted], alive=ready, times=20)


@pytest.mark.aksnet(
    id="ingress.no-backend", feature="ingress", severity="minor", needs=("ingress",)
)
def test_no_backend(
    netshoot: NetshootFactory,
    service: ServiceFactory,
    manifest: ManifestFactory,
    inventory: Inventory,
) -> None:
    """Requests for a Service without a ready pod get an error at once, and are not left hanging.

    Why: clients that hang hold connections and threads, and take others down with them; an error
    at once lets them try again.

    Remedy: look at the time-outs of the controller, and whether it keeps endpoints that are gone.
    """
    controller = inventory.ingress_class()
    pod = netshoot()
    known, empty = service([pod]), service(selector={"app": "ingress-nobody"})
    rules = [PathRule(service=known), PathRule(service=empty, host=f"empty.{host_of(known)}")]
    front = controller.publish(manifest, rules)
    wanted = [Wanted(host=host_of(known), pods=(pod.pod.name,))]
    pod.assert_routed(front, wanted, alive=pod)
    empty_host = Wanted(host=rules[1].name, statuses=controller.known.no_backend)
    pod.assert_routed(front, [empty_host], alive=pod, times=5)


@pytest.mark.aksnet(
    id="ingress.change-converges", feature="ingress", severity="major", needs=_NEEDS
)
def test_change_converges(
    aks: Aks,
    netshoot: NetshootFactory,
    service: ServiceFactory,
    manifest: ManifestFactory,
    inventory: Inventory,
) -> None:
    """A change of an Ingress reaches every replica of the controller; the time it took is noted.

    Why: releases and fail-overs change routes; a controller that does not follow sends users to
    what is gone.

    Remedy: look for `Error reloading` or rejected configuration in the controller's log, and for
    an admission webhook that cannot be reached.
    """
    controller = inventory.ingress_class()
    old, new = netshoot.on_each(aks.nodes[:2])
    before, after = service([old]), service([new])
    host = host_of(before)
    made = controller.create(manifest, [PathRule(service=before)])
    front = controller.front(made)
    old.assert_routed(front, [Wanted(host=host, pods=(old.pod.name,))], alive=old, times=20)
    controller.change(manifest, made, [PathRule(service=after, host=host)])
    old.assert_routed(front, [Wanted(host=host, pods=(new.pod.name,))], alive=new, times=20)


@pytest.mark.aksnet(
    id="ingress.status-address", feature="ingress", severity="major", needs=("ingress",)
)
def test_status_address(
    netshoot: NetshootFactory,
    service: ServiceFactory,
    manifest: ManifestFactory,
    inventory: Inventory,
) -> None:
    """An Ingress gets the controller's address in its status, and is served there.

    Why: DNS automation (external-dns, application routing with Azure DNS zones) points names at
    this address; without it names lead nowhere.

    Remedy: `kubectl get service -A` shows whether the controller's Service has its external
    address; `kubectl describe service` why not.
    """
    controller = inventory.ingress_class()
    pod = netshoot()
    known = service([pod])
    made = controller.create(manifest, [PathRule(service=known)])
    front = controller.assert_status_address(made)
    pod.assert_routed(front, [Wanted(host=host_of(known), pods=(pod.pod.name,))], alive=pod)
