"""The service proxies of all nodes: what each is told, and what it makes of it.

A node's proxy may be absent, frozen, or wrong in other ways (`NetworkKnobs.proxy_defects`). What it
writes depends on the node where a Service has a policy Local, hints or source ranges; where none
has, it is made once for all nodes.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from pytest_aksnet.lab.network.node import NodeNetwork
from pytest_aksnet.lab.network.proxy.node import proxy_node
from pytest_aksnet.lab.network.proxy.rules import ProxyRules, proxy_rules
from pytest_aksnet.lab.network.proxy.stale_flows import PortIdentity, identity, stale_udp_flows
from pytest_aksnet.lab.network_knobs import NetworkKnobs, ProxyDefect
from pytest_aksnet.lab.network_views import EndpointView, ServicePortView
from pytest_aksnet.lab.spec import LabSpec

_Services = tuple[ServicePortView, ...]
_Made = dict[tuple[object, ...], ProxyRules]
_Kept = dict[PortIdentity, dict[EndpointView, None]]


class ProxyAgents:
    """Keeps every node's service proxy as Services and knobs want it."""

    def __init__(
        self, spec: LabSpec, knobs: NetworkKnobs, nodes: Mapping[str, NodeNetwork]
    ) -> None:
        self._spec = spec
        self._knobs = knobs
        self._nodes = nodes
        self._told: _Services = ()
        self._seen: dict[str, _Services] = {}
        self._kept: dict[str, _Kept] = {}

    def sync(self, services: _Services) -> None:
        """Serve exactly these. Raises OSError."""
        self._told = services
        self.resync()

    def resync(self) -> None:
        """Bring every node in line. Raises OSError."""
        made: _Made = {}
        for name, node in self._nodes.items():
            before = self._seen.get(name, ())
            services = self._as_seen(name, before)
            self._seen[name] = services
            absent = name in self._knobs.service_proxy_absent
            for version, rules in node.rules.items():
                rules.write_proxy(None if absent else self._made(made, node, services, version))
            if not absent and not self._has(ProxyDefect.KEEPS_UDP_FLOWS, name):
                stale = stale_udp_flows(before, services)
                if stale:
                    node.forget_flows(stale)

    def _made(
        self, made: _Made, node: NodeNetwork, services: _Services, version: int
    ) -> ProxyRules:
        name = node.node.name
        defects = frozenset(
            defect for defect, nodes in self._knobs.proxy_defects.items() if name in nodes
        )
        own = name if self._spec.kube_proxy != "iptables" or _differ(services) else ""
        key = (own, defects, version, id(services))
        if key not in made:
            place = proxy_node(self._spec, node.node, version=version, defects=defects)
            if ProxyDefect.SOURCE_RANGES_IGNORED in defects:
                services = tuple(replace(service, source_ranges=()) for service in services)
            made[key] = proxy_rules(self._spec, services, place)
        return made[key]

    def _as_seen(self, name: str, before: _Services) -> _Services:
        """The Services as a node's proxy knows them."""
        if self._has(ProxyDefect.FROZEN, name):
            return before
        if self._has(ProxyDefect.KEEPS_SERVICES, name):
            known = {identity(service): service for service in (*before, *self._told)}
            return tuple(known.values())
        if not self._has(ProxyDefect.KEEPS_ENDPOINTS, name):
            self._kept.pop(name, None)
            return self._told
        kept = self._kept.setdefault(name, {})
        for service in (*before, *self._told):
            kept.setdefault(identity(service), {}).update(dict.fromkeys(service.endpoints))
        return tuple(_with(service, kept[identity(service)]) for service in self._told)

    def _has(self, defect: ProxyDefect, name: str) -> bool:
        return name in self._knobs.proxy_defects.get(defect, ())


def _with(service: ServicePortView, endpoints: Iterable[EndpointView]) -> ServicePortView:
    listed = sorted(endpoints, key=lambda one: (one.ip, one.port))
    return replace(service, endpoints=tuple(listed))


def _differ(services: Sequence[ServicePortView]) -> bool:
    """Whether nodes serve them differently."""
    return any(
        service.internal_local
        or service.external_local
        or service.source_ranges
        or any(one.for_zones or one.for_nodes for one in service.endpoints)
        for service in services
    )
