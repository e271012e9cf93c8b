"""What is published through an ingress controller, and what requests to it should meet. Data."""

from dataclasses import dataclass

from pytest_aksnet.model.peers import ServiceRef

HTTP_PORT, HTTPS_PORT = 80, 443


@dataclass(frozen=True, slots=True, kw_only=True)
class PathRule:
    """Requests for a host and path go to a Service.

    `kind` is a pathType of Ingress (Exact or Prefix), which HTTPRoute calls Exact and PathPrefix.
    """

    service: ServiceRef
    path: str = "/"
    kind: str = "Prefix"
    host: str = ""

    @property
    def name(self) -> str:
        """The host; by default one of the Service's own, below .example (RFC 2606)."""
        return self.host or host_of(self.service)


def host_of(service: ServiceRef) -> str:
    """A host name for a Service that nobody else has: its name is unique to the run."""
    return f"{service.name}.{service.namespace}.example"


@dataclass(frozen=True, slots=True, kw_only=True)
class Front:
    """Where a controller takes requests. `what` is the noun for messages.

    `in_cluster` says that it is the cluster address of the controller's Service, on the way to
    which the client's address is kept. `patience_s` is how long this controller may take to do
    what an object says.
    """

    what: str
    host: str
    patience_s: float
    in_cluster: bool = False
    http_port: int = HTTP_PORT
    https_port: int = HTTPS_PORT


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What should become of a request: answered by one of these pods, or by the front itself.

    `pods` are names; without any, `statuses` are the HTTP statuses that are right.
    """

    host: str
    path: str = "/"
    pods: tuple[str, ...] = ()
    statuses: tuple[int, ...] = (200,)
