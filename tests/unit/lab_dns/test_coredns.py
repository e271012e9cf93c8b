"""A CoreDNS replica: cache, denials, templates, what goes upstream."""

import asyncio
from collections.abc import Sequence

import pytest
from dnslib import QTYPE, RCODE

from pytest_aksnet.lab.azure.state import CLUSTER_NETWORK, AzureState
from pytest_aksnet.lab.dns.azure import AzureDns
from pytest_aksnet.lab.dns.cluster_zone import ClusterZone
from pytest_aksnet.lab.dns.coredns import RESOLV_CONF, CoreDns
from pytest_aksnet.lab.dns.corefile import CorefileError
from pytest_aksnet.lab.dns.message import SERVFAIL, Answer, Question, address_record
from pytest_aksnet.lab.dns.records import ServiceRecord
from pytest_aksnet.lab.layout import default_spec
from tests.unit.lab_dns.cluster import HTTP, MemoryRecords, example_cluster

SPEC = default_spec("overlay", "calico")


def corefile(**parts: str) -> dict[str, str]:
    """Data of coredns-custom: NAME_override becomes the key NAME.override."""
    return {name.replace("_", "."): text for name, text in parts.items()}


class Upstream:
    """Azure DNS that counts, and that can be made to fail."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.failure: Answer | None = None
        self.azure = AzureDns(AzureState(SPEC))

    async def resolve(self, question: Question) -> Answer:
        self.asked.append(question.name)
        return self.failure or self.azure.lookup(question, CLUSTER_NETWORK)


class Elsewhere:
    """A DNS server that gives every name one address."""

    def __init__(self, address: str) -> None:
        self.address = address

    async def resolve(self, question: Question) -> Answer:
        return Answer(answers=[address_record(question.name, self.address, 60)])


class Replica:
    """A replica with a clock to turn."""

    def __init__(self, records: MemoryRecords | None = None, **custom: str) -> None:
        self.now = 1000.0
        self.records = records or example_cluster()
        self.upstream = Upstream()
        zone = ClusterZone(self.records, "cluster.local")
        self.coredns = CoreDns(
            zone, self.upstreams, clock=lambda: self.now, custom=corefile(**custom)
        )

    def upstreams(self, addresses: Sequence[str]) -> Upstream | Elsewhere:
        return self.upstream if addresses[0] == RESOLV_CONF else Elsewhere(addresses[0])

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
    text = "template ANY ANY {\n  rcode SERVFAIL\n}\n"
    replica.coredns.configure(corefile(all_override=text))
    assert [replica.ask(one).rcode for one in (name, "example.com")] == [SERVFAIL, SERVFAIL]
    assert replica.upstream.asked == []
    replica.coredns.configure({})
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


def data(found: Answer) -> list[str]:
    return [str(r.rdata).rstrip(".") for r in found.answers]


def test_a_stub_domain_is_forwarded_to_its_own_server() -> None:
    text = "corp.example:53 {\n    errors\n    cache 30\n    forward . 192.168.10.4\n}\n"
    replica = Replica(corp_server=text)
    assert data(replica.ask("db.corp.example")) == ["192.168.10.4"]
    assert data(replica.ask("www.example.com")) == ["203.0.113.80"]
    assert replica.upstream.asked == ["www.example.com"]


def test_hosts_of_an_override_answer_and_fall_through() -> None:
    text = "hosts {\n  10.1.2.3 one.example two.example # both\n  ttl 60\n  fallthrough\n}\n"
    replica = Replica(hosts_override=text)
    assert data(replica.ask("two.example")) == ["10.1.2.3"]
    assert data(replica.ask("3.2.1.10.in-addr.arpa", "PTR")) == ["one.example", "two.example"]
    assert data(replica.ask("web.default.svc.cluster.local")) == ["10.0.0.80"]
    assert (replica.ask("one.example", "AAAA").rcode, replica.upstream.asked) == (RCODE.NOERROR, [])
    assert replica.ask("three.example").rcode == RCODE.NXDOMAIN
    assert replica.upstream.asked == ["three.example"]


def test_hosts_without_fallthrough_answer_alone() -> None:
    replica = Replica(x_server="corp.example {\n hosts {\n  10.1.2.3 a.corp.example\n }\n}\n")
    assert data(replica.ask("a.corp.example")) == ["10.1.2.3"]
    assert replica.ask("a.corp.example", "AAAA").rcode == RCODE.NOERROR
    assert replica.ask("b.corp.example").rcode == SERVFAIL


def test_a_template_makes_answers_of_names() -> None:
    text = """template IN A nip.example {
      match "^(?P<a>[0-9]+)-(?P<b>[0-9]+)[.]nip[.]example[.]$"
      answer "{{ .Name }} 60 IN A 10.9.{{ .Group.a }}.{{ .Group.b }}"
      fallthrough
    }"""
    replica = Replica(nip_override=text)
    assert data(replica.ask("7-8.nip.example")) == ["10.9.7.8"]
    assert replica.ask("x.nip.example").rcode == RCODE.NXDOMAIN
    assert replica.upstream.asked == ["x.nip.example"]
    assert replica.ask("7-800.nip.example").rcode == SERVFAIL


def test_a_rewritten_name_is_answered_under_the_name_that_was_asked() -> None:
    text = """company.example:53 {
      rewrite stop {
        name regex (.*)\\.company\\.example {1}.default.svc.cluster.local
        answer name (.*)\\.default\\.svc\\.cluster\\.local {1}.company.example
      }
      forward . 10.0.0.10
    }"""
    found = Replica(rewrite_server=text).ask("web.company.example")
    assert [(str(r.rname), str(r.rdata)) for r in found.answers] == [
        ("web.company.example.", "10.0.0.10")
    ]


def test_an_exact_rewrite_reaches_the_clusters_own_zone() -> None:
    text = "rewrite name shop.example web.default.svc.cluster.local"
    found = Replica(rewrite_override=text).ask("shop.example")
    assert [(str(r.rname), str(r.rdata)) for r in found.answers] == [("shop.example.", "10.0.0.80")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hosts {\n", "'}' is missing"),
        ("nonsense on\n", "Unknown directive 'nonsense'"),
        ("forward .\n", "Wrong argument count"),
        ("hosts {\n nowhere a.example\n}\n", "unknown property 'nowhere'"),
        ('template ANY ANY {\n match "["\n}\n', "invalid regex"),
        ("rewrite ttl a 30\n", "rewrites names alone"),
    ],
)
def test_a_corefile_that_coredns_would_not_start_with_is_refused(text: str, words: str) -> None:
    with pytest.raises(CorefileError) as refusal:
        Replica(x_override=text)
    assert words in str(refusal.value)


def test_a_zone_is_served_by_one_block_only() -> None:
    block = "corp.example {\n forward . 10.0.0.1\n}\n"
    with pytest.raises(CorefileError, match="already defined"):
        Replica(a_server=block, b_server=block)
