"""What is true for one site and cannot be read from the cluster (the file aksnet.toml)."""

import datetime
from dataclasses import dataclass, field

from pytest_aksnet.model.azure_profile import Path, Setting
from pytest_aksnet.model.errors import FactUnknown, NotApplicable
from pytest_aksnet.model.peers import Endpoint

HTTPS = 443
LAST_PORT = 65535
_FILE = "in the file of --aksnet-config (default aksnet.toml)"
_ECHO = f"that answers HTTP with the source address it saw, {_FILE}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateName:
    """A DNS name behind a private endpoint; `addresses` empty means any private address."""

    name: str
    port: int = HTTPS
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
    port: int = HTTPS


@dataclass(frozen=True, slots=True, kw_only=True)
class WhoAmI:
    """A name server on the internet that answers `name` with the address it was asked from."""

    server: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientHost:
    """A host outside the cluster from which probes are sent to load balancers.

    `what` is the noun used in messages. `command` is an argv to which one more argument is added,
    a line for a POSIX shell on that host, such as ("ssh", "user@vm"); the host needs python3.
    Empty is the machine that runs pytest. `addresses` are those that the cluster sees it with.
    """

    what: str
    command: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AddressPlan:
    """Ranges that only Azure knows: subnets of nodes and pods, and the VNet, as CIDRs.

    `max_surge` is that of the agent pools, a number of nodes or a percentage; empty is AKS's own.
    """

    node_subnets: tuple[str, ...] = ()
    pod_subnets: tuple[str, ...] = ()
    vnet: tuple[str, ...] = ()
    max_surge: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What only people of the site know.

    `vnet_vm`, `peered_vm`, `on_prem`, `internet` and `internet6` answer HTTP with the source
    address they saw, as plain text; `internet6` over IPv6. `outbound` is "internet", "firewall"
    where user-defined routes lead to one, or "none" for a cluster that has no way out on purpose.
    `dns_servers` are the VNet's own DNS servers, empty
    for Azure's. `required_fqdns` are "host" or "host:port" that nodes must reach, None for those
    that AKS documents. `stub_domains` are served by `coredns-custom`. `imds` is "open" or
    "restricted", empty where nobody said it. `trusted_ca` is PEM text of the authorities that TLS
    to the internet ends with, empty for those that the probe image trusts. `as_of` is the day by
    which retirements are judged, None for the day of the run. `dns_p99_ms` is how late one answer
    in a hundred of the cluster's DNS may be (milliseconds), None for the time-out of a resolver.
    `api_server` is the name of the API server, empty for the host of the kubeconfig.
    `node_latency_ms` is how long half of the round trips between two nodes may take (milliseconds).
    `azure_profile` are settings that the cluster should have in Azure, by path.
    """

    private_names: tuple[PrivateName, ...] = ()
    vnet_vm: Endpoint | None = None
    internet: Endpoint | None = None
    external_names: tuple[str, ...] = ()
    egress_ips: tuple[str, ...] = ()
    throughput_floor_gbps: float | None = None
    node_latency_ms: float | None = None
    max_mbps: dict[str, int] = field(default_factory=dict)
    outbound: str = "internet"
    peered_vm: Endpoint | None = None
    on_prem: Endpoint | None = None
    dns_servers: tuple[str, ...] = ()
    stub_domains: tuple[StubDomain, ...] = ()
    reachable: tuple[Destination, ...] = ()
    unreachable: tuple[Destination, ...] = ()
    required_fqdns: tuple[str, ...] | None = None
    internet6: Endpoint | None = None
    whoami: WhoAmI | None = None
    imds: str = ""
    trusted_ca: str = ""
    vnet_client: ClientHost | None = None
    internet_client: ClientHost | None = None
    private_api_server: str = ""
    address_plan: AddressPlan = AddressPlan()
    as_of: datetime.date | None = None
    dns_p99_ms: int | None = None
    api_server: str = ""
    azure_profile: dict[Path, Setting] = field(default_factory=dict)

    def need_private_names(self) -> tuple[PrivateName, ...]:
        """The names behind private endpoints. Raises FactUnknown where none is listed."""
        if not self.private_names:
            raise FactUnknown(
                "no name behind a private endpoint is known; list them as [[private_names]] name, "
                f"port, addresses {_FILE}"
            )
        return self.private_names

    def need_public_way_in(self, outbound_type: str | None) -> None:
        """Raise NotApplicable where answers do not leave by the load balancer that let clients in.

        `outbound_type` is the fact of that name. With a default route to a firewall they leave by
        that, which knows no such connection (AKS docs: limit-egress-traffic, asymmetric routing).
        """
        if self.outbound == "firewall" or outbound_type == "userDefinedRouting":
            raise NotApplicable(
                "user-defined routes lead what leaves the cluster to a firewall, so that a public "
                "load balancer cannot serve without it (AKS docs: limit-egress-traffic)"
            )

    def need_private_api_server(self, api_server: str | None) -> str:
        """The name of the API server of a private cluster; `api_server` is the fact of that name.

        Raises NotApplicable where none is named, and FactUnknown where there must be one.
        """
        if self.private_api_server:
            return self.private_api_server
        if api_server == "private":
            raise FactUnknown(
                "the API server is private and its name is not known; set private_api_server "
                f"(az aks show --query privateFqdn) {_FILE}"
            )
        known = "public" if api_server == "public" else "not known to be private"
        raise NotApplicable(
            f"the API server is {known}, and the site file names no private_api_server"
        )

    def need_way_out(self) -> None:
        """Raise NotApplicable where the cluster has no way to the internet, on purpose."""
        if self.outbound == "none":
            raise NotApplicable(
                'the cluster has no way to the internet on purpose: outbound is "none" in the site '
                "file"
            )

    def need_vnet_vm(self) -> Endpoint:
        """The VM in the VNet. Raises FactUnknown with the key to set."""
        return _need(
            self.vnet_vm, "[vnet_vm] host and port: a host in the VNet outside the cluster"
        )

    def need_internet(self) -> Endpoint:
        """The host on the internet. Raises FactUnknown with the key to set, and NotApplicable."""
        self.need_way_out()
        return _need(self.internet, "[internet] host and port: a host outside the VNet")

    def need_internet6(self) -> Endpoint:
        """The host on the internet with an IPv6 address. Raises FactUnknown and NotApplicable."""
        self.need_way_out()
        return _need(self.internet6, "[internet6] host, an IPv6 address, and port: a host outside")

    def need_whoami(self) -> WhoAmI:
        """The name server that tells who asked. Raises FactUnknown and NotApplicable."""
        self.need_way_out()
        if self.whoami is None:
            raise FactUnknown(
                "no name server on the internet is known that answers with the address it was "
                "asked from; set [whoami] server and name (such as 208.67.222.222 and "
                f"myip.opendns.com) {_FILE}"
            )
        return self.whoami

    def need_peered_vm(self) -> Endpoint:
        """The VM in a peered VNet. Raises FactUnknown with the key to set."""
        return _need(self.peered_vm, "[peered_vm] host and port: a host in a peered VNet")

    def need_on_prem(self) -> Endpoint:
        """The host on premises. Raises FactUnknown with the key to set."""
        return _need(self.on_prem, "[on_prem] host and port: a host on premises")

    def need_inside(self) -> tuple[Endpoint, ...]:
        """The hosts in the VNet, in a peered VNet and on premises. Raises FactUnknown for none."""
        known = (self.vnet_vm, self.peered_vm, self.on_prem)
        found = tuple(host for host in known if host is not None)
        return found or (self.need_vnet_vm(),)

    def need_reachable(self) -> tuple[Destination, ...]:
        """What must be reached. Raises FactUnknown where nothing is listed."""
        if not self.reachable:
            raise FactUnknown(
                "no destination is known that pods must reach; list them as [[reachable]] host, "
                f"port {_FILE}"
            )
        return self.reachable

    def need_unreachable(self) -> tuple[Destination, ...]:
        """What must not be reached. Raises FactUnknown where nothing is listed."""
        if not self.unreachable:
            raise FactUnknown(
                "no destination is known that pods must not reach; list them as [[unreachable]] "
                f"host, port {_FILE}"
            )
        return self.unreachable


def host_and_port(text: str) -> tuple[str, int]:
    """The parts of "host" (port 443) or "host:port". Raises ValueError for a port that is none."""
    host, colon, number = text.rpartition(":")
    if not colon:
        return text, HTTPS
    if not number.isascii() or not number.isdigit() or not 0 < int(number) <= LAST_PORT:
        raise ValueError(f"{number!r} is no port")
    return host, int(number)


def _need(endpoint: Endpoint | None, key: str) -> Endpoint:
    if endpoint is None:
        raise FactUnknown(f"no such host is known; set {key} {_ECHO}")
    return endpoint
