"""A small cluster in memory: what the DNS tests ask for."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from pytest_aksnet.lab.dns.records import EndpointRecord, PortRecord, ServiceRecord

HTTP = PortRecord(name="http", protocol="TCP", port=80)
DNS_PORTS = (
    PortRecord(name="dns", protocol="UDP", port=53),
    PortRecord(name="dns-tcp", protocol="TCP", port=53),
)


@dataclass(kw_only=True)
class MemoryRecords:
    """ClusterRecords over plain lists."""

    namespaces: set[str] = field(default_factory=lambda: {"default", "kube-system"})
    services: list[ServiceRecord] = field(default_factory=list)
    ready: list[EndpointRecord] = field(default_factory=list)

    def namespace_exists(self, namespace: str) -> bool:
        return namespace in self.namespaces

    def service(self, namespace: str, name: str) -> ServiceRecord | None:
        matching = [s for s in self.services if (s.namespace, s.name) == (namespace, name)]
        return matching[0] if matching else None

    def endpoints(self, namespace: str, service: str) -> Sequence[EndpointRecord]:
        return [e for e in self.ready if (e.namespace, e.service) == (namespace, service)]

    def service_with_ip(self, ip: str) -> ServiceRecord | None:
        matching = [s for s in self.services if ip in s.cluster_ips]
        return matching[0] if matching else None

    def endpoints_with_ip(self, ip: str) -> Sequence[EndpointRecord]:
        return [e for e in self.ready if e.ip == ip]

    def serial(self) -> int:
        return 7


def example_cluster() -> MemoryRecords:
    """A Service of each kind in namespace default."""

    def service(name: str, *ips: str, external: str = "") -> ServiceRecord:
        return ServiceRecord(
            namespace="default",
            name=name,
            cluster_ips=ips,
            ports=(HTTP,),
            external_name=external,
        )

    def endpoint(service: str, ip: str, hostname: str = "") -> EndpointRecord:
        return EndpointRecord(
            namespace="default", service=service, ip=ip, hostname=hostname, ports=(HTTP,)
        )

    return MemoryRecords(
        services=[
            ServiceRecord(
                namespace="kube-system",
                name="kube-dns",
                cluster_ips=("10.0.0.10",),
                ports=DNS_PORTS,
            ),
            service("web", "10.0.0.80"),
            service("db"),
            service("empty"),
            service("outside", external="www.example.com"),
            service("alias", external="web.default.svc.cluster.local"),
            service("loop", external="loop.default.svc.cluster.local"),
        ],
        ready=[
            endpoint("web", "10.244.0.8"),
            endpoint("db", "10.244.0.5", "db-0"),
            endpoint("db", "10.244.1.6", "db-1"),
            endpoint("db", "10.244.1.7"),
        ],
    )
