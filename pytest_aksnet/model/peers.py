"""Who talks to whom: nodes, pods and the endpoints that suites name as targets."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeRef:
    """A Linux node that takes part. `addresses` are its InternalIPs, IPv4 first."""

    name: str
    addresses: tuple[str, ...]
    pool: str = ""
    zone: str = ""
    instance_type: str = ""
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    pod_cidrs: tuple[str, ...] = ()

    @property
    def ip(self) -> str:
        """The first InternalIP."""
        return self.addresses[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRef:
    """A running pod. `port` is where its reflector listens (TCP and UDP), 0 where it runs none.

    `ip` is its first address, `ips` has all of them as the API lists them.
    """

    namespace: str
    name: str
    container: str
    node: str
    ip: str
    uid: str = ""
    host_network: bool = False
    port: int = 0
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    ips: tuple[str, ...] = ()

    def address(self, version: int) -> str | None:
        """Its first address of that family (4 or 6), None where it has none."""
        return of_family(self.ips or (self.ip,), version)


def of_family(addresses: Iterable[str], version: int) -> str | None:
    """The first address of that family (4 or 6)."""
    return next((one for one in addresses if (":" in one) == (version == 6)), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRef:
    """A Service as the API server returned it. Ports are numbers; 0 means not allocated.

    `cluster_ips` are those of all its address families, `cluster_ip` first.
    """

    namespace: str
    name: str
    cluster_ip: str
    port: int
    node_port: int = 0
    health_check_node_port: int = 0
    load_balancer_ips: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"
    cluster_ips: tuple[str, ...] = ()

    @property
    def fqdn(self) -> str:
        """The DNS name of the Service inside the cluster."""
        return f"{self.name}.{self.namespace}.svc.{self.cluster_domain}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An address outside the cluster that answers HTTP with the source address it saw.

    `what` is the noun used in messages ("VM in the VNet").
    """

    what: str
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodePool:
    """An agent pool: the nodes of it that take part, sorted by name."""

    name: str
    nodes: tuple[NodeRef, ...]
