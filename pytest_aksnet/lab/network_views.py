"""What the network is told of the cluster's objects: Services, pods, namespaces, policies.

Plain values without behaviour, made from API objects by the controllers.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointView:
    """One endpoint address of a Service port. `node` is empty where it is no pod of ours.

    `for_zones` and `for_nodes` are its topology hints (KEP-2433, KEP-3015).
    """

    ip: str
    port: int
    node: str = ""
    for_zones: tuple[str, ...] = ()
    for_nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePortView:
    """One port of one Service in one address family as kube-proxy sees it.

    A Service of both families has two views of each port, which differ in all their addresses
    (`load_balancer_ips`, `source_ranges` and `endpoints` are those of the view's family alone) and
    share the node port. `endpoints` are the ready ones; `draining` are those that end but still
    serve, which proxies fall back on (KEP-1669). `security_group_ranges` are the ranges that only
    the security group is told of (annotation azure-allowed-ip-ranges).
    """

    namespace: str
    service: str
    port_name: str
    protocol: str
    cluster_ip: str
    port: int
    node_port: int
    load_balancer_ips: tuple[str, ...]
    external_local: bool
    internal_local: bool
    affinity_seconds: int
    health_check_node_port: int
    source_ranges: tuple[str, ...]
    endpoints: tuple[EndpointView, ...]
    draining: tuple[EndpointView, ...] = ()
    security_group_ranges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PodView:
    """A pod with an address as NetworkPolicy engines see it.

    `ip6` is its IPv6 address, which pods of dual-stack labs have besides. A pod of the host network
    has its node's; engines leave it alone.
    """

    namespace: str
    name: str
    node: str
    ip: str
    labels: Mapping[str, str]
    named_ports: Mapping[tuple[str, str], int]
    ip6: str | None = None
    host_network: bool = False

    @property
    def ips(self) -> tuple[str, ...]:
        """All its addresses, the IPv4 one first."""
        return (self.ip,) if self.ip6 is None else (self.ip, self.ip6)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceView:
    """A namespace and its labels."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyView:
    """A NetworkPolicy: `spec` is the object's spec as JSON types (networking.k8s.io/v1)."""

    namespace: str
    name: str
    spec: Mapping[str, object]
