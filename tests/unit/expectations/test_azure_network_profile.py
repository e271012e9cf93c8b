"""networkProfile beside what the cluster shows, retirements and endpoints: both sides, or open."""

import datetime
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from pytest_aksnet.expectations.azure_egress import (
    is_tls,
    judge_required_egress,
    on_the_way_out,
    places_of,
)
from pytest_aksnet.expectations.azure_network_profile import (
    Shown,
    comparisons,
    judge_network_profile,
)
from pytest_aksnet.expectations.azure_retired import judge_retired, retired_in
from pytest_aksnet.model.azure_routes import RouteTable, UserRoute
from pytest_aksnet.model.azure_upgrades import RequiredEndpoint
from pytest_aksnet.model.probing import Answer, Finding
from pytest_aksnet.model.profile import Fact
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations.azure_samples import (
    CLUSTER,
    CLUSTER_ID,
    PLAN,
    POOL,
    SUBNET,
    TABLE_ID,
)

_FACTS = {
    "mode": "overlay",
    "policy-engine": "calico",
    "data-plane": "azure",
    "dns-service-ip": "10.0.0.10",
    "ip-families": "ipv4",
}


def _shown(facts: Mapping[str, str] = _FACTS, pods: tuple[str, ...] = ("10.244.1.9",)) -> Shown:
    return Shown(
        facts={name: Fact(value=value, source="the cluster") for name, value in facts.items()},
        pods=pods,
        services=("10.0.0.1", "10.0.0.10"),
    )


@pytest.mark.parametrize(
    ("plan", "shown", "outcome", "said"),
    [
        ({}, _shown(), Outcome.PASS, "agree"),
        ({"policy": "azure"}, _shown(), Outcome.FAIL, "azure in ARM, calico in the cluster"),
        ({"policy": "none"}, _shown(), Outcome.PASS, "agree"),
        ({"policy": ""}, _shown(), Outcome.PASS, "agree"),
        ({"plugin_mode": ""}, _shown(), Outcome.PASS, "agree"),
        ({"plugin": "kubenet"}, _shown(), Outcome.FAIL, "kubenet in ARM, overlay"),
        ({"pod_cidrs": ("10.9.0.0/16",)}, _shown(), Outcome.FAIL, "10.244.1.9 outside"),
        ({"service_cidrs": ("10.9.0.0/16",)}, _shown(), Outcome.FAIL, "10.0.0.1, 10.0.0.10"),
        ({"dns_service_ip": "10.0.0.11"}, _shown(), Outcome.FAIL, "dnsServiceIP"),
        ({"ip_families": ("ipv4", "ipv6")}, _shown(), Outcome.FAIL, "ipFamilies"),
        # With a plugin of one's own ARM has neither the engine nor the ranges of pods.
        (
            {"plugin": "none", "policy": "azure", "pod_cidrs": ("10.9.0.0/16",)},
            _shown(),
            Outcome.PASS,
            "agree",
        ),
    ],
)
def test_both_sides(plan: dict[str, Any], shown: Shown, outcome: Outcome, said: str) -> None:
    cluster = replace(CLUSTER, network=replace(PLAN, **plan))
    found = judge_network_profile(cluster, comparisons(cluster, [POOL], shown))
    assert found.verdict.outcome is outcome
    assert said in found.verdict.sentence
    assert bool(found.verdict.warning) == (plan.get("policy") == "none")
    assert found.resource == (CLUSTER_ID if outcome is Outcome.FAIL else "")


def test_one_side_alone_judges_nothing() -> None:
    nothing = Shown(facts={}, pods=(), services=())
    found = judge_network_profile(CLUSTER, comparisons(CLUSTER, [POOL], nothing))
    assert found.verdict.outcome is Outcome.INCONCLUSIVE
    told = Fact(value="cilium", source="ARM: networkProfile.networkPolicy")
    shown = Shown(facts={"policy-engine": told}, pods=("10.244.0.1",), services=())
    found = judge_network_profile(CLUSTER, comparisons(CLUSTER, [POOL], shown))
    assert found.verdict.outcome is Outcome.PASS
    bare = replace(CLUSTER, network=None)
    found = judge_network_profile(bare, comparisons(bare, [POOL], _shown()))
    assert found.verdict.outcome is Outcome.INCONCLUSIVE


def test_a_pool_whose_pod_subnet_is_missing_is_not_taken_for_another_mode() -> None:
    plan = replace(PLAN, plugin_mode="", pod_cidrs=())
    cluster = replace(CLUSTER, network=plan)
    shown = _shown(_FACTS | {"mode": "pod-subnet"})
    found = judge_network_profile(cluster, comparisons(cluster, [POOL], shown))
    assert found.verdict.outcome is Outcome.PASS
    in_subnet = replace(POOL, pod_subnet="/x/subnets/pods")
    found = judge_network_profile(cluster, comparisons(cluster, [in_subnet], _shown()))
    assert found.verdict.outcome is Outcome.FAIL


@pytest.mark.parametrize(
    ("pool", "image", "resource"),
    [
        ({}, "Ubuntu 24.04.1 LTS", ""),
        ({}, "CBL-Mariner/Linux", POOL.id),
        ({"os_sku": "CBLMariner"}, "Ubuntu 24.04.1 LTS", POOL.id),
        ({"image_version": "AKSAzureLinux-V2gen2-202503.1.0"}, "", POOL.id),
        ({"image_version": "AKSAzureLinux-V3gen2-202611.1.0"}, "", ""),
        ({"os_sku": "WindowsAnnual", "os_type": "Windows"}, "", POOL.id),
        ({"os_sku": "Windows2019"}, "", POOL.id),
        ({"os_sku": "Ubuntu2204"}, "", ""),
        ({"kind": "AvailabilitySet"}, "", POOL.id),
    ],
)
def test_what_is_retired(pool: dict[str, Any], image: str, resource: str) -> None:
    found = retired_in(CLUSTER, [replace(POOL, **pool)], {"user": {"node": image}})
    finding = judge_retired(CLUSTER, [], found, datetime.date(2026, 11, 21))
    assert finding.resource == resource
    assert finding.verdict.outcome is (Outcome.FAIL if resource else Outcome.PASS)
    assert bool(finding.verdict.warning) == (pool.get("os_sku") == "Ubuntu2204")


def test_the_day_decides_what_is_retired() -> None:
    cluster = replace(CLUSTER, network=replace(PLAN, plugin="kubenet", policy="azure"))
    found = retired_in(cluster, [POOL], {})
    assert len(found) == 2
    for day, outcome in (
        (datetime.date(2026, 11, 21), Outcome.PASS),
        (datetime.date(2028, 4, 1), Outcome.FAIL),
    ):
        assert judge_retired(cluster, [POOL], found, day).verdict.outcome is outcome
    today = datetime.date(2026, 11, 21)
    bare = judge_retired(replace(CLUSTER, network=None), [], {}, today)
    assert bare.verdict.outcome is Outcome.INCONCLUSIVE
    untold = judge_retired(CLUSTER, [replace(POOL, kind="")], {}, today)
    assert untold.verdict.outcome is Outcome.INCONCLUSIVE


_ENDPOINTS = (
    RequiredEndpoint(
        category="api", domain="*.hcp.westeurope.azmk8s.io", protocol="Https", port=443
    ),
    RequiredEndpoint(
        category="images", domain="*.data.mcr.microsoft.com", protocol="Https", port=443
    ),
    RequiredEndpoint(category="images", domain="mcr.microsoft.com", protocol="Https", port=443),
    RequiredEndpoint(category="time", domain="ntp.ubuntu.com", protocol="UDP", port=123),
    RequiredEndpoint(category="tunnel", domain="tunnel.example", protocol="TCP", port=9000),
    RequiredEndpoint(category="odd", domain="", protocol="", port=None),
)


def test_what_can_be_looked_at_of_a_list() -> None:
    places, left_out = places_of(_ENDPOINTS, CLUSTER)
    assert list(places) == [
        ("c.hcp.westeurope.azmk8s.io", 443),
        ("mcr.microsoft.com", 443),
    ]
    # Nothing listens at 9000 where the API server is behind Konnectivity.
    assert "tunnel.example:9000 (TCP)" in left_out
    assert len(left_out) == 4
    assert [is_tls(place, _ENDPOINTS) for place in places] == [True, True]


def test_endpoints_are_judged_by_node() -> None:
    places, _ = places_of(_ENDPOINTS, CLUSTER)
    good = {place: Answer(Finding.OK, 1.0, 1.0, {}) for place in places}
    silent = Answer(Finding.TIMEOUT, 1.0, 1.0, {})
    bad = good | {("mcr.microsoft.com", 443): silent}
    unknown = good | {("mcr.microsoft.com", 443): None}

    def judge(*nodes: Mapping[tuple[str, int], Answer | None]) -> Any:
        answers = {f"node-{index}": found for index, found in enumerate(nodes)}
        return judge_required_egress(answers, places, resource=TABLE_ID)

    assert judge(good, good).verdict.outcome is Outcome.PASS
    assert judge(good, unknown).verdict.outcome is Outcome.INCONCLUSIVE
    found = judge(bad, good, bad)
    assert found.verdict.outcome is Outcome.FAIL
    assert "mcr.microsoft.com:443" in found.verdict.sentence
    assert "(from node-0, node-2)" in found.verdict.sentence
    assert judge().verdict.outcome is Outcome.INCONCLUSIVE
    empty = judge_required_egress({"a": {}}, {}, resource=TABLE_ID)
    assert empty.verdict.outcome is Outcome.INCONCLUSIVE


def test_who_is_blamed_for_what_is_not_reached() -> None:
    route = UserRoute(id=f"{TABLE_ID}/routes/r", prefix="0.0.0.0/0", next_hop="None")
    leads_out = RouteTable(id=TABLE_ID, routes=(route,), subnets=())
    inside = RouteTable(id=TABLE_ID, routes=(replace(route, prefix="10.1.0.0/16"),), subnets=())
    assert on_the_way_out(CLUSTER, [SUBNET], [leads_out]) == TABLE_ID
    assert on_the_way_out(CLUSTER, [SUBNET], [inside]) == SUBNET.security_group
    assert on_the_way_out(CLUSTER, [], [leads_out]) == CLUSTER_ID
