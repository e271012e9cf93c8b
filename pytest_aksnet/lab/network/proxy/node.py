"""What a proxy knows about its node, and what a fault has it get wrong."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from pytest_aksnet.lab.network.proxy.reachable import Place
from pytest_aksnet.lab.network_knobs import ProxyDefect
from pytest_aksnet.lab.network_views import EndpointView, ServicePortView
from pytest_aksnet.lab.spec import LabSpec, NodeSpec


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyNode:
    """One node and one address family, `version` 4 or 6, as its proxy is configured.

    `cluster_cidr` is what kube-proxy takes for pods (--cluster-cidr, --detect-local-mode
    ClusterCIDR).
    """

    name: str
    zone: str
    ip: str
    version: int
    cluster_cidr: str
    service_cidr: str
    defects: frozenset[ProxyDefect] = frozenset()

    @property
    def place(self) -> Place:
        """Where it is, for topology."""
        return Place(node=self.name, zone=self.zone)

    @property
    def single(self) -> int:
        """The prefix length of one address."""
        return 32 if self.version == 4 else 128


def proxy_node(
    spec: LabSpec,
    node: NodeSpec,
    *,
    version: int = 4,
    defects: frozenset[ProxyDefect] = frozenset(),
) -> ProxyNode:
    """The proxy's configuration on a node. Raises ValueError where it has no such address."""
    ip = node.ip if version == 4 else node.ip6
    if ip is None:
        raise ValueError(f"node {node.name} has no IPv6 address: set dual-stack=true")
    return ProxyNode(
        name=node.name,
        zone=node.zone,
        ip=ip,
        version=version,
        cluster_cidr=spec.cluster_cidrs[0 if version == 4 else 1],
        service_cidr=spec.service_cidr if version == 4 else spec.service_cidr6,
        defects=defects,
    )


def seen_by(services: Iterable[ServicePortView], node: ProxyNode) -> list[ServicePortView]:
    """The Services of the node's address family as its proxy takes them, defects included."""
    own = [one for one in services if (6 if ":" in one.cluster_ip else 4) == node.version]
    if ProxyDefect.INTERNAL_LOCAL_IGNORED in node.defects:
        own = [replace(one, internal_local=False) for one in own]
    if ProxyDefect.AFFINITY_LOST in node.defects:
        own = [replace(one, affinity_seconds=0) for one in own]
    if ProxyDefect.NODE_PORTS_UNSERVED in node.defects:
        own = [replace(one, node_port=0) for one in own]
    if ProxyDefect.UDP_UNSERVED in node.defects:
        # Names of the cluster go on to resolve: that has faults of its own.
        own = [one for one in own if one.protocol != "UDP" or one.namespace == "kube-system"]
    if ProxyDefect.ONE_ENDPOINT_PREFERRED in node.defects:
        own = [replace(one, endpoints=one.endpoints[:1]) for one in own]
    if ProxyDefect.SILENT_WITHOUT_ENDPOINTS in node.defects:
        own = [one for one in own if one.endpoints or one.draining]
    if ProxyDefect.FIRST_PORT_ONLY in node.defects:
        own = list({(one.namespace, one.service): one for one in reversed(own)}.values())
    if ProxyDefect.HINTS_STRICT in node.defects:
        own = [replace(one, endpoints=_hinted(one.endpoints, node)) for one in own]
    if ProxyDefect.SERVES_OTHER_PORTS in node.defects:
        own += [other for one in own for other in _other_ports(one)]
    return own


def _hinted(endpoints: Iterable[EndpointView], node: ProxyNode) -> tuple[EndpointView, ...]:
    return tuple(one for one in endpoints if not one.for_zones or node.zone in one.for_zones)


def _other_ports(service: ServicePortView) -> Iterator[ServicePortView]:
    """The same at the next port of the cluster IP, and at its node port there."""
    for port in {service.port + 1, service.node_port} - {0}:
        yield replace(
            service,
            port_name=f"{service.port_name}-{port}",
            port=port,
            node_port=0,
            load_balancer_ips=(),
        )
