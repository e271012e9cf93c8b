"""Names of the cluster as the kubernetes plugin of CoreDNS answers them."""

import pytest
from dnslib import QTYPE, RCODE
from hypothesis import given
from hypothesis import strategies as st

from pytest_aksnet.lab.dns.cluster_zone import ClusterZone, External
from pytest_aksnet.lab.dns.message import Answer, Question
from tests.unit.lab_dns.cluster import example_cluster

DOMAIN = "cluster.local"
LABELS = st.text(alphabet="abc0123456789-_", min_size=1, max_size=12)


def ask(name: str, qtype: str = "A") -> Answer | External | None:
    zone = ClusterZone(example_cluster(), DOMAIN)
    return zone.lookup(Question(name=name, qtype=getattr(QTYPE, qtype)))


def answer(name: str, qtype: str = "A") -> Answer:
    found = ask(name, qtype)
    assert isinstance(found, Answer)
    return found


def data(found: Answer) -> set[str]:
    return {str(r.rdata) for r in found.answers}


@pytest.mark.parametrize(
    ("name", "qtype", "expected"),
    [
        ("web.default.svc.cluster.local", "A", {"10.0.0.80"}),
        ("_http._tcp.web.default.svc.cluster.local", "A", {"10.0.0.80"}),
        ("db.default.svc.cluster.local", "A", {"10.244.0.5", "10.244.1.6", "10.244.1.7"}),
        ("db-1.db.default.svc.cluster.local", "A", {"10.244.1.6"}),
        ("10-244-1-7.db.default.svc.cluster.local", "A", {"10.244.1.7"}),
        ("10-244-0-8.web.default.svc.cluster.local", "A", {"10.244.0.8"}),
        ("10-244-9-9.default.pod.cluster.local", "A", {"10.244.9.9"}),
        ("ns.dns.cluster.local", "A", {"10.0.0.10"}),
        ("cluster.local", "NS", {"ns.dns.cluster.local."}),
        ("dns-version.cluster.local", "TXT", {'"1.1.0"'}),
        (
            "_http._tcp.web.default.svc.cluster.local",
            "SRV",
            {"0 100 80 web.default.svc.cluster.local."},
        ),
        (
            "_dns-tcp._tcp.kube-dns.kube-system.svc.cluster.local",
            "SRV",
            {"0 100 53 kube-dns.kube-system.svc.cluster.local."},
        ),
        (
            "_http._tcp.db.default.svc.cluster.local",
            "SRV",
            {
                "0 33 80 db-0.db.default.svc.cluster.local.",
                "0 33 80 db-1.db.default.svc.cluster.local.",
                "0 33 80 10-244-1-7.db.default.svc.cluster.local.",
            },
        ),
        ("80.0.0.10.in-addr.arpa", "PTR", {"web.default.svc.cluster.local."}),
        ("5.0.244.10.in-addr.arpa", "PTR", {"db-0.db.default.svc.cluster.local."}),
        ("outside.default.svc.cluster.local", "CNAME", {"www.example.com."}),
    ],
)
def test_name_that_exists_is_answered_with_its_records(
    name: str, qtype: str, expected: set[str]
) -> None:
    found = answer(name, qtype)
    assert (found.rcode, data(found), found.authoritative) == (RCODE.NOERROR, expected, True)
    assert {r.ttl for r in found.answers} <= {30, 28800}


@pytest.mark.parametrize(
    ("name", "qtype"),
    [
        ("web.default.svc.cluster.local", "AAAA"),
        ("web.default.svc.cluster.local", "MX"),
        ("web.default.svc.cluster.local", "TXT"),
        ("db-0.db.default.svc.cluster.local", "AAAA"),
        ("default.svc.cluster.local", "A"),
        ("svc.cluster.local", "A"),
        ("cluster.local", "A"),
        ("loop.default.svc.cluster.local", "A"),
        ("outside.default.svc.cluster.local", "SRV"),
    ],
)
def test_name_without_records_of_that_type_is_an_empty_answer_with_soa(
    name: str, qtype: str
) -> None:
    found = answer(name, qtype)
    assert (found.rcode, list(found.answers)) == (RCODE.NOERROR, [])
    assert str(found.authority[0].rdata.mname) == "ns.dns.cluster.local."


@pytest.mark.parametrize(
    "name",
    [
        "nowhere.default.svc.cluster.local",
        "web.nowhere.svc.cluster.local",
        "nowhere.svc.cluster.local",
        "web.default.cluster.local",
        "a.b.c.web.default.svc.cluster.local",
        "_https._tcp.web.default.svc.cluster.local",
        "db-9.db.default.svc.cluster.local",
        "empty.default.svc.cluster.local",
        "x.outside.default.svc.cluster.local",
        "web.default.pod.cluster.local",
        "10-244-0-5.nowhere.pod.cluster.local",
        "www.example.com.cluster.local",
    ],
)
@pytest.mark.parametrize("qtype", ["A", "AAAA", "SRV"])
def test_name_that_does_not_exist_is_denied_with_soa(name: str, qtype: str) -> None:
    found = answer(name, qtype)
    assert found.rcode == RCODE.NXDOMAIN
    assert (str(found.authority[0].rname), found.authority[0].ttl) == ("cluster.local.", 30)


@pytest.mark.parametrize(
    ("name", "qtype"),
    [
        ("www.example.com", "A"),
        ("notcluster.local", "A"),
        ("4.3.2.1.in-addr.arpa", "PTR"),
        ("8.0.244.10.in-addr.arpa", "PTR"),
        ("80.0.0.10.in-addr.arpa", "A"),
        ("10.in-addr.arpa", "PTR"),
    ],
)
def test_name_of_others_is_left_to_the_upstream(name: str, qtype: str) -> None:
    assert ask(name, qtype) is None


def test_external_name_is_a_cname_to_be_followed_outside() -> None:
    found = ask("outside.default.svc.cluster.local")
    assert isinstance(found, External)
    assert (found.target, len(found.cnames)) == ("www.example.com", 1)


def test_external_name_inside_the_cluster_is_followed_in_the_zone() -> None:
    found = answer("alias.default.svc.cluster.local")
    assert [str(r.rdata) for r in found.answers] == ["web.default.svc.cluster.local.", "10.0.0.80"]


def test_srv_answers_carry_the_addresses_of_their_targets() -> None:
    found = answer("_http._tcp.db.default.svc.cluster.local", "SRV")
    assert {str(r.rdata) for r in found.additional} == {"10.244.0.5", "10.244.1.6", "10.244.1.7"}


@given(labels=st.lists(LABELS, max_size=6), kind=st.sampled_from(["svc", "pod", "x"]))
def test_any_name_below_the_domain_gets_an_answer_of_the_zone(labels: list[str], kind: str) -> None:
    found = answer(".".join([*labels, kind, DOMAIN]))
    assert found.rcode in (RCODE.NOERROR, RCODE.NXDOMAIN)
    assert found.answers or found.authority


@given(address=st.ip_addresses(v=4))
def test_pod_address_names_give_the_address_they_spell(address: object) -> None:
    name = str(address).replace(".", "-") + ".default.pod.cluster.local"
    assert data(answer(name)) == {str(address)}
