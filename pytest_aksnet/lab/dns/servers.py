"""All DNS servers of a lab, started and at hand: Azure DNS, CoreDNS replicas, those of the VNet.

Owns which server forwards to which. LocalDNS has a module of its own, `local_dns`.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dnslib import QTYPE

from pytest_aksnet.lab.azure.resources import PrivateZone, RecordSet
from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.dns.azure import AzureDns
from pytest_aksnet.lab.dns.cluster_zone import ClusterZone
from pytest_aksnet.lab.dns.coredns import RESOLV_CONF, CoreDns
from pytest_aksnet.lab.dns.defects import DefectiveResolver
from pytest_aksnet.lab.dns.forward import ATTEMPT_SECONDS, TOTAL_SECONDS, Forwarder
from pytest_aksnet.lab.dns.message import Answer, Question, Resolver, is_below
from pytest_aksnet.lab.dns.private_zone import zone_answer
from pytest_aksnet.lab.dns.records import ClusterRecords
from pytest_aksnet.lab.dns.server import DnsServer
from pytest_aksnet.lab.kernel.nft import Nftables
from pytest_aksnet.lab.spec import LabSpec

if TYPE_CHECKING:
    from pytest_aksnet.lab.dns.local_dns import LocalDns

_NO_UPSTREAM = """
    add table ip no-upstream
    delete table ip no-upstream
    table ip no-upstream {
        chain output {
            type filter hook output priority 0
            meta l4proto { tcp, udp } th dport 53 drop
        }
    }"""
CustomCorefile = Callable[[], Mapping[str, str]]


class ForwardingResolver:
    """A DNS server that forwards: by default to one place, for `zones` to others.

    An alias into another of its zones is followed there, whatever the first place says of it. It
    keeps no cache, so that what it says is always what the places behind it say.
    """

    def __init__(self, default: Resolver) -> None:
        self._default = default
        self.zones: dict[str, Resolver] = {}

    async def resolve(self, question: Question) -> Answer:
        """What the places that are responsible for the name and its aliases answer."""
        place = self._place(question.name)
        answer = await place.resolve(question)
        for number, record in enumerate(answer.answers, 1):
            target = str(record.rdata).lower().rstrip(".") if record.rtype == QTYPE.CNAME else ""
            if target and self._place(target) is not place:
                rest = await self.resolve(replace(question, name=target))
                return replace(rest, answers=(*answer.answers[:number], *rest.answers))
        return answer

    def _place(self, name: str) -> Resolver:
        fitting = [zone for zone in self.zones if is_below(name, zone)]
        return self.zones[max(fitting, key=len)] if fitting else self._default


class OwnZone:
    """The zone of the site that the VNet's DNS servers have themselves: one machine on premises."""

    def __init__(self, spec: LabSpec) -> None:
        own = next(host.ip for host in spec.hosts if host.name == "on-prem")
        name = spec.stub_host.removesuffix(f".{spec.stub_zone}")
        record = RecordSet(name=name, kind="A", values=[own], ttl=300)
        self._zone = PrivateZone(name=spec.stub_zone, resource_group="", records=[record])

    async def resolve(self, question: Question) -> Answer:
        """What the zone says."""
        return zone_answer(self._zone, question)


class Replica:
    """A running CoreDNS replica: its server, and what may be wrong with it."""

    def __init__(
        self,
        coredns: CoreDns,
        resolver: DefectiveResolver,
        server: DnsServer,
        netns_fd: int,
        forwarders: Sequence[Forwarder],
    ) -> None:
        self.coredns = coredns
        self.resolver = resolver
        self.server = server
        self._netns_fd = netns_fd
        self._forwarders = forwarders
        self._forget: Callable[[], None] = lambda: None

    def on_stop(self, forget: Callable[[], None]) -> None:
        """Have it called when the replica ends."""
        self._forget = forget

    def block_upstreams(self) -> None:
        """Drop what it sends to other DNS servers. Raises OSError."""
        Nftables(self._netns_fd).run(_NO_UPSTREAM)

    def unblock_upstreams(self) -> None:
        """Drop it no more. Raises OSError."""
        Nftables(self._netns_fd).run("add table ip no-upstream\ndelete table ip no-upstream")

    async def stop(self) -> None:
        """End it."""
        self._forget()
        await self.server.stop()
        for forwarder in self._forwarders:
            forwarder.close()


class CustomServer:
    """A DNS server of the virtual network, on a machine of its own."""

    def __init__(
        self, forwarding: ForwardingResolver, resolver: DefectiveResolver, server: DnsServer
    ) -> None:
        self.forwarding = forwarding
        self.resolver = resolver
        self.server = server


class DnsServers:
    """The servers of one lab. `custom` gives the data of ConfigMap coredns-custom."""

    def __init__(self, spec: LabSpec, azure: AzureState, custom: CustomCorefile) -> None:
        self.azure = AzureDns(azure)
        self.replicas: list[Replica] = []
        self.custom: dict[str, CustomServer] = {}
        self.local: dict[str, LocalDns] = {}
        self._spec = spec
        self._corefile = custom
        self._upstreams_blocked = False

    async def start_azure(self, netns_fd: int) -> None:
        """Azure DNS at its address, which the namespace must have. Raises OSError."""
        await start_azure_dns(self._spec, self.azure, netns_fd)

    async def start_custom(self, machines: Mapping[str, int]) -> None:
        """The VNet's own DNS servers, in the namespaces of their machines. Raises OSError."""
        for host in self._spec.hosts:
            if host.role == "dns":
                self.custom[host.name] = await start_custom_dns(self._spec, machines[host.name])

    async def start_local(self, machines: Mapping[str, int]) -> None:
        """LocalDNS on every node, where the lab has it. Raises OSError."""
        if not self._spec.options.local_dns:
            return
        # A lab without it is to start without loading it.
        from pytest_aksnet.lab.dns.local_dns import LocalDns

        for node in self._spec.nodes:
            self.local[node.name] = LocalDns(self._spec, node, machines[node.name])
            await self.local[node.name].install()

    async def start_coredns(self, records: ClusterRecords, netns_fd: int) -> Replica:
        """A CoreDNS replica in its pod. Raises OSError, and CorefileError for coredns-custom."""
        replica = await start_coredns(
            self._spec,
            records,
            netns_fd,
            resolv_conf=self._spec.node_dns_servers,
            custom=self._corefile(),
        )
        if self._upstreams_blocked:
            replica.block_upstreams()
        self.replicas.append(replica)
        replica.on_stop(lambda: self.replicas.remove(replica))
        return replica

    def block_upstreams(self) -> None:
        """Drop what CoreDNS replicas, future ones included, send to other DNS servers."""
        self._upstreams_blocked = True
        for replica in self.replicas:
            replica.block_upstreams()

    def unblock_upstreams(self) -> None:
        """Drop it no more."""
        self._upstreams_blocked = False
        for replica in self.replicas:
            replica.unblock_upstreams()

    def restart_coredns(self) -> None:
        """All replicas read coredns-custom anew, as after a rollout restart.

        Raises CorefileError.
        """
        for replica in self.replicas:
            replica.coredns.configure(self._corefile())


async def start_coredns(
    spec: LabSpec,
    records: ClusterRecords,
    netns_fd: int,
    *,
    resolv_conf: Sequence[str],
    attempt_seconds: float = ATTEMPT_SECONDS,
    total_seconds: float = TOTAL_SECONDS,
    custom: Mapping[str, str] | None = None,
) -> Replica:
    """A CoreDNS replica that listens in its pod's network namespace and forwards from there.

    `resolv_conf` are the servers of its pod. `netns_fd` has to stay open until the server is
    stopped. Raises OSError, and CorefileError for `custom`.
    """

    def upstreams(addresses: Sequence[str]) -> Resolver:
        found = [ip for one in addresses for ip in (resolv_conf if one == RESOLV_CONF else [one])]
        forwarder = Forwarder(
            found, netns_fd, attempt_seconds=attempt_seconds, total_seconds=total_seconds
        )
        forwarders.append(forwarder)
        return forwarder

    forwarders: list[Forwarder] = []
    zone = ClusterZone(records, spec.cluster_domain)
    clock = asyncio.get_running_loop().time
    coredns = CoreDns(zone, upstreams, clock=clock, custom=custom)
    resolver = DefectiveResolver(coredns)
    server = DnsServer(resolver)
    await server.start(netns_fd)
    if spec.dual_stack:
        await server.start(netns_fd, "::")
    return Replica(coredns, resolver, server, netns_fd, forwarders)


async def start_azure_dns(spec: LabSpec, azure: AzureDns, netns_fd: int) -> DnsServer:
    """Azure DNS at its well-known address, which the namespace must have. Raises OSError."""
    server = DnsServer(azure)
    await server.start(netns_fd, spec.azure_dns_ip)
    return server


async def start_custom_dns(spec: LabSpec, netns_fd: int) -> CustomServer:
    """A DNS server of the VNet, which forwards to Azure DNS. Raises OSError."""
    forwarding = ForwardingResolver(Forwarder([spec.azure_dns_ip], netns_fd))
    forwarding.zones[spec.stub_zone] = OwnZone(spec)
    resolver = DefectiveResolver(forwarding)
    server = DnsServer(resolver)
    await server.start(netns_fd)
    return CustomServer(forwarding, resolver, server)
