"""Verbs about the managed cluster over a scripted ARM: what is skipped, kept, or looked at."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from pytest_aksnet.azure_inventory import Arm
from pytest_aksnet.model.arm import Reading, Refusal, Sort
from pytest_aksnet.model.azure import CLUSTER, POOLS
from pytest_aksnet.model.azure_profile import Path, Setting
from pytest_aksnet.model.azure_routes import ROUTE_TABLES, RouteTable
from pytest_aksnet.model.azure_security import SECURITY_GROUPS
from pytest_aksnet.model.azure_upgrades import RequiredEndpoint
from pytest_aksnet.model.azure_vnet import PUBLIC_ADDRESSES, VNETS
from pytest_aksnet.model.errors import (
    ArmForbidden,
    ArmUnanswered,
    ConformanceFailure,
    FactUnknown,
    NotApplicable,
)
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import Answer, Batch, Finding, Kind, Probe
from pytest_aksnet.model.site import Site
from tests.unit.expectations.azure_samples import CLUSTER as ONE_CLUSTER
from tests.unit.expectations.azure_samples import (
    DEFAULT_ROUTE,
    NETWORK,
    POOL,
    SUBNET,
    TABLE_ID,
)
from tests.unit.scripted import CLIENT, INTERNET, Text, World, always

_FORBIDDEN = Refusal(sort=Sort.FORBIDDEN, why="it may not", action="x/read")
_LATE = Refusal(sort=Sort.UNREACHABLE, why="no answer")
_EGRESS = "198.51.100.4"


class _Arm:
    """An ArmReader: values by topic, or a refusal."""

    def __init__(self, **values: Any) -> None:
        self._values: dict[str, Any] = {
            CLUSTER.name: ONE_CLUSTER,
            POOLS.name: (POOL,),
            **{
                topic.name: () for topic in (VNETS, SECURITY_GROUPS, ROUTE_TABLES, PUBLIC_ADDRESSES)
            },
            **{name.replace("_", "-"): value for name, value in values.items()},
        }

    def reading(self, topic: str, *, since: float = 0.0) -> Reading[Any]:
        value = self._values[topic]
        if isinstance(value, Refusal):
            return Reading(topic=topic, taken=since, refusal=value)
        return Reading(topic=topic, taken=since, value=value)


class _Prober:
    """Answers by kind; `looked` are hosts and kinds that were asked."""

    def __init__(self, **answers: Answer | None) -> None:
        self._answers = answers
        self.looked: list[tuple[str, str]] = []

    def probe(self, pod: PodRef, probes: Sequence[Probe], *, budget_s: float) -> Batch:
        self.looked += [(one.kind.name, one.host) for one in probes]
        return Batch(answers=tuple(self._answers[one.kind.name] for one in probes), ended=True)


def _answer(finding: Finding = Finding.OK, **facts: object) -> Answer:
    return Answer(finding, 1.0, 1.0, facts)


_GOOD = {
    Kind.HTTP.name: _answer(body=f"{_EGRESS}\n"),
    Kind.CONNECT.name: _answer(),
    Kind.DNS.name: _answer(rcode="NOERROR", records=["203.0.113.10"]),
    Kind.TLS.name: _answer(),
}


def _world(
    arm: _Arm,
    *,
    wanted: Mapping[Path, Setting] | None = None,
    prober: _Prober | None = None,
    facts: Mapping[str, str | None] | None = None,
) -> tuple[World, Arm]:
    site = Site(internet=INTERNET, azure_profile=dict(wanted or {}))
    world = World(always(Text(0)), arm=arm, site=site, prober=prober, facts=facts)
    return world, Arm(world.engine)


def _kept(world: World) -> str:
    [kept] = [one for one in world.recorder.attempts if "[azure_profile]" in one.source]
    assert isinstance(kept.execution, Completed)
    return kept.execution.stdout


def test_without_a_section_it_is_written_and_the_check_skipped() -> None:
    world, arm = _world(_Arm(route_tables=_FORBIDDEN))
    with pytest.raises(NotApplicable, match="has no section"):
        arm.assert_profile_as_wanted()
    content = tomllib.loads(_kept(world))["azure_profile"]
    assert content["pools"]["user"]["vm_size"] == "Standard_D4s_v5"
    assert "route_tables" not in content


def test_what_may_not_be_read_hides_no_drift_elsewhere() -> None:
    wanted: dict[Path, Setting] = {
        ("outbound_type",): "loadBalancer",
        ("route_tables", "t"): (),
    }
    _, arm = _world(_Arm(route_tables=_FORBIDDEN), wanted=wanted)
    with pytest.raises(ConformanceFailure, match="outbound_type should be loadBalancer"):
        arm.assert_profile_as_wanted()
    wanted["outbound_type",] = "userDefinedRouting"
    _, arm = _world(_Arm(route_tables=_FORBIDDEN), wanted=wanted)
    with pytest.raises(ArmForbidden):
        arm.assert_profile_as_wanted()
    _, arm = _world(_Arm(route_tables=_LATE), wanted=wanted)
    with pytest.raises(ArmUnanswered):
        arm.assert_profile_as_wanted()
    # What nobody wants may be refused.
    del wanted["route_tables", "t"]
    _, arm = _world(_Arm(route_tables=_FORBIDDEN), wanted=wanted)
    assert arm.assert_profile_as_wanted().facts


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"authorized_ranges": None}, FactUnknown),
        ({"authorized_ranges": ()}, NotApplicable),
        ({"authorized_ranges": ("192.0.2.0/24",), "is_private": True}, NotApplicable),
        ({"authorized_ranges": ("192.0.2.0/24",), "in_vnet": True}, NotApplicable),
    ],
)
def test_ranges_concern_public_api_servers(changed: dict[str, Any], error: type[Exception]) -> None:
    prober = _Prober()
    _, arm = _world(_Arm(cluster=replace(ONE_CLUSTER, **changed)), prober=prober)
    with pytest.raises(error):
        arm.assert_ranges_have_egress([CLIENT])
    assert prober.looked == []


def test_the_address_that_is_seen_outside_must_be_in_the_ranges() -> None:
    cluster = replace(ONE_CLUSTER, authorized_ranges=("192.0.2.0/24",))
    _, arm = _world(_Arm(cluster=cluster), prober=_Prober(**_GOOD))
    with pytest.raises(ConformanceFailure, match=rf"lack {_EGRESS} .seen by"):
        arm.assert_ranges_have_egress([CLIENT])
    # Without a look, and nothing in ARM, nobody knows the address.
    blind = _Prober(**(_GOOD | {Kind.HTTP.name: _answer(Finding.TIMEOUT)}))
    _, arm = _world(_Arm(cluster=cluster, public_addresses=_FORBIDDEN), prober=blind)
    with pytest.raises(FactUnknown, match="is not known"):
        arm.assert_ranges_have_egress([CLIENT])
    cluster = replace(cluster, authorized_ranges=("198.51.100.0/24",))
    _, arm = _world(_Arm(cluster=cluster), prober=_Prober(**_GOOD))
    assert arm.assert_ranges_have_egress([CLIENT]).facts[f"leaves with {_EGRESS}"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (_answer(rcode="NOERROR", records=["203.0.113.10"]), None),
        (_answer(rcode="NXDOMAIN", records=[]), ConformanceFailure),
        (_answer(rcode="SERVFAIL", records=[]), FactUnknown),
        (_answer(Finding.TIMEOUT), FactUnknown),
        (None, FactUnknown),
    ],
)
def test_only_an_answer_says_that_the_name_is_not_there(
    answer: Answer | None, error: type[Exception] | None
) -> None:
    _, arm = _world(_Arm(), prober=_Prober(**(_GOOD | {Kind.DNS.name: answer})))
    if error is None:
        arm.assert_api_server_name("", [CLIENT])
        return
    with pytest.raises(error):
        arm.assert_api_server_name("", [CLIENT])


def test_access_that_arm_does_not_tell_is_taken_from_the_cluster_if_it_knows() -> None:
    cluster = replace(ONE_CLUSTER, is_private=None, authorized_ranges=None)
    _, arm = _world(_Arm(cluster=cluster), facts={"api-server": None})
    with pytest.raises(FactUnknown, match="api-server"):
        arm.assert_api_server_restricted()
    _, arm = _world(_Arm(cluster=cluster), facts={"api-server": "private"})
    arm.assert_api_server_restricted()


def test_an_api_server_that_ranges_keep_away_is_not_the_firewalls_fault() -> None:
    endpoints = (
        RequiredEndpoint(
            category="api", domain="*.hcp.westeurope.azmk8s.io", protocol="TCP", port=443
        ),
        RequiredEndpoint(category="images", domain="mcr.microsoft.com", protocol="Https", port=443),
    )
    silent = _Prober(**(_GOOD | {Kind.CONNECT.name: _answer(Finding.TIMEOUT)}))
    networks = {
        "virtual_networks": (NETWORK,),
        "route_tables": (RouteTable(id=TABLE_ID, routes=(DEFAULT_ROUTE,), subnets=()),),
        "pools": (replace(POOL, node_subnet=SUBNET.id),),
        "egress_endpoints": endpoints,
    }
    for ranges, blamed in ((("192.0.2.0/24",), "managedclusters/c ("), ((), f"{TABLE_ID} (")):
        cluster = replace(ONE_CLUSTER, authorized_ranges=ranges)
        _, arm = _world(_Arm(cluster=cluster, **networks), prober=silent)
        with pytest.raises(ConformanceFailure) as failed:
            arm.assert_required_egress([CLIENT])
        assert blamed in str(failed.value)
        assert "mcr.microsoft.com:443" not in str(failed.value).partition("\n")[0]
