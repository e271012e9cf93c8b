"""Azure DNS: linked private zones answer alone, elsewhere the public chain does."""

import pytest
from dnslib import QTYPE, RCODE
from hypothesis import given
from hypothesis import strategies as st

from pytest_aksnet.lab.azure.resources import RecordSet, ZoneLink
from pytest_aksnet.lab.azure.state import CLUSTER_NETWORK, PEERED_NETWORK, AzureState
from pytest_aksnet.lab.dns.azure import AzureDns
from pytest_aksnet.lab.dns.message import Answer, Question
from pytest_aksnet.lab.layout import default_spec, make_spec
from pytest_aksnet.lab.options import LabOptions

SPEC = default_spec("overlay", "calico")
ENDPOINT = SPEC.private_endpoints[0]
PUBLIC_CHAIN = [ENDPOINT.privatelink_fqdn, ENDPOINT.public_cname, ENDPOINT.public_ip]


class Azure:
    """Azure DNS and the resources that it answers from."""

    def __init__(self) -> None:
        self.state = AzureState(SPEC)
        self.dns = AzureDns(self.state)
        self.zone = self.state.private_zones[ENDPOINT.zone]

    def ask(self, name: str, qtype: str = "A", network: str = CLUSTER_NETWORK) -> Answer:
        return self.dns.lookup(Question(name=name, qtype=getattr(QTYPE, qtype)), network)


def data(found: Answer) -> list[str]:
    return [str(r.rdata).rstrip(".") for r in found.answers]


def test_linked_zone_resolves_to_the_private_endpoint() -> None:
    assert data(Azure().ask(ENDPOINT.fqdn)) == [ENDPOINT.privatelink_fqdn, ENDPOINT.ip]


def test_unlinked_zone_resolves_to_the_public_address() -> None:
    azure = Azure()
    links, azure.zone.links = azure.zone.links, []
    assert data(azure.ask(ENDPOINT.fqdn)) == PUBLIC_CHAIN
    azure.zone.links = links
    assert data(azure.ask(ENDPOINT.fqdn)) == [ENDPOINT.privatelink_fqdn, ENDPOINT.ip]


def test_each_virtual_network_sees_its_own_links() -> None:
    azure = Azure()
    assert data(azure.ask(ENDPOINT.fqdn, network=PEERED_NETWORK)) == PUBLIC_CHAIN
    azure.zone.links.append(ZoneLink(name="to-hub", network=PEERED_NETWORK))
    assert data(azure.ask(ENDPOINT.fqdn, network=PEERED_NETWORK))[-1] == ENDPOINT.ip


@pytest.mark.parametrize(
    ("client", "network"),
    [
        ("10.224.0.4", CLUSTER_NETWORK),
        ("10.64.0.4", PEERED_NETWORK),
        ("203.0.113.80", ""),
        ("", ""),
    ],
)
def test_clients_belong_to_the_network_of_their_address(client: str, network: str) -> None:
    assert Azure().dns.network_of(client) == network


def test_linked_zone_denies_names_it_lacks() -> None:
    found = Azure().ask(f"other.{ENDPOINT.zone}")
    assert (found.rcode, str(found.authority[0].rname)) == (RCODE.NXDOMAIN, ENDPOINT.zone + ".")


def test_a_missing_record_is_public_where_the_link_falls_back() -> None:
    azure = Azure()
    azure.zone.records = []
    assert azure.ask(ENDPOINT.fqdn).rcode == RCODE.NXDOMAIN
    azure.zone.links[0].fallback = True
    assert data(azure.ask(ENDPOINT.fqdn)) == PUBLIC_CHAIN


def test_private_name_has_no_ipv6_address_but_exists() -> None:
    found = Azure().ask(ENDPOINT.fqdn, "AAAA")
    assert (found.rcode, data(found)) == (RCODE.NOERROR, [ENDPOINT.privatelink_fqdn])
    assert found.authority


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("A", "10.226.0.9"),
        ("AAAA", "fd9a:6b1f:e000::9"),
        ("TXT", '"v="one""'),
        ("PTR", "vm.example"),
        ("MX", "10 mail.example."),
        ("SRV", "0 5 80 web.example."),
    ],
)
def test_records_of_every_kind_are_answered(kind: str, value: str) -> None:
    azure = Azure()
    plain = 'v="one"' if kind == "TXT" else value
    azure.zone.records.append(RecordSet(name="x", kind=kind, values=[plain]))
    assert data(azure.ask(f"x.{ENDPOINT.zone}", kind)) == [value.rstrip(".")]


def test_a_value_that_is_no_record_is_a_failure() -> None:
    azure = Azure()
    azure.zone.records.append(RecordSet(name="x", kind="A", values=["nonsense"]))
    assert azure.ask(f"x.{ENDPOINT.zone}").rcode == RCODE.SERVFAIL


def test_apex_wildcard_and_aliases_of_a_private_zone() -> None:
    azure = Azure()
    azure.zone.records += [
        RecordSet(name="@", kind="A", values=["10.226.0.7"]),
        RecordSet(name="*", kind="A", values=["10.226.0.8"]),
        RecordSet(name="alias", kind="CNAME", values=["www.example.com"]),
    ]
    assert data(azure.ask(ENDPOINT.zone)) == ["10.226.0.7"]
    assert data(azure.ask(f"any.{ENDPOINT.zone}")) == ["10.226.0.8"]
    assert data(azure.ask(ENDPOINT.privatelink_fqdn)) == [ENDPOINT.ip]
    assert data(azure.ask(f"alias.{ENDPOINT.zone}")) == ["www.example.com", "203.0.113.80"]
    assert data(azure.ask(f"alias.{ENDPOINT.zone}", "CNAME")) == ["www.example.com"]


@pytest.mark.parametrize(("name", "address"), sorted(SPEC.public_names.items()))
def test_public_names_resolve(name: str, address: str) -> None:
    assert data(Azure().ask(name)) == [address]
    assert data(Azure().ask(name, "AAAA")) == []


def test_public_names_have_ipv6_addresses_in_a_dual_stack_lab() -> None:
    dns = AzureDns(AzureState(make_spec(LabOptions(dual_stack=True))))
    found = dns.lookup(Question(name="www.example.com", qtype=QTYPE.AAAA), CLUSTER_NETWORK)
    assert data(found) == ["2001:db8:80::80"]


def test_machines_have_names_in_their_own_network_only() -> None:
    azure, node = Azure(), SPEC.nodes[0]
    name = f"{node.name}.{SPEC.internal_suffix}"
    assert data(azure.ask(name)) == [node.ip]
    assert data(azure.ask(name, "AAAA")) == []
    assert data(azure.ask("4.0.224.10.in-addr.arpa", "PTR")) == [name]
    assert azure.ask(f"nobody.{SPEC.internal_suffix}").rcode == RCODE.NXDOMAIN
    assert azure.ask(name, network=PEERED_NETWORK).rcode == RCODE.NXDOMAIN


def test_parents_of_names_exist_without_records() -> None:
    found = Azure().ask("windows.net")
    assert (found.rcode, data(found)) == (RCODE.NOERROR, [])


@given(label=st.from_regex(r"[a-z]{1,20}", fullmatch=True))
def test_unknown_names_are_denied_with_an_soa(label: str) -> None:
    found = Azure().ask(f"{label}.invalid")
    assert (found.rcode, str(found.authority[0].rname)) == (RCODE.NXDOMAIN, ".")
