"""Promises about private endpoints, zones, links and records, on facts that a test makes up."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pytest_aksnet.expectations.azure_blame import Finding
from pytest_aksnet.expectations.azure_places import Spot
from pytest_aksnet.expectations.azure_private import judge_approved, judge_group
from pytest_aksnet.expectations.azure_private_api import judge_api_server
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
from pytest_aksnet.expectations.azure_private_reach import judge_reachable
from pytest_aksnet.expectations.azure_private_records import (
    judge_dangling,
    judge_one_zone,
    judge_record,
    of_nobody,
)
from pytest_aksnet.model.azure import ManagedCluster
from pytest_aksnet.model.azure_private import (
    EndpointName,
    Found,
    PrivateEndpoint,
    PrivateZone,
    Unread,
    ZoneGroup,
    ZoneLink,
    ZoneRecord,
)
from pytest_aksnet.model.azure_security import SecurityGroup, SecurityRule
from pytest_aksnet.model.azure_vnet import Peering, Subnet, VirtualNetwork
from pytest_aksnet.model.observation import DnsAnswer, DnsStatus
from pytest_aksnet.model.verdict import Outcome

PASS, FAIL, OPEN = Outcome.PASS, Outcome.FAIL, Outcome.INCONCLUSIVE
GROUP = "/subscriptions/s1/resourcegroups/rg/providers/microsoft.network"
VNET, HUB = f"{GROUP}/virtualnetworks/vnet", f"{GROUP}/virtualnetworks/hub"
NAME, ALIAS = "acct.blob.core.windows.net", "acct.privatelink.blob.core.windows.net"
ZONE = PrivateZone(
    id=f"{GROUP}/privatednszones/privatelink.blob.core.windows.net",
    name="privatelink.blob.core.windows.net",
)
TWIN = replace(ZONE, id=ZONE.id.replace("/rg/", "/team/"))
LINK = ZoneLink(
    id=f"{ZONE.id}/virtualnetworklinks/to-vnet",
    zone=ZONE.id,
    vnet=VNET,
    state="Completed",
    provisioning_state="Succeeded",
    policy="Default",
)
IP = "10.1.2.5"
RECORD = ZoneRecord(id=f"{ZONE.id}/a/acct", zone=ZONE.id, name=ALIAS, addresses=(IP,))
ENDPOINT = PrivateEndpoint(
    id=f"{GROUP}/privateendpoints/pe",
    subnet=f"{VNET}/subnets/endpoints",
    target="/subscriptions/s1/resourcegroups/rg/providers/microsoft.storage/storageaccounts/acct",
    groups=("blob",),
    state="Approved",
    description="",
    provisioning_state="Succeeded",
    names=(EndpointName(name=NAME, addresses=(IP,)),),
    addresses=(IP,),
)
KEPT = ZoneGroup(
    id=f"{ENDPOINT.id}/privatednszonegroups/default",
    endpoint=ENDPOINT.id,
    zones=(ZONE.id,),
    provisioning_state="Succeeded",
)
HERE = Askers(own=(VNET,), vnets=(VNET,))
RANGES = ("10.1.0.0/16",)


def said(*addresses: str, status: DnsStatus = DnsStatus.NOERROR, alias: str = ALIAS) -> DnsAnswer:
    return DnsAnswer(
        name=NAME,
        qtype="A",
        status=status,
        addresses=addresses,
        cname_chain=(alias,) if alias else (),
    )


PRIVATE, PUBLIC = said(IP), said("203.0.113.9")
DENIED = said(status=DnsStatus.NXDOMAIN)
SILENT = said(status=DnsStatus.TIMEOUT, alias="")


def seen(
    pods: DnsAnswer,
    azure: DnsAnswer | None = None,
    servers: Mapping[str, DnsAnswer] | None = None,
) -> NameSeen:
    return NameSeen(
        name=NAME, expected=(IP,), pods={"n1": pods}, azure=azure, servers=servers or {}
    )


def found(*items: PrivateZone, unread: bool = False) -> Found[PrivateZone]:
    missing = (Unread(subscription="s2", why="403", action="x/read"),) if unread else ()
    return Found(items=items, subscriptions=("s1",), unread=missing)


def of_links(*links: ZoneLink) -> Found[ZoneLink]:
    return Found(items=links, subscriptions=("s1",))


def of_records(*records: ZoneRecord) -> Found[ZoneRecord]:
    return Found(items=records, subscriptions=("s1",))


def outcome(finding: Finding, resource: str = "") -> Outcome:
    assert finding.resource == resource
    return finding.verdict.outcome


# -- names, zones, and from where Azure DNS is asked -----------------------------------------


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


def _network(*servers: str) -> VirtualNetwork:
    peering = Peering(
        id=f"{VNET}/virtualnetworkpeerings/to-hub",
        remote_vnet=HUB,
        state="Connected",
        in_sync="FullyInSync",
        remote_ranges=("10.9.0.0/16",),
        allows_access=True,
        allows_forwarded=True,
    )
    return VirtualNetwork(
        id=VNET, ranges=RANGES, dns_servers=servers, subnets=(), peerings=(peering,)
    )


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
    askers = askers_of([_network(*servers)])
    assert (askers.vnets, askers.strangers) == (vnets, strangers)


# -- links -------------------------------------------------------------------------------------

AT_HUB = Askers(own=(VNET,), vnets=(HUB,), dns_servers=("10.9.0.4",))
ABROAD = Askers(own=(VNET,), vnets=(), dns_servers=("192.168.1.1",), strangers=("192.168.1.1",))


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


# -- who is in the way -------------------------------------------------------------------------

CLUSTER_ID = "/subscriptions/s1/resourcegroups/rg/providers/microsoft.containerservice/m/c"
OWN_SERVER = Askers(own=(VNET,), vnets=(VNET,), dns_servers=("10.1.0.4",))


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


# -- endpoints ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "result"),
    [
        ({}, PASS),
        ({"state": "Pending"}, FAIL),
        ({"state": "Rejected"}, FAIL),
        ({"state": ""}, OPEN),
        ({"provisioning_state": ""}, OPEN),
        ({"provisioning_state": "Updating"}, OPEN),
        ({"provisioning_state": "Failed"}, FAIL),
    ],
)
def test_an_endpoint_is_approved(changes: dict[str, Any], result: Outcome) -> None:
    endpoint = replace(ENDPOINT, **changes)
    finding = judge_approved(endpoint, port=443, answers=False)
    assert outcome(finding, ENDPOINT.id if result is FAIL else "") is result


@pytest.mark.parametrize(
    ("groups", "records", "result", "warns"),
    [
        ([KEPT], (RECORD,), PASS, False),
        ([], (RECORD,), PASS, True),
        ([], (), PASS, True),
        ([], (replace(RECORD, addresses=("10.1.2.9",)),), FAIL, False),
        ([], (replace(RECORD, addresses=None),), PASS, True),
        ([replace(KEPT, provisioning_state="Failed")], (RECORD,), FAIL, False),
        ([replace(KEPT, provisioning_state="")], (RECORD,), OPEN, False),
        ([replace(KEPT, zones=())], (RECORD,), OPEN, False),
        ([replace(KEPT, zones=(TWIN.id,))], (RECORD,), FAIL, False),
        ([replace(KEPT, zones=(ZONE.id.replace("s1", "s9"),))], (RECORD,), PASS, False),
        ([replace(KEPT, endpoint="another")], (RECORD,), PASS, True),
    ],
)
def test_an_endpoint_has_a_zone_group(
    groups: list[ZoneGroup], records: tuple[ZoneRecord, ...], result: Outcome, warns: bool
) -> None:
    finding = judge_group(ENDPOINT, groups, found(ZONE), of_records(*records), [seen(PRIVATE)])
    assert outcome(finding, ENDPOINT.id if result is FAIL else "") is result
    assert bool(finding.verdict.warning) == warns


SUBNET = Subnet(
    id=f"{VNET}/subnets/endpoints",
    cidrs=RANGES,
    security_group=f"{GROUP}/networksecuritygroups/nsg",
    route_table="",
    nat_gateway="",
    provisioning_state="Succeeded",
    default_outbound=False,
    delegations=(),
    endpoint_policies="Enabled",
)


def closing(access: str) -> SecurityGroup:
    rule = SecurityRule(
        id=f"{SUBNET.security_group}/securityrules/all",
        name="all",
        priority=100,
        direction="Inbound",
        access=access,
        protocol="*",
        sources=("*",),
        source_ports=("*",),
        destinations=("*",),
        destination_ports=("*",),
    )
    return SecurityGroup(id=SUBNET.security_group, rules=(rule,))


@pytest.mark.parametrize(
    ("access", "policies", "accepted", "is_known", "result", "warns"),
    [
        ("Deny", "Enabled", False, True, FAIL, False),
        ("Deny", "NetworkSecurityGroupEnabled", False, False, FAIL, False),
        ("Deny", "Enabled", True, True, PASS, True),
        ("Deny", "Disabled", False, False, PASS, False),
        ("Deny", "Disabled", False, True, OPEN, False),
        ("Deny", "RouteTableEnabled", True, True, PASS, False),
        ("Deny", "", False, False, OPEN, False),
        ("Deny", "", True, False, PASS, False),
        ("Allow", "Enabled", True, True, PASS, False),
        ("Allow", "Enabled", False, False, PASS, False),
        ("", "Enabled", False, False, OPEN, False),
    ],
)
def test_a_security_group_lets_nodes_to_endpoints(
    access: str, policies: str, accepted: bool, is_known: bool, result: Outcome, warns: bool
) -> None:
    subnet = replace(SUBNET, endpoint_policies=policies)
    groups = [closing(access)] if access else []
    finding = judge_reachable(
        ENDPOINT,
        Spot(vnet=_network(), subnet=subnet),
        groups,
        CLUSTER,
        {"10.1.0.4": accepted},
        port=443,
        is_known=is_known,
    )
    rule = f"{SUBNET.security_group}/securityrules/all"
    assert outcome(finding, rule if result is FAIL else "") is result
    assert bool(finding.verdict.warning) == warns


# -- records -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "pods", "result", "resource"),
    [
        ((RECORD,), PRIVATE, PASS, ""),
        ((), DENIED, FAIL, ZONE.id),
        ((), PRIVATE, PASS, ""),
        ((replace(RECORD, addresses=("10.1.2.9",)),), said("10.1.2.9"), FAIL, RECORD.id),
        ((replace(RECORD, addresses=("10.77.0.9",)),), said("10.77.0.9"), OPEN, ""),
        ((replace(RECORD, addresses=(IP, "10.77.0.9")),), PRIVATE, PASS, ""),
        ((replace(RECORD, addresses=(IP, "10.1.2.9")),), PRIVATE, FAIL, RECORD.id),
        ((replace(RECORD, addresses=None),), PUBLIC, OPEN, ""),
    ],
)
def test_a_record_is_its_endpoint(
    records: tuple[ZoneRecord, ...], pods: DnsAnswer, result: Outcome, resource: str
) -> None:
    finding = judge_record(
        seen(pods), found(ZONE), of_records(*records), [LINK], [KEPT], HERE, RANGES
    )
    assert outcome(finding, resource) is result


def test_an_old_answer_in_a_cache_is_a_warning() -> None:
    finding = judge_record(
        seen(said("10.1.2.9")), found(ZONE), of_records(RECORD), [LINK], [], HERE, RANGES
    )
    assert (outcome(finding), bool(finding.verdict.warning)) == (PASS, True)


def test_a_zone_that_only_the_name_suggests_is_no_proof() -> None:
    nameless = seen(said(status=DnsStatus.NXDOMAIN, alias=""))
    finding = judge_record(nameless, found(ZONE), of_records(), [LINK], [], HERE, RANGES)
    assert outcome(finding) is OPEN


LOOSE = replace(RECORD, id=f"{ZONE.id}/a/old", name=f"old.{ZONE.name}", addresses=("10.1.2.9",))


@pytest.mark.parametrize(
    ("record", "endpoint", "answers", "result", "resource"),
    [
        (RECORD, ENDPOINT, {}, PASS, ""),
        (LOOSE, ENDPOINT, {"10.1.2.9": False}, FAIL, LOOSE.id),
        (LOOSE, ENDPOINT, {"10.1.2.9": True}, PASS, ""),
        (LOOSE, replace(ENDPOINT, addresses=None), {}, OPEN, ""),
        (replace(LOOSE, addresses=("10.77.0.9",)), ENDPOINT, {}, PASS, ""),
        (replace(LOOSE, addresses=None), ENDPOINT, {}, OPEN, ""),
    ],
)
def test_a_record_is_not_nobodys(
    record: ZoneRecord,
    endpoint: PrivateEndpoint,
    answers: dict[str, bool],
    result: Outcome,
    resource: str,
) -> None:
    loose = of_nobody([record], [endpoint], RANGES)
    [finding] = judge_dangling(loose, [endpoint], answers, [record])
    assert outcome(finding, resource) is result


@pytest.mark.parametrize(
    ("zones", "records", "links", "result", "resource", "warns"),
    [
        ([ZONE], [RECORD], [LINK], PASS, "", False),
        ([ZONE, TWIN], [RECORD], [LINK], PASS, "", True),
        ([ZONE, TWIN], [replace(RECORD, zone=TWIN.id)], [LINK], FAIL, ZONE.id, False),
        ([ZONE, TWIN], [replace(RECORD, zone=TWIN.id)], [], PASS, "", True),
        ([ZONE, TWIN], [RECORD, replace(RECORD, zone=TWIN.id)], [LINK], PASS, "", True),
        (
            [ZONE, TWIN],
            [replace(RECORD, addresses=None), replace(RECORD, zone=TWIN.id)],
            [LINK],
            PASS,
            "",
            True,
        ),
    ],
)
def test_one_zone_of_a_name(
    zones: list[PrivateZone],
    records: list[ZoneRecord],
    links: list[ZoneLink],
    result: Outcome,
    resource: str,
    warns: bool,
) -> None:
    finding = judge_one_zone(ZONE.name, zones, records, links, HERE, [seen(DENIED)])
    assert outcome(finding, resource) is result
    assert bool(finding.verdict.warning) == warns


# -- the API server ----------------------------------------------------------------------------

API_ZONE = PrivateZone(
    id=f"{GROUP}/privatednszones/g.privatelink.westeurope.azmk8s.io",
    name="g.privatelink.westeurope.azmk8s.io",
)
API_NAME = f"c.{API_ZONE.name}"
API_LINK = replace(LINK, id=f"{API_ZONE.id}/virtualnetworklinks/l", zone=API_ZONE.id)
API_RECORD = ZoneRecord(
    id=f"{API_ZONE.id}/a/c", zone=API_ZONE.id, name=API_NAME, addresses=("10.1.2.4",)
)
API_ENDPOINT = replace(ENDPOINT, target=CLUSTER_ID, names=(), addresses=("10.1.2.4",))
CLUSTER = ManagedCluster(
    id=CLUSTER_ID,
    region="westeurope",
    node_group="mc",
    version="1.34.2",
    support_plan="",
    provisioning_state="Succeeded",
    power_state="Running",
    fqdn="c.hcp.westeurope.azmk8s.io",
    private_fqdn=API_NAME,
    is_private=True,
    has_public_fqdn=False,
    authorized_ranges=(),
    private_zone="system",
    upgrade_channel="",
    node_os_channel="",
    addons=(),
    network=None,
)
API_SAID, API_DENIED = said("10.1.2.4", alias=""), said(status=DnsStatus.NXDOMAIN, alias="")


@pytest.mark.parametrize(
    ("pods", "zones", "records", "links", "askers", "result", "resource"),
    [
        (API_SAID, [API_ZONE], [API_RECORD], [API_LINK], HERE, PASS, ""),
        (API_DENIED, [API_ZONE], [API_RECORD], [], HERE, FAIL, API_ZONE.id),
        (API_DENIED, [API_ZONE], [], [API_LINK], HERE, FAIL, API_ZONE.id),
        (
            API_DENIED,
            [API_ZONE],
            [replace(API_RECORD, addresses=("10.1.2.9",))],
            [API_LINK],
            HERE,
            FAIL,
            API_RECORD.id,
        ),
        (API_DENIED, [API_ZONE], [API_RECORD], [API_LINK], OWN_SERVER, FAIL, VNET),
        (API_DENIED, [API_ZONE], [API_RECORD], [API_LINK], HERE, OPEN, ""),
        (SILENT, [API_ZONE], [API_RECORD], [API_LINK], HERE, OPEN, ""),
        (API_DENIED, [], [], [], HERE, OPEN, ""),
        (API_SAID, [], [], [], HERE, PASS, ""),
        (API_DENIED, [API_ZONE], [API_RECORD], [], ABROAD, FAIL, VNET),
        (
            API_SAID,
            [API_ZONE],
            [replace(API_RECORD, addresses=None)],
            [API_LINK],
            HERE,
            OPEN,
            "",
        ),
    ],
)
def test_the_private_api_server(
    pods: DnsAnswer,
    zones: list[PrivateZone],
    records: list[ZoneRecord],
    links: list[ZoneLink],
    askers: Askers,
    result: Outcome,
    resource: str,
) -> None:
    one = NameSeen(name=API_NAME, expected=("10.1.2.4",), pods={"n1": pods})
    finding = judge_api_server(CLUSTER, [API_ENDPOINT], one, found(*zones), records, links, askers)
    assert outcome(finding, resource) is result


def test_a_public_name_of_a_private_api_server_is_a_warning() -> None:
    one = NameSeen(name=API_NAME, expected=("10.1.2.4",), pods={"n1": API_SAID})
    for private_zone, warns in (("system", True), ("none", False)):
        cluster = replace(CLUSTER, has_public_fqdn=True, private_zone=private_zone)
        finding = judge_api_server(
            cluster, [API_ENDPOINT], one, found(API_ZONE), [API_RECORD], [API_LINK], HERE
        )
        assert outcome(finding) is PASS
        assert (CLUSTER.fqdn in finding.verdict.warning) == warns
