"""Records of private zones: those of endpoints, of nobody, and of zones with one name."""

from dataclasses import replace

import pytest

from pytest_aksnet.expectations.azure_private_records import (
    judge_dangling,
    judge_one_zone,
    judge_record,
    of_nobody,
    ports_of,
)
from pytest_aksnet.model.azure_private import (
    PrivateEndpoint,
    PrivateZone,
    ZoneLink,
    ZoneRecord,
)
from pytest_aksnet.model.observation import DnsAnswer, DnsStatus
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations.azure_private_samples import (
    DENIED,
    ENDPOINT,
    FAIL,
    HERE,
    IP,
    KEPT,
    LINK,
    OPEN,
    PASS,
    PRIVATE,
    PUBLIC,
    RANGES,
    RECORD,
    TWIN,
    ZONE,
    found,
    of_records,
    outcome,
    said,
    seen,
)


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
    [finding] = judge_dangling(loose, [endpoint], answers, [record], own=RANGES, hidden={})
    assert outcome(finding, resource) is result


def test_who_may_not_read_all_endpoints_calls_no_record_nobodys() -> None:
    loose = of_nobody([LOOSE], [ENDPOINT], RANGES)
    of_peer = judge_dangling(loose, [ENDPOINT], {}, [LOOSE], own=(), hidden={})
    assert (outcome(of_peer[0]), bool(of_peer[0].verdict.warning)) == (PASS, True)
    subnets = {"endpoints": ("10.1.2.0/24",)}
    [finding] = judge_dangling(loose, [ENDPOINT], {}, [LOOSE], own=RANGES, hidden=subnets)
    assert outcome(finding) is OPEN


def test_services_answer_at_their_own_ports() -> None:
    assert ports_of([LOOSE]) == (443,)
    sql = replace(LOOSE, name="db.privatelink.database.windows.net")
    assert ports_of([LOOSE, sql]) == (443, 1433)


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
