"""The name of a private API server, and its public one."""

from dataclasses import replace

import pytest

from pytest_aksnet.expectations.azure_private_api import judge_api_server
from pytest_aksnet.expectations.azure_private_names import (
    Askers,
    NameSeen,
)
from pytest_aksnet.model.azure_private import (
    PrivateZone,
    ZoneLink,
    ZoneRecord,
)
from pytest_aksnet.model.observation import DnsAnswer, DnsStatus
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations.azure_private_samples import (
    ABROAD,
    API_NAME,
    API_ZONE,
    CLUSTER,
    CLUSTER_ID,
    ENDPOINT,
    FAIL,
    HERE,
    LINK,
    OPEN,
    OWN_SERVER,
    PASS,
    SILENT,
    VNET,
    found,
    outcome,
    said,
)

API_LINK = replace(LINK, id=f"{API_ZONE.id}/virtualnetworklinks/l", zone=API_ZONE.id)
API_RECORD = ZoneRecord(
    id=f"{API_ZONE.id}/a/c", zone=API_ZONE.id, name=API_NAME, addresses=("10.1.2.4",)
)
API_ENDPOINT = replace(ENDPOINT, target=CLUSTER_ID, names=(), addresses=("10.1.2.4",))
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
        # A zone of the same name that another cluster's hub has, and that is not linked here.
        (API_SAID, [API_ZONE], [], [], HERE, PASS, ""),
        (API_SAID, [API_ZONE], [replace(API_RECORD, addresses=("9",))], [], HERE, PASS, ""),
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
