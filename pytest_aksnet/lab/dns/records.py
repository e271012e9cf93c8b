"""What CoreDNS needs to know of the cluster: data and the Protocol its keeper implements."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class PortRecord:
    """A port of a Service or of its endpoints. `protocol` as in the API: TCP, UDP, SCTP."""

    name: str
    protocol: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRecord:
    """A Service. Headless: no `cluster_ips`. `external_name` is "" unless it is ExternalName."""

    namespace: str
    name: str
    cluster_ips: tuple[str, ...] = ()
    ports: tuple[PortRecord, ...] = ()
    external_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointRecord:
    """One address of an EndpointSlice of a Service, with the slice's ports.

    `hostname` is the endpoint's hostname (a pod's spec.hostname where its spec.subdomain is the
    Service), else "".
    """

    namespace: str
    service: str
    ip: str
    hostname: str = ""
    ports: tuple[PortRecord, ...] = ()


class ClusterRecords(Protocol):
    """The cluster as CoreDNS' informers see it. Asked once per uncached query: keep it indexed."""

    def namespace_exists(self, namespace: str) -> bool:
        """Whether there is a Namespace of that name."""
        ...

    def service(self, namespace: str, name: str) -> ServiceRecord | None:
        """The Service, or None."""
        ...

    def endpoints(self, namespace: str, service: str) -> Sequence[EndpointRecord]:
        """Endpoints whose condition `ready` is true.

        The EndpointSlice controller sets it for every pod where publishNotReadyAddresses is set.
        """
        ...

    def service_with_ip(self, ip: str) -> ServiceRecord | None:
        """The Service that has this cluster IP, or None."""
        ...

    def endpoints_with_ip(self, ip: str) -> Sequence[EndpointRecord]:
        """Ready endpoints, of any Service, that have this address."""
        ...

    def serial(self) -> int:
        """A number that grows when any of it changes, below 2**32."""
        ...
