"""Owns what suites may name as a target, and turns it into host, port and the probe for it."""

from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from pytest_aksnet.model.errors import SettingsError
from pytest_aksnet.model.peers import Endpoint, NodeRef, PodRef, ServiceRef
from pytest_aksnet.probes.curl import Curl
from pytest_aksnet.probes.nc import Nc

Speaks = Literal["http", "https", "tcp"]
_HTTPS = 443


@runtime_checkable
class HoldsPod(Protocol):
    """Anything that stands for a pod, such as a ProbePod."""

    @property
    def pod(self) -> PodRef:
        """The pod."""
        ...


AnyPod = HoldsPod | PodRef
To = AnyPod | ServiceRef | NodeRef | Endpoint | tuple[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One `host:port` with the noun for messages, and the object that it belongs to, if any."""

    what: str
    host: str
    port: int
    speaks: Speaks
    pod: PodRef | None = None
    node: NodeRef | None = None
    service: ServiceRef | None = None
    endpoint: Endpoint | None = None

    def probe(self, connect_timeout_s: float) -> Curl | Nc:
        """A look at it whose handshake may take `connect_timeout_s` seconds."""
        if self.speaks == "tcp":
            return Nc(host=self.host, port=self.port, connect_timeout_s=connect_timeout_s)
        return Curl(
            host=self.host,
            port=self.port,
            scheme=self.speaks,
            connect_timeout_s=connect_timeout_s,
            max_time_s=connect_timeout_s + 2,
        )


def pod_of(pod: AnyPod) -> PodRef:
    """The pod that a ProbePod or a PodRef stands for."""
    return pod if isinstance(pod, PodRef) else pod.pod


def resolve(to: To, port: int | None = None) -> Target:
    """The target that a suite named. Raises SettingsError where no port is known.

    A pod's own port, a Service, a node's port and an Endpoint are taken for HTTP (a reflector
    answers there); any other port of a pod, and a `(host, port)` pair, for plain TCP.
    """
    match to:
        case PodRef():
            number = _port(port or to.port, to.name)
            return Target(
                what=f"pod {to.namespace}/{to.name} on node {to.node}",
                host=to.ip,
                port=number,
                speaks="http" if number == to.port else "tcp",
                pod=to,
            )
        case ServiceRef():
            headless = to.cluster_ip in ("", "None")
            return Target(
                what=f"Service {to.namespace}/{to.name}",
                host=to.fqdn if headless else to.cluster_ip,
                port=_port(port or to.port, to.name),
                speaks="http",
                service=to,
            )
        case NodeRef():
            return Target(
                what=f"node {to.name}",
                host=to.ip,
                port=_port(port or 0, to.name),
                speaks="http",
                node=to,
            )
        case Endpoint():
            number = _port(port or to.port, to.what)
            return Target(
                what=to.what,
                host=to.host,
                port=number,
                speaks="https" if number == _HTTPS else "http",
                endpoint=to,
            )
        case (host, number):
            return Target(what=host, host=host, port=_port(port or number, host), speaks="tcp")
        case _:
            return resolve(to.pod, port)


def _port(port: int, what: str) -> int:
    if not 1 <= port <= 65535:
        raise SettingsError(f"{what}: no port is known to look at; name one with port=")
    return port
