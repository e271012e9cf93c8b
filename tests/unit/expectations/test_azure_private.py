"""Private endpoints: approved, with a zone group, and reached."""

from dataclasses import replace
from typing import Any

import pytest

from pytest_aksnet.expectations.azure_places import Spot
from pytest_aksnet.expectations.azure_private import judge_approved, judge_group
from pytest_aksnet.expectations.azure_private_reach import judge_reachable
from pytest_aksnet.model.azure_private import (
    ZoneGroup,
    ZoneRecord,
)
from pytest_aksnet.model.azure_security import SecurityGroup, SecurityRule
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations import azure_samples as samples
from tests.unit.expectations.azure_private_samples import (
    CLUSTER,
    ENDPOINT,
    FAIL,
    KEPT,
    OPEN,
    PASS,
    PRIVATE,
    RANGES,
    RECORD,
    TWIN,
    ZONE,
    found,
    network,
    of_records,
    outcome,
    seen,
)


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


SUBNET = replace(
    samples.SUBNET, id=ENDPOINT.subnet, cidrs=RANGES, route_table="", endpoint_policies="Enabled"
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
        Spot(vnet=network(), subnet=subnet),
        groups,
        CLUSTER,
        {"10.1.0.4": accepted},
        port=443,
        is_known=is_known,
    )
    rule = f"{SUBNET.security_group}/securityrules/all"
    assert outcome(finding, rule if result is FAIL else "") is result
    assert bool(finding.verdict.warning) == warns
