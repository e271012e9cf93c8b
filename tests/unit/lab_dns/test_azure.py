"""Azure DNS: linked private zones answer alone, unlinked ones leave it to the public chain."""

import pytest
from dnslib import QTYPE, RCODE
from hypothesis import given
from hypothesis import strategies as st

from pytest_aksnet.lab.dns.azure import AzureDns
from pytest_aksnet.lab.dns.message import Answer, Question
from pytest_aksnet.lab.layout import default_spec

SPEC = default_spec("overlay", "calico")
ENDPOINT = SPEC.private_endpoints[0]


def ask(azure: AzureDns, name: str, qtype: str = "A") -> Answer:
    return azure.lookup(Question(name=name, qtype=getattr(QTYPE, qtype)))


def data(found: Answer) -> list[str]:
    return [str(r.rdata).rstrip(".") for r in found.answers]


def test_linked_zone_resolves_to_the_private_endpoint() -> None:
    found = ask(AzureDns(SPEC), ENDPOINT.fqdn)
    assert data(found) == [ENDPOINT.privatelink_fqdn, ENDPOINT.ip]


def test_unlinked_zone_resolves_to_the_public_address() -> None:
    azure = AzureDns(SPEC)
    azure.unlink(ENDPOINT.zone)
    expected = [ENDPOINT.privatelink_fqdn, ENDPOINT.public_cname, ENDPOINT.public_ip]
    assert data(ask(azure, ENDPOINT.fqdn)) == expected
    azure.link(ENDPOINT.zone)
    assert data(ask(azure, ENDPOINT.fqdn)) == [ENDPOINT.privatelink_fqdn, ENDPOINT.ip]


def test_linked_zone_denies_names_it_lacks() -> None:
    found = ask(AzureDns(SPEC), f"other.{ENDPOINT.zone}")
    assert (found.rcode, str(found.authority[0].rname)) == (RCODE.NXDOMAIN, ENDPOINT.zone + ".")


def test_private_name_has_no_ipv6_address_but_exists() -> None:
    found = ask(AzureDns(SPEC), ENDPOINT.fqdn, "AAAA")
    assert (found.rcode, data(found)) == (RCODE.NOERROR, [ENDPOINT.privatelink_fqdn])
    assert found.authority


@pytest.mark.parametrize(("name", "address"), sorted(SPEC.public_names.items()))
def test_public_names_resolve(name: str, address: str) -> None:
    assert data(ask(AzureDns(SPEC), name)) == [address]


def test_parents_of_names_exist_without_records() -> None:
    found = ask(AzureDns(SPEC), "windows.net")
    assert (found.rcode, data(found)) == (RCODE.NOERROR, [])


@given(label=st.from_regex(r"[a-z]{1,20}", fullmatch=True))
def test_unknown_names_are_denied_with_an_soa(label: str) -> None:
    found = ask(AzureDns(SPEC), f"{label}.invalid")
    assert (found.rcode, str(found.authority[0].rname)) == (RCODE.NXDOMAIN, ".")


def test_zone_that_does_not_exist_cannot_be_linked() -> None:
    with pytest.raises(KeyError):
        AzureDns(SPEC).unlink("nowhere.example")
