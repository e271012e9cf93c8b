"""LocalDNS: the DNS cache on every node, with a view for the node and one for its pods.

Source: AKS docs, "localdns-custom", with the configuration that AKS gives by default, and
Azure/AgentBaker (localdns.sh): the addresses stand on an interface that leads nowhere, packets for
them are not tracked. The interface is a bridge without ports where AKS has a dummy, which not every
kernel knows. The view at 169.254.10.10 asks the DNS servers of the VNet, the one at 169.254.10.11
CoreDNS; both ask CoreDNS by TCP for the cluster's own names. Answers are kept for up to an hour,
as their TTLs allow, and for an hour more they are given at once while they are fetched anew
(serveStale Immediate).
"""

import asyncio
from collections import Counter
from collections.abc import Callable

from dnslib import QTYPE, RCODE

from pytest_aksnet.lab.dns.cache import AnswerCache
from pytest_aksnet.lab.dns.forward import Forwarder
from pytest_aksnet.lab.dns.message import Answer, Question, Resolver, is_below
from pytest_aksnet.lab.dns.metrics import Metrics, MetricsServer
from pytest_aksnet.lab.dns.server import DnsServer
from pytest_aksnet.lab.kernel import link_requests, route_requests
from pytest_aksnet.lab.kernel.link_requests import LOOPBACK
from pytest_aksnet.lab.kernel.netlink import RouteSocket
from pytest_aksnet.lab.kernel.nft import Nftables
from pytest_aksnet.lab.network.fabric import MTU
from pytest_aksnet.lab.spec import LabSpec, NodeSpec

INTERFACE = "localdns"
METRICS_PORT = 9253
_LINK_INDEX = 60  # cbr0 has another one, pods have higher ones
_MAC = "02:00:a9:fe:0a:0a"
_CACHE_SECONDS = 3600
_STALE_SECONDS = 3600


class CachedZone:
    """A zone of a view: a cache with serve-stale in front of where it forwards to."""

    def __init__(
        self, upstream: Resolver, clock: Callable[[], float], counts: Counter[str]
    ) -> None:
        self._upstream = upstream
        self._counts = counts
        self._refreshing: dict[tuple[str, int], asyncio.Task[Answer]] = {}
        self._cache = AnswerCache(
            clock, cap_seconds=_CACHE_SECONDS, servfail_seconds=0, stale_seconds=_STALE_SECONDS
        )

    async def resolve(self, question: Question) -> Answer:
        """The answer that is remembered, though it may be stale, or a new one."""
        fresh = self._cache.get(question)
        if fresh is not None:
            self._counts["hits"] += 1
            return fresh
        stale = self._cache.stale(question)
        if stale is None:
            self._counts["misses"] += 1
            return await self._fetch(question)
        self._counts["stale"] += 1
        key = (question.name, question.qtype)
        if key not in self._refreshing:
            task = self._refreshing[key] = asyncio.create_task(self._fetch(question))
            task.add_done_callback(lambda _: self._refreshing.pop(key))
        return stale

    async def _fetch(self, question: Question) -> Answer:
        return self._cache.put(question, await self._upstream.resolve(question))


class View:
    """What listens at one address: the cluster's names apart from all others."""

    def __init__(
        self, spec: LabSpec, name: str, cluster: Resolver, others: Resolver, metrics: Metrics
    ) -> None:
        clock = asyncio.get_running_loop().time
        self._domain = spec.cluster_domain
        self._name = name
        self._metrics = metrics
        self._zones = {
            zone: CachedZone(upstream, clock, metrics.cache(name, zone))
            for zone, upstream in ((f"{spec.cluster_domain}.", cluster), (".", others))
        }

    async def resolve(self, question: Question) -> Answer:
        """The answer."""
        zone = f"{self._domain}." if is_below(question.name, self._domain) else "."
        answer = await self._zones[zone].resolve(question)
        self._metrics.count(
            self._name,
            zone,
            transport=question.transport,
            qtype=QTYPE.get(question.qtype),
            rcode=RCODE.get(answer.rcode),
        )
        return answer


class LocalDns:
    """LocalDNS of one node: interface, rules, both listeners, metrics. Nothing before `start`."""

    def __init__(self, spec: LabSpec, node: NodeSpec, netns_fd: int) -> None:
        self._spec = spec
        self._node = node
        self._netns_fd = netns_fd
        self._servers: list[DnsServer] = []
        self._forwarders: list[Forwarder] = []
        self._metrics_server: MetricsServer | None = None

    async def install(self) -> None:
        """Make the interface and the rules, which outlast a crash, and start. Raises OSError."""
        addresses = (self._spec.local_dns_vnet_ip, self._spec.local_dns_cluster_ip)
        routes = RouteSocket(self._netns_fd)
        try:
            routes.apply(
                [
                    link_requests.bridge(index=_LINK_INDEX, name=INTERFACE, mac=_MAC, mtu=MTU),
                    link_requests.link_up(_LINK_INDEX),
                    *(route_requests.address(_LINK_INDEX, f"{ip}/32") for ip in addresses),
                    link_requests.link_up(LOOPBACK),
                ]
            )
        finally:
            routes.close()
        Nftables(self._netns_fd).run(_rules(addresses))
        await self.start()

    @property
    def running(self) -> bool:
        """Whether it listens."""
        return bool(self._servers)

    async def start(self) -> None:
        """Listen; harmless where it does already. Raises OSError."""
        if self._servers:
            return
        spec, fd = self._spec, self._netns_fd
        coredns = [spec.dns_service_ip]
        cluster = Forwarder(coredns, fd, transport="tcp")
        vnet = Forwarder(spec.vnet_dns_servers, fd, transport="prefer-udp", sequential=True)
        pods = Forwarder(coredns, fd, transport="prefer-udp")
        self._forwarders = [cluster, vnet, pods]
        metrics = Metrics()
        for address, others in (
            (spec.local_dns_vnet_ip, vnet),
            (spec.local_dns_cluster_ip, pods),
        ):
            server = DnsServer(View(spec, f"dns://{address}:53", cluster, others, metrics))
            await server.start(fd, address)
            self._servers.append(server)
        self._metrics_server = MetricsServer(metrics)
        await self._metrics_server.start(fd, self._node.ip, METRICS_PORT)

    async def stop(self) -> None:
        """Stop listening: the addresses stay, and refuse from then on. Harmless when repeated."""
        servers, self._servers = self._servers, []
        for server in servers:
            await server.stop()
        for forwarder in self._forwarders:
            forwarder.close()
        if self._metrics_server is not None:
            self._metrics_server.stop()


def _rules(addresses: tuple[str, ...]) -> str:
    """What localdns.sh puts into the raw table, as a table of its own."""
    ours = ", ".join(addresses)
    rules = f"""
            ip daddr {{ {ours} }} meta l4proto {{ tcp, udp }} th dport 53 notrack
            ip saddr {{ {ours} }} meta l4proto {{ tcp, udp }} th sport 53 notrack"""
    return f"""
    table ip localdns {{
        chain prerouting {{
            type filter hook prerouting priority -300{rules}
        }}
        chain output {{
            type filter hook output priority -300{rules}
        }}
    }}"""
