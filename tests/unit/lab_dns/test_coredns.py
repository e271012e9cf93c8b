"""A CoreDNS replica: cache, denials, templates, what goes upstream."""

import asyncio

from dnslib import QTYPE, RCODE

from pytest_aksnet.lab.dns.azure import AzureDns
from pytest_aksnet.lab.dns.cluster_zone import ClusterZone
from pytest_aksnet.lab.dns.coredns import CoreDns, CustomCorefile
from pytest_aksnet.lab.dns.message import SERVFAIL, Answer, Question
from pytest_aksnet.lab.dns.records import ServiceRecord
from pytest_aksnet.lab.layout import default_spec
from tests.unit.lab_dns.cluster import HTTP, MemoryRecords, example_cluster

SPEC = default_spec("overlay", "calico")


class Upstream:
    """Azure DNS that counts, and that can be made to fail."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failure: Answer | None = None
        self.azure = AzureDns(SPEC)

    async def resolve(self, question: Question) -> Answer:
        self.asked.append(question.name)
        return self.failure or self.azure.lookup(question)


class Replica:
    """A replica with a clock to turn."""

    def __init__(self, records: MemoryRecords | None = None) -> None:
        self.now = 1000.0
        self.records = records or example_cluster()
        self.upstream = Upstream()
        zone = ClusterZone(self.records, "cluster.local")
        self.custom = CustomCorefile()
        self.coredns = CoreDns(zone, self.upstream, clock=lambda: self.now, custom=self.custom)

    def ask(self, name: str, qtype: str = "A") -> Answer:
        question = Question(name=name, qtype=getattr(QTYPE, qtype))
        return asyncio.run(self.coredns.resolve(question))


def test_name_asked_before_it_existed_stays_missing_for_30_seconds() -> None:
    replica = Replica()
    name = "late.default.svc.cluster.local"
    assert replica.ask(name).rcode == RCODE.NXDOMAIN
    replica.records.services.append(
        ServiceRecord(namespace="default", name="late", cluster_ips=("10.0.0.9",), ports=(HTTP,))
    )
    replica.now += 29
    assert replica.ask(name).rcode == RCODE.NXDOMAIN
    replica.now += 2
    assert [str(r.rdata) for r in replica.ask(name).answers] == ["10.0.0.9"]


def test_servfail_override_answers_before_zone_upstream_and_cache() -> None:
    replica = Replica()
    name = "kube-dns.kube-system.svc.cluster.local"
    assert replica.ask(name).answers
    replica.custom.servfail = True
    assert [replica.ask(one).rcode for one in (name, "example.com")] == [SERVFAIL, SERVFAIL]
    assert replica.upstream.asked == []
    replica.custom.servfail = False
    assert replica.ask(name).answers


def test_cached_answer_counts_its_ttl_down() -> None:
    replica = Replica()
    name = "web.default.svc.cluster.local"
    assert replica.ask(name).answers[0].ttl == 30
    replica.now += 12
    assert replica.ask(name).answers[0].ttl == 18


def test_upstream_answers_are_cached_for_30_seconds_at_most() -> None:
    replica = Replica()
    assert replica.ask("www.example.com").answers[0].ttl == 30
    replica.now += 20
    assert replica.ask("www.example.com").authoritative
    assert replica.upstream.asked == ["www.example.com"]
    replica.now += 11
    replica.ask("www.example.com")
    assert len(replica.upstream.asked) == 2


def test_private_endpoint_answer_is_kept_for_its_own_short_ttl() -> None:
    replica = Replica()
    assert replica.ask(SPEC.private_endpoints[0].fqdn).answers[-1].ttl == 10


def test_external_name_carries_the_upstream_answer() -> None:
    found = Replica().ask("outside.default.svc.cluster.local")
    assert [str(r.rdata) for r in found.answers] == ["www.example.com.", "203.0.113.80"]


def test_external_name_whose_target_is_missing_keeps_its_cname() -> None:
    records = example_cluster()
    records.services.append(
        ServiceRecord(namespace="default", name="gone", external_name="gone.invalid")
    )
    found = Replica(records).ask("gone.default.svc.cluster.local")
    assert (found.rcode, len(found.answers)) == (RCODE.NOERROR, 1)


def test_silence_of_the_upstream_is_servfail_and_not_remembered() -> None:
    replica = Replica()
    replica.upstream.failure = Answer(rcode=SERVFAIL, cacheable=False)
    assert replica.ask("www.example.com").rcode == SERVFAIL
    replica.upstream.failure = None
    assert replica.ask("www.example.com").rcode == RCODE.NOERROR


def test_servfail_of_the_upstream_is_remembered_for_5_seconds() -> None:
    replica = Replica()
    replica.upstream.failure = Answer(rcode=SERVFAIL)
    replica.ask("www.example.com")
    replica.upstream.failure = None
    replica.now += 4
    assert replica.ask("www.example.com").rcode == SERVFAIL
    replica.now += 2
    assert replica.ask("www.example.com").rcode == RCODE.NOERROR


def test_expansions_of_azure_suffixes_never_reach_the_upstream() -> None:
    replica = Replica()
    for name in (
        "web.reddog.microsoft.com",
        "web.default.svc.guid.ax.internal.cloudapp.net",
    ):
        assert replica.ask(name).rcode == RCODE.NXDOMAIN
    assert replica.upstream.asked == []
    replica.ask("vm.guid.ax.internal.cloudapp.net")
    assert len(replica.upstream.asked) == 1


def test_reverse_name_of_nobody_goes_upstream() -> None:
    replica = Replica()
    replica.ask("4.0.225.10.in-addr.arpa", "PTR")
    assert replica.upstream.asked == ["4.0.225.10.in-addr.arpa"]


def test_headless_addresses_come_in_changing_order() -> None:
    replica = Replica()
    name = "db.default.svc.cluster.local"
    orders = {tuple(str(r.rdata) for r in replica.ask(name).answers) for _ in range(100)}
    assert len(orders) > 1
    assert len({frozenset(order) for order in orders}) == 1
