"""Which endpoints of a Service port a node sends to: CategorizeEndpoints of kubernetes pkg/proxy.

Traffic policies (KEP-2086), terminating endpoints as the fallback (KEP-1669) and topology hints
(KEP-2433, KEP-3015), as kube-proxy 1.34 has them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from pytest_aksnet.lab.network_views import EndpointView, ServicePortView


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a proxy runs: its node's name and zone."""

    node: str
    zone: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachable:
    """The endpoints for the policies Cluster and Local; `anywhere`: whether any node has some."""

    cluster: tuple[EndpointView, ...]
    local: tuple[EndpointView, ...]
    anywhere: bool

    @property
    def all(self) -> tuple[EndpointView, ...]:
        """Those of either policy, each once."""
        return tuple(dict.fromkeys((*self.cluster, *self.local)))


def is_external(service: ServicePortView) -> bool:
    """Whether it is served at other addresses than the cluster IP."""
    return bool(service.node_port or service.load_balancer_ips)


def reachable(service: ServicePortView, place: Place) -> Reachable:
    """What the proxy at a place sends to."""
    external = is_external(service)
    cluster: tuple[EndpointView, ...] = ()
    local: tuple[EndpointView, ...] = ()
    anywhere = False
    if external or not service.internal_local:
        # Local ones are short-circuited to these, so they matter under both policies.
        cluster = _near(service.endpoints, place) or service.draining
        anywhere = bool(cluster)
    if service.internal_local or (external and service.external_local):
        local = _on(service.endpoints, place) or _on(service.draining, place)
        anywhere = anywhere or bool(service.endpoints or service.draining)
    return Reachable(cluster=cluster, local=local, anywhere=anywhere)


def _on(endpoints: Iterable[EndpointView], place: Place) -> tuple[EndpointView, ...]:
    return tuple(one for one in endpoints if one.node == place.node)


def _near(endpoints: Sequence[EndpointView], place: Place) -> tuple[EndpointView, ...]:
    """The ready endpoints by their hints; all where not every one has a hint, or none is ours."""
    if all(one.for_nodes for one in endpoints):
        chosen = tuple(one for one in endpoints if place.node in one.for_nodes)
        if chosen:
            return chosen
    if all(one.for_zones for one in endpoints):
        chosen = tuple(one for one in endpoints if place.zone in one.for_zones)
        if chosen:
            return chosen
    return tuple(endpoints)
