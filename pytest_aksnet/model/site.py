"""What is true for one site and cannot be read from the cluster (the file aksnet.toml)."""

from dataclasses import dataclass, field

from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.peers import Endpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateName:
    """A DNS name behind a private endpoint; `addresses` empty means any private address."""

    name: str
    port: int = 443
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StubDomain:
    """A DNS zone of one's own that pods must resolve. `name` is a name in it with `addresses`."""

    zone: str
    name: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """A host outside the cluster that must, or must not, be reached over TCP."""

    host: str
    port: int = 443


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What only people of the site know.

    `vnet_vm`, `peered_vm`, `on_prem` and `internet` answer HTTP with the source address they saw,
    as plain text. `outbound` is "internet", or "none" for a cluster that has no way out on purpose.
    `dns_servers` are the VNet's own DNS servers, empty for Azure's. `required_fqdns` are "host" or
    "host:port" that nodes must reach, None for those that AKS documents. `stub_domains` are served
    by `coredns-custom`.
    """

    private_names: tuple[PrivateName, ...] = ()
    vnet_vm: Endpoint | None = None
    internet: Endpoint | None = None
    external_names: tuple[str, ...] = ()
    egress_ips: tuple[str, ...] = ()
    throughput_floor_gbps: float | None = None
    max_mbps: dict[str, int] = field(default_factory=dict)
    outbound: str = "internet"
    peered_vm: Endpoint | None = None
    on_prem: Endpoint | None = None
    dns_servers: tuple[str, ...] = ()
    stub_domains: tuple[StubDomain, ...] = ()
    reachable: tuple[Destination, ...] = ()
    unreachable: tuple[Destination, ...] = ()
    required_fqdns: tuple[str, ...] | None = None

    def need_private_names(self) -> tuple[PrivateName, ...]:
        """The names behind private endpoints. Raises FactUnknown where none is listed."""
        if not self.private_names:
            raise FactUnknown(
                "no name behind a private endpoint is known; list them as [[private_names]] name, "
                "port, addresses in the file of --aksnet-config (default aksnet.toml)"
            )
        return self.private_names

    def need_vnet_vm(self) -> Endpoint:
        """The VM in the VNet. Raises FactUnknown with the key to set."""
        return _need(
            self.vnet_vm, "[vnet_vm] host and port: a host in the VNet outside the cluster"
        )

    def need_internet(self) -> Endpoint:
        """The host on the internet. Raises FactUnknown with the key to set."""
        return _need(self.internet, "[internet] host and port: a host outside the VNet")

    def need_peered_vm(self) -> Endpoint:
        """The VM in a peered VNet. Raises FactUnknown with the key to set."""
        return _need(self.peered_vm, "[peered_vm] host and port: a host in a peered VNet")

    def need_on_prem(self) -> Endpoint:
        """The host on premises. Raises FactUnknown with the key to set."""
        return _need(self.on_prem, "[on_prem] host and port: a host on premises")


def _need(endpoint: Endpoint | None, key: str) -> Endpoint:
    if endpoint is None:
        raise FactUnknown(
            f"no such host is known; set {key} that answers HTTP with the source address it saw, "
            "in the file of --aksnet-config (default aksnet.toml)"
        )
    return endpoint
