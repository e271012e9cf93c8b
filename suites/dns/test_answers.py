"""What the cluster's DNS answers, and how: denials, long answers, TCP, letters' case, times."""

import pytest

from pytest_aksnet.factories import Aks, NetshootFactory, ServiceFactory
from pytest_aksnet.model.peers import NodeRef

_MANY_PORTS = 40


@pytest.mark.aksnet(
    id="dns.unknown-service", feature="dns", severity="major", needs=("kubernetes-service",)
)
def test_unknown_service(netshoot: NetshootFactory, aks: Aks) -> None:
    """The name of a Service that does not exist is denied (NXDOMAIN), from every node.

    Why: the search list goes on after a denial only; an error or silence there breaks short names
    and takes seconds.

    Remedy: SERVFAIL points to CoreDNS or its upstream, silence to the way; an address instead of a
    denial is a wildcard in coredns-custom.
    """
    api = aks.service("default", "kubernetes")
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_unknown(f"default.svc.{api.cluster_domain}.")


@pytest.mark.aksnet(id="dns.unknown-external", feature="dns", severity="minor")
def test_unknown_external(netshoot: NetshootFactory, aks: Aks) -> None:
    """A name of the world that cannot exist is denied (NXDOMAIN), from every node.

    Why: an upstream that answers errors or addresses of its own instead breaks the search list and
    private names that fall back.

    When: names outside the cluster are known to resolve (external_names).

    Remedy: ask the upstream DNS servers for the same name; see dns.layers.
    """
    assert aks.external_names()
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_unknown("invalid.")


@pytest.mark.aksnet(
    id="dns.short-denials",
    feature="dns",
    severity="minor",
    needs=("kubernetes-service", "corefile"),
)
def test_short_denials(netshoot: NetshootFactory, aks: Aks) -> None:
    """That a name of the cluster does not exist is kept no longer than the Corefile has it.

    Why: a Service that is asked for a moment too early stays unknown for that long.

    Remedy: see ttl and cache in ConfigMap coredns, and caches between pods and CoreDNS.
    """
    netshoot().assert_denial_is_short(aks.service("default", "kubernetes"))


@pytest.mark.aksnet(
    id="dns.no-ipv6-record", feature="dns", severity="major", needs=("kubernetes-service",)
)
def test_no_ipv6_record(netshoot: NetshootFactory, aks: Aks) -> None:
    """An IPv4 Service has no AAAA record, and that is said at once, from every node.

    Why: clients ask for both families and wait for both answers; an error or silence for AAAA
    makes every connection slow, or fail with musl.

    Remedy: look for rewrite and template rules in coredns-custom that match AAAA.
    """
    api = aks.service("default", "kubernetes")
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_no_record(api, "A" if ":" in api.cluster_ip else "AAAA")


@pytest.mark.aksnet(
    id="dns.any-case", feature="dns", severity="minor", needs=("kubernetes-service",)
)
def test_any_case(netshoot: NetshootFactory, aks: Aks) -> None:
    """Names resolve in whatever case their letters are asked.

    Why: resolvers that mix the case against forgery, and people, ask so.

    Remedy: rewrite rules of coredns-custom with a regex need (?i).
    """
    netshoot().assert_any_case(aks.service("default", "kubernetes"))


@pytest.mark.aksnet(id="dns.tcp", feature="dns", severity="major", needs=("kubernetes-service",))
def test_tcp(netshoot: NetshootFactory, aks: Aks) -> None:
    """The cluster's DNS answers over TCP, from every node.

    Why: answers that do not fit a datagram come over TCP only.

    Remedy: allow TCP to port 53 wherever UDP is allowed; the Service kube-dns needs its port
    dns-tcp.
    """
    api = aks.service("default", "kubernetes")
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_dns_by_tcp(f"{api.fqdn}.", records=(api.cluster_ip,))


@pytest.mark.aksnet(id="dns.long-answer", feature="dns", severity="major")
def test_long_answer(netshoot: NetshootFactory, service: ServiceFactory, aks: Aks) -> None:
    """An answer too long for a datagram is cut short and comes whole over TCP, from every node.

    Why: headless Services with many pods, and long TXT records, are such answers.

    Remedy: allow TCP to port 53; images with an old musl (Alpine before 3.18) never ask again.
    """
    ports = [{"name": f"p{n}", "port": 9000 + n} for n in range(_MANY_PORTS)]
    large = service(port=9000, spec={"ports": ports})
    expected = [f"{9000 + n} {large.fqdn}" for n in range(_MANY_PORTS)]
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_whole_answer(f"{large.fqdn}.", "SRV", expected)


@pytest.mark.aksnet(
    id="dns.latency", feature="dns", severity="minor", needs=("kubernetes-service",)
)
def test_latency(node: NodeRef, netshoot: NetshootFactory, aks: Aks) -> None:
    """Of 100 answers to each node 99 come within the limit; p50 and p99 are reported.

    Why: DNS is in front of every new connection; a lost query costs 5 s by default.

    Remedy: CPU limits and number of CoreDNS replicas, LocalDNS, ndots; dns_p99_ms in the site file
    sets a limit of your own.
    """
    netshoot(on=node).assert_dns_latency(aks.service("default", "kubernetes"))


@pytest.mark.aksnet(id="dns.burst", feature="dns", severity="major", needs=("kubernetes-service",))
def test_burst(netshoot: NetshootFactory, aks: Aks) -> None:
    """Of 120 queries at once from each node none is lost, but for what chance explains.

    Why: lost queries are sent again after seconds; full connection tracking and races in it, and
    overloaded replicas, lose them in bursts.

    Remedy: insert_failed and the limit of nf_conntrack on the node, LocalDNS, more replicas.
    """
    for pod in netshoot.on_each(aks.nodes):
        pod.assert_no_query_lost(aks.service("default", "kubernetes"))
