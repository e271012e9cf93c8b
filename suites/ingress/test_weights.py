"""Weights of an Ingress canary, and routes and weights of the Gateway API."""

import pytest

from pytest_aksnet.factories import Aks, ManifestFactory, NetshootFactory, ServiceFactory
from pytest_aksnet.inventory import Inventory
from pytest_aksnet.model.ingress import PathRule, Wanted, host_of

# A Gateway may get a load balancer of its own, with a public address.
_GATEWAY = ("gateway", "load-balancer", "public-ip", "two-nodes")


@pytest.mark.aksnet(
    id="ingress.canary-weight",
    feature="ingress",
    severity="major",
    needs=("ingress", "two-nodes"),
)
def test_canary_weight(
    aks: Aks,
    netshoot: NetshootFactory,
    service: ServiceFactory,
    manifest: ManifestFactory,
    inventory: Inventory,
) -> None:
    """A canary Ingress gets the share of the requests that its weight says, by statistics.

    Why: a release that should meet a few users meets all or none where weights are ignored.

    Remedy: look whether canary and main Ingress have the same host and path, and for other
    canaries of the same host, of which only one counts.
    """
    controller = inventory.ingress_class()
    main, canary = netshoot.on_each(aks.nodes[:2])
    stable, new = service([main]), service([canary])
    host = host_of(stable)
    front = controller.publish(manifest, [PathRule(service=stable)])
    controller.publish_canary(manifest, [PathRule(service=new, host=host)], 10)
    main.assert_split(front, host, {main.pod: 90, canary.pod: 10}, alive=main)


@pytest.mark.aksnet(
    id="ingress.gateway-routing", feature="ingress", severity="major", needs=_GATEWAY
)
def test_gateway_routing(
    aks: Aks,
    netshoot: NetshootFactory,
    service: ServiceFactory,
    manifest: ManifestFactory,
    inventory: Inventory,
) -> None:
    """A Gateway gets an address, and its HTTPRoute sends each path to its own Service.

    Why: the Gateway API is what follows Ingress on AKS, whose managed NGINX is retired.

    Remedy: `kubectl describe gateway,httproute` shows in the conditions Accepted, Programmed and
    ResolvedRefs what is wrong.
    """
    controller = inventory.gateway_class()
    one, other = netshoot.on_each(aks.nodes[:2])
    first, second = service([one]), service([other])
    below = PathRule(service=second, path="/shop")
    paths = [(PathRule(service=first), {first: 1}), (below, {second: 1})]
    host = host_of(first)
    front = controller.publish_routes(manifest, host, paths)
    to_first = [Wanted(host=host, path=path, pods=(one.pod.name,)) for path in ("/", "/shops")]
    to_second = [Wanted(host=host, path="/shop/1", pods=(other.pod.name,))]
    one.assert_routed(front, [*to_first, *to_second], alive=other, times=10)


@pytest.mark.aksnet(
    id="ingress.gateway-weights", feature="ingress", severity="major", needs=_GATEWAY
)
def test_gateway_weights(
    aks: Aks,
    netshoot: NetshootFactory,
    service: ServiceFactory,
    manifest: ManifestFactory,
    inventory: Inventory,
) -> None:
    """The backends of an HTTPRoute get the shares that their weights say, by statistics.

    Why: blue-green and canary releases rest on it.

    Remedy: `kubectl describe httproute` shows whether all backendRefs are resolved; look whether
    the controller supports weights.
    """
    controller = inventory.gateway_class()
    one, other = netshoot.on_each(aks.nodes[:2])
    first, second = service([one]), service([other])
    host, rule = host_of(first), PathRule(service=first)
    front = controller.publish_routes(manifest, host, [(rule, {first: 90, second: 10})])
    one.assert_split(front, host, {one.pod: 90, other.pod: 10}, alive=one)
