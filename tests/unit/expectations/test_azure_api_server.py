"""Who may reach the API server: ranges, egress addresses and what nodes saw, all combinations."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from pytest_aksnet.expectations.azure_api_server import (
    judge_names,
    judge_ranges,
    judge_restricted,
)
from pytest_aksnet.model.azure import ManagedCluster
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations.azure_samples import CLUSTER, CLUSTER_ID, PLAN

_SEEN = {"198.51.100.4": "seen by a host"}
_ZONE = "0f1e.privatelink.westeurope.azmk8s.io"


def _with_ranges(*ranges: str, outbound: str = "userDefinedRouting") -> ManagedCluster:
    plan = replace(PLAN, outbound_type=outbound)
    return replace(CLUSTER, authorized_ranges=ranges, network=plan)


@pytest.mark.parametrize(
    ("outbound", "reached", "outcome"),
    [
        ("userDefinedRouting", {"a": False}, Outcome.FAIL),
        ("userDefinedRouting", {"a": True}, Outcome.FAIL),
        ("managedNATGateway", {}, Outcome.INCONCLUSIVE),
        ("managedNATGateway", {"a": True}, Outcome.PASS),
        ("userAssignedNATGateway", {}, Outcome.FAIL),
        # AKS lets outbound addresses that it manages in by itself: what nodes see decides.
        ("loadBalancer", {"a": True, "b": None}, Outcome.PASS),
        ("loadBalancer", {"a": True, "b": False}, Outcome.FAIL),
        ("loadBalancer", {"a": None}, Outcome.INCONCLUSIVE),
        ("loadBalancer", {}, Outcome.INCONCLUSIVE),
    ],
)
def test_ranges_that_lack_the_egress_address(
    outbound: str, reached: Mapping[str, bool | None], outcome: Outcome
) -> None:
    cluster = _with_ranges("203.0.113.0/24", "bogus", outbound=outbound)
    found = judge_ranges(cluster, egress=_SEEN, reached=reached)
    assert found.verdict.outcome is outcome
    assert "198.51.100.4" in found.verdict.sentence + found.verdict.warning
    assert found.resource == (CLUSTER_ID if outcome is Outcome.FAIL else "")
    cut_off = [node for node, one in reached.items() if one is False]
    if outcome is Outcome.FAIL and not cut_off:
        assert "no new connection" not in found.verdict.sentence


def test_ranges_that_have_it() -> None:
    found = judge_ranges(_with_ranges("198.51.100.0/24"), egress=_SEEN, reached={"a": False})
    assert found.verdict.outcome is Outcome.PASS
    # An address of the other family is in no range of this one.
    both = _SEEN | {"2001:db8::1": "effectiveOutboundIPs"}
    found = judge_ranges(_with_ranges("198.51.100.0/24"), egress=both, reached={})
    assert found.verdict.outcome is Outcome.FAIL
    assert "2001:db8::1" in found.change


def test_an_unknown_egress_address_leaves_it_open() -> None:
    found = judge_ranges(_with_ranges("198.51.100.0/24"), egress={}, reached={"a": True})
    assert found.verdict.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("wanted", [False, True])
def test_an_api_server_is_restricted_by_ranges_or_by_being_private(wanted: bool) -> None:
    def outcome(ranges: tuple[str, ...] | None, *, private: bool = False) -> Outcome:
        cluster = replace(CLUSTER, authorized_ranges=ranges)
        return judge_restricted(cluster, is_private=private, wanted=wanted).verdict.outcome

    assert outcome((), private=True) is Outcome.PASS
    assert outcome(("192.0.2.0/24",)) is Outcome.PASS
    assert outcome(()) is (Outcome.FAIL if wanted else Outcome.PASS)
    assert outcome(("192.0.2.0/24", "0.0.0.0/0")) is (Outcome.FAIL if wanted else Outcome.PASS)
    assert outcome(None) is (Outcome.INCONCLUSIVE if wanted else Outcome.PASS)
    if not wanted:
        assert judge_restricted(CLUSTER, is_private=False, wanted=False).verdict.warning


def test_the_name_in_use_is_that_of_arm() -> None:
    resolved = {"a": ["203.0.113.10"]}
    same = judge_names(
        CLUSTER, asked="C.hcp.westeurope.azmk8s.io.", must_be_private=False, resolved=resolved
    )
    assert same.verdict.outcome is Outcome.PASS
    old = "old.hcp.westeurope.azmk8s.io"
    other = judge_names(CLUSTER, asked=old, must_be_private=False, resolved=resolved)
    assert other.verdict.outcome is Outcome.FAIL
    assert old in other.verdict.sentence
    for way in ("localhost", "kubernetes.default.svc", "teleport.example"):
        by_proxy = judge_names(CLUSTER, asked=way, must_be_private=False, resolved=resolved)
        assert by_proxy.verdict.outcome is Outcome.PASS
        assert way in by_proxy.verdict.warning
    unnamed = judge_names(
        replace(CLUSTER, fqdn=""), asked="x", must_be_private=False, resolved=resolved
    )
    assert unnamed.verdict.outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("addresses", "outcome"),
    [
        (["10.226.0.4"], Outcome.PASS),
        (["203.0.113.10"], Outcome.FAIL),
        ([], Outcome.FAIL),
        (None, Outcome.INCONCLUSIVE),
    ],
)
def test_the_name_of_a_private_one_is_private(
    addresses: list[str] | None, outcome: Outcome
) -> None:
    cluster = replace(CLUSTER, private_fqdn=f"c.{_ZONE}", is_private=True, private_zone="system")
    found = judge_names(cluster, asked="", must_be_private=True, resolved={"a": addresses})
    assert found.verdict.outcome is outcome
    if outcome is Outcome.FAIL:
        assert found.resource.endswith(
            f"mc_g_c_westeurope/providers/microsoft.network/privatednszones/{_ZONE}"
        )


def test_nobody_who_asked_leaves_it_open() -> None:
    found = judge_names(CLUSTER, asked="", must_be_private=False, resolved={})
    assert found.verdict.outcome is Outcome.INCONCLUSIVE
