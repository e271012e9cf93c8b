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
class Site:
    """`vnet_vm` and `internet` answer HTTP with the source address they saw, as plain text."""

    private_names: tuple[PrivateName, ...] = ()
    vnet_vm: Endpoint | None = None
    internet: Endpoint | None = None
    external_names: tuple[str, ...] = ()
    egress_ips: tuple[str, ...] = ()
    throughput_floor_gbps: float | None = None
    max_mbps: dict[str, int] = field(default_factory=dict)

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


def _need(endpoint: Endpoint | None, key: str) -> Endpoint:
    if endpoint is None:
        raise FactUnknown(
            f"no such host is known; set {key} that answers HTTP with the source address it saw, "
            "in the file of --aksnet-config (default aksnet.toml)"
        )
    return endpoint
