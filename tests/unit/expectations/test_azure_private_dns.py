"""Names, zones and links of private endpoints, and who is in the way of the answers."""

from dataclasses import replace

import pytest

from pytest_aksnet.expectations.azure_private_dns import (
    judge_in_the_way,
    judge_link,
    judge_linked,
)
from pytest_aksnet.expectations.azure_private_names import (
    AZURE_DNS,
    Askers,
    NameSeen,
    Said,
    askers_of,
    zones_of,
)
from pytest_aksnet.model.azure_private import (
    Found,
    PrivateZone,
    ZoneLink,
)
from pytest_aksnet.model.observation import DnsAnswer, DnsStatus
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations.azure_private_samples import (
    ABROAD,
    AT_HUB,
    CLUSTER_ID,
    DENIED,
    ENDPOINT,
    FAIL,
    HERE,
    HUB,
    IP,
    LINK,
    NAME,
    OPEN,
    OWN_SERVER,
    PASS,
    PRIVATE,
    PUBLIC,
    SILENT,
    VNET,
    ZONE,
    found,
    network,
    of_links,
    outcome,
    said,
    seen,
)


@pytest.mark.parametrize(
    ("answer", "meaning"),
    [
        (PRIVATE, Said.PRIVATE),
        (PUBLIC, Said.PUBLIC),
        (said(IP, "203.0.113.9"), Said.PUBLIC),
        (said(), Said.NOTHING),
        (DENIED, Said.NOTHING),
        (SILENT, Said.UNANSWERED),
        (said(status=DnsStatus.SERVFAIL), Said.UNANSWERED),
        (None, Said.UNANSWERED),
    ],
)
def test_what_an_answer_comes_to(answer: DnsAnswer | None, meaning: Said) -> None:
    assert seen(PRIVATE).said(answer) is meaning


def test_an_endpoint_may_have_an_address_of_a_public_range() -> None:
    own = NameSeen(name=NAME, expected=("198.18.0.4",), pods={})
    assert own.said(said("198.18.0.4")) is Said.PRIVATE


def test_a_node_without_an_answer_does_not_count_while_others_have_one() -> None:
    one = NameSeen(name=NAME, pods={"n1": SILENT, "n2": PRIVATE})
    assert one.worst_pods() == (Said.PRIVATE, ("n2",))
    assert replace(one, pods={"n1": SILENT}).worst_pods() == (Said.UNANSWERED, ("n1",))
    assert replace(one, pods={"n1": DENIED, "n2": PRIVATE}).worst_pods()[0] is Said.NOTHING


def test_the_alias_tells_the_zone_where_the_name_does_not() -> None:
    vault = PrivateZone(id="v", name="privatelink.vaultcore.azure.net")
    alias = "kv.privatelink.vaultcore.azure.net"
    one = NameSeen(name="kv.vault.azure.net", pods={"n1": said("1.2.3.4", alias=f"{alias}.")})
    assert zones_of(one, [ZONE, vault]) == [vault]
    assert zones_of(NameSeen(name=NAME), [ZONE, vault]) == [ZONE]
    assert zones_of(NameSeen(name="kv.vault.azure.net"), [ZONE, vault]) == []


@pytest.mark.parametrize(
    ("servers", "vnets", "strangers"),
    [
        ((), (VNET,), ()),
        ((AZURE_DNS,), (VNET,), ()),
        (("10.1.0.4",), (VNET,), ()),
        (("10.9.0.4", "10.9.0.5"), (HUB,), ()),
        (("192.168.1.1",), (), ("192.168.1.1",)),
    ],
)
def test_the_network_of_the_dns_servers_asks(
    servers: tuple[str, ...], vnets: tuple[str, ...], strangers: tuple[str, ...]
) -> None:
    askers = askers_of([network(*servers)])
    assert (askers.vnets, askers.strangers) == (vnets, strangers)


@pytest.mark.parametrize(
    ("pods", "azure", "zones", "links", "askers", "result", "resource"),
    [
        (PUBLIC, PUBLIC, found(ZONE), of_links(LINK), HERE, PASS, ""),
        (PUBLIC, PUBLIC, found(ZONE), of_links(), HERE, FAIL, ZONE.id),
        (PUBLIC, PUBLIC, found(ZONE), of_links(LINK), AT_HUB, FAIL, ZONE.id),
        (PUBLIC, PUBLIC, found(ZONE, unread=True), of_links(LINK), AT_HUB, OPEN, ""),
        (PUBLIC, PUBLIC, found(ZONE, unread=True), of_links(), HERE, FAIL, ZONE.id),
        (PUBLIC, PUBLIC, found(), of_links(), HERE, FAIL, ENDPOINT.id),
        (PUBLIC, PUBLIC, found(unread=True), of_links(), HERE, OPEN, ""),
        (PUBLIC, PUBLIC, found(ZONE), of_links(), ABROAD, OPEN, ""),
        (PUBLIC, PRIVATE, found(ZONE), of_links(), HERE, OPEN, ""),
        (DENIED, DENIED, found(ZONE), of_links(), HERE, OPEN, ""),
        (PRIVATE, PRIVATE, found(), of_links(), HERE, PASS, ""),
        (SILENT, PUBLIC, found(ZONE), of_links(), HERE, OPEN, ""),
        (
            PUBLIC,
            PUBLIC,
            found(ZONE),
            of_links(replace(LINK, state="InProgress")),
            HERE,
            FAIL,
            ZONE.id,
        ),
    ],
)
def test_a_zone_must_be_linked_where_azure_dns_is_asked(
    pods: DnsAnswer,
    azure: DnsAnswer,
    zones: Found[PrivateZone],
    links: Found[ZoneLink],
    askers: Askers,
    result: Outcome,
    resource: str,
) -> None:
    finding = judge_linked(seen(pods, azure), zones, links, askers, ENDPOINT)
    assert outcome(finding, resource) is result
    if resource == ZONE.id:
        assert "az network private-dns link vnet create" in finding.change


def test_a_name_of_the_site_file_without_a_zone_is_open() -> None:
    finding = judge_linked(seen(PUBLIC, PUBLIC), found(), of_links(), HERE, None)
    assert outcome(finding) is OPEN


@pytest.mark.parametrize(
    ("changes", "pods", "result", "resource", "warns"),
    [
        ({}, PRIVATE, PASS, "", False),
        ({"policy": "NxDomainRedirect"}, PRIVATE, PASS, "", True),
        ({"state": "InProgress"}, PRIVATE, OPEN, "", False),
        ({"state": "InProgress"}, PUBLIC, FAIL, LINK.id, False),
        ({"provisioning_state": "Failed"}, PRIVATE, FAIL, LINK.id, False),
        ({"state": ""}, PUBLIC, OPEN, "", False),
        ({"provisioning_state": ""}, PUBLIC, OPEN, "", False),
        ({"vnet": ""}, PUBLIC, OPEN, "", False),
    ],
)
def test_a_link_is_completed(
    changes: dict[str, str], pods: DnsAnswer, result: Outcome, resource: str, warns: bool
) -> None:
    finding = judge_link(replace(LINK, **changes), ZONE, [seen(pods)], HERE)
    assert outcome(finding, resource) is result
    assert bool(finding.verdict.warning) == warns


@pytest.mark.parametrize(
    ("pods", "azure", "server", "result", "resource"),
    [
        (PRIVATE, PRIVATE, PRIVATE, PASS, ""),
        (PUBLIC, PRIVATE, PUBLIC, FAIL, VNET),
        (PRIVATE, PRIVATE, DENIED, FAIL, VNET),
        (PRIVATE, PRIVATE, SILENT, FAIL, VNET),
        (PUBLIC, PRIVATE, PRIVATE, FAIL, CLUSTER_ID),
        (DENIED, PRIVATE, PRIVATE, FAIL, CLUSTER_ID),
        (SILENT, PRIVATE, PRIVATE, OPEN, ""),
        (PUBLIC, PUBLIC, PUBLIC, PASS, ""),
        (PUBLIC, SILENT, PUBLIC, OPEN, ""),
        (PUBLIC, None, PUBLIC, OPEN, ""),
        (PRIVATE, None, PRIVATE, PASS, ""),
    ],
)
def test_who_is_in_the_way(
    pods: DnsAnswer, azure: DnsAnswer | None, server: DnsAnswer, result: Outcome, resource: str
) -> None:
    one = seen(pods, azure, {"10.1.0.4": server})
    assert outcome(judge_in_the_way(one, OWN_SERVER, CLUSTER_ID), resource) is result
