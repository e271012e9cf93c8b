"""Versions, states and surge settings of ARM beside the nodes; missing fields judge nothing."""

from dataclasses import replace
from typing import Any

import pytest

from pytest_aksnet.expectations.azure_versions import judge_surge, judge_upgrade, judge_versions
from pytest_aksnet.model.azure_upgrades import Target, UpgradeProfile
from pytest_aksnet.model.verdict import Outcome
from tests.unit.expectations.azure_samples import CLUSTER, CLUSTER_ID, POOL

_PLANE = UpgradeProfile(
    pool="", version="1.34.2", targets=(Target(version="1.35.0", is_preview=None),)
)


@pytest.mark.parametrize(
    ("pool", "kubelet", "outcome"),
    [
        ({}, "v1.34.2", Outcome.PASS),
        ({}, "v1.34.2-akslts", Outcome.PASS),
        ({"version": "1.34"}, "v1.34.9", Outcome.PASS),
        ({}, "v1.33.4", Outcome.FAIL),
        ({}, "", Outcome.INCONCLUSIVE),
        ({"version": ""}, "v1.34.2", Outcome.INCONCLUSIVE),
        ({"provisioning_state": "Upgrading"}, "v1.33.4", Outcome.INCONCLUSIVE),
        ({"provisioning_state": ""}, "v1.33.4", Outcome.INCONCLUSIVE),
    ],
)
def test_versions_of_a_pool(pool: dict[str, Any], kubelet: str, outcome: Outcome) -> None:
    kubelets = {"user": {"node": kubelet}}
    found = judge_versions(CLUSTER, [replace(POOL, **pool)], server="v1.34.2", kubelets=kubelets)
    assert found.verdict.outcome is outcome
    assert found.resource == (POOL.id if outcome is Outcome.FAIL else "")


def test_versions_of_the_control_plane() -> None:
    found = judge_versions(CLUSTER, [], server="v1.33.9", kubelets={})
    assert found.verdict.outcome is Outcome.FAIL
    assert found.resource == CLUSTER_ID


@pytest.mark.parametrize(
    ("cluster", "pool", "outcome"),
    [
        ({}, {}, Outcome.PASS),
        ({"provisioning_state": "Failed"}, {}, Outcome.FAIL),
        ({}, {"provisioning_state": "Canceled"}, Outcome.FAIL),
        ({}, {"provisioning_state": "Upgrading"}, Outcome.INCONCLUSIVE),
        ({"power_state": ""}, {}, Outcome.INCONCLUSIVE),
        ({"version": ""}, {}, Outcome.INCONCLUSIVE),
        ({}, {"version": "1.30.1"}, Outcome.FAIL),
        ({}, {"version": "1.35.1"}, Outcome.FAIL),
        ({}, {"version": "1.31.1"}, Outcome.PASS),
        ({}, {"power_state": "Stopped"}, Outcome.PASS),
    ],
)
def test_what_stands_against_an_upgrade(
    cluster: dict[str, Any], pool: dict[str, Any], outcome: Outcome
) -> None:
    found = judge_upgrade(replace(CLUSTER, **cluster), [replace(POOL, **pool)], _PLANE, [])
    assert found.verdict.outcome is outcome
    odd = pool.get("power_state") == "Stopped" or pool.get("version") == "1.31.1"
    assert bool(found.verdict.warning) == odd


def test_no_newer_version_is_a_warning() -> None:
    for targets in (None, (), (Target(version="1.35.0", is_preview=True),)):
        found = judge_upgrade(CLUSTER, [POOL], replace(_PLANE, targets=targets), [])
        assert found.verdict.outcome is Outcome.PASS
        assert "no newer version" in found.verdict.warning


@pytest.mark.parametrize(
    ("surge", "unavailable", "more", "outcome", "warns"),
    [
        ("33%", "", {}, Outcome.PASS, False),
        ("", "0", {}, Outcome.PASS, False),
        ("", "", {}, Outcome.INCONCLUSIVE, False),
        ("0", "1", {}, Outcome.PASS, False),
        ("0%", "0%", {}, Outcome.FAIL, False),
        ("0", "0", {}, Outcome.FAIL, False),
        ("0", "", {}, Outcome.INCONCLUSIVE, False),
        ("0", "1", {"count": 1}, Outcome.PASS, True),
        ("0", "100%", {}, Outcome.PASS, True),
        ("1", "1", {"mode": "System"}, Outcome.PASS, True),
    ],
)
def test_surge_settings(
    surge: str, unavailable: str, more: dict[str, Any], outcome: Outcome, warns: bool
) -> None:
    pool = replace(POOL, max_surge=surge, max_unavailable=unavailable, **more)
    found = judge_surge([POOL, pool])
    assert found.verdict.outcome is outcome
    assert bool(found.verdict.warning) == warns
