"""What is to be served: hosts, paths, backends with weights, certificates. Data only."""

from collections.abc import Mapping
from dataclasses import dataclass, field

EXACT, PREFIX = "Exact", "Prefix"
Addresses = tuple[str, ...]


@dataclass(frozen=True)
class Backend:
    """A Service's port: `addresses` are its endpoints as HOST:PORT; none are ready where empty."""

    name: str
    addresses: Addresses
    weight: int = 1


@dataclass(frozen=True)
class Route:
    """Requests for a path: EXACT, or PREFIX by elements of the path; to one of its backends."""

    path: str
    kind: str
    backends: tuple[Backend, ...]
    to_https: bool = False


@dataclass
class Host:
    """A virtual host; "" is whatever no other host is. `secret` is the certificate's, or None."""

    name: str
    routes: list[Route] = field(default_factory=list)
    secret: tuple[str, str] | None = None


@dataclass
class Plan:
    """Everything that nginx is to do. `certificates` are (certificate, key) in PEM by Secret."""

    hosts: dict[str, Host] = field(default_factory=dict)
    certificates: Mapping[tuple[str, str], tuple[bytes, bytes]] = field(default_factory=dict)

    def host(self, name: str) -> Host:
        """The host of that name, a new one where there is none."""
        return self.hosts.setdefault(name, Host(name))
