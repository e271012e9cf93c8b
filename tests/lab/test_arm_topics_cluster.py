"""What the readers make of the managed cluster, its upgrades and endpoints, off the stand-in."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_aksnet.lab.options import LabOptions
from pytest_aksnet.model.arm import Sort
from pytest_aksnet.model.azure import CLUSTER, POOLS
from pytest_aksnet.model.azure_upgrades import (
    EGRESS_ENDPOINTS,
    POOL_UPGRADE_PROFILES,
    UPGRADE_PROFILE,
)
from tests.lab.arm_readings import readings_of, value_of
from tests.lab.arm_server import RunningArm, arm_server

_VERSION = "1.34.2"


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningArm]:
    options = LabOptions(egress="nat-gateway", authorized_ranges=True)
    with arm_server(tmp_path_factory.mktemp("arm"), options) as running:
        yield running


def test_the_cluster_says_who_may_reach_its_api_server(arm: RunningArm) -> None:
    with readings_of(arm) as readings:
        cluster = value_of(readings, CLUSTER)
    assert cluster.is_private is False
    assert cluster.authorized_ranges == ("203.0.113.200/32", "198.51.100.3/32")
    assert (cluster.provisioning_state, cluster.power_state) == ("Succeeded", "Running")
    assert cluster.version == _VERSION


def test_a_private_cluster_has_a_private_name(tmp_path: Path) -> None:
    with (
        arm_server(tmp_path, LabOptions(egress="none")) as private,
        readings_of(private) as readings,
    ):
        cluster = value_of(readings, CLUSTER)
        spec_name = private.world.spec.private_api
    assert cluster.is_private is True
    assert spec_name is not None
    assert cluster.private_fqdn == spec_name.fqdn
    assert cluster.authorized_ranges == ()


def test_upgrades_are_read_for_the_control_plane_and_each_pool(arm: RunningArm) -> None:
    with readings_of(arm) as readings:
        plane = value_of(readings, UPGRADE_PROFILE)
        pools = value_of(readings, POOL_UPGRADE_PROFILES)
    assert (plane.pool, plane.version) == ("", _VERSION)
    assert [one.version for one in plane.targets] == ["1.35.0"]
    assert {one.pool for one in pools} == {"system", "user"}
    assert all(one.newest_image.startswith("AKSUbuntu") for one in pools)


def test_settings_that_faults_change_are_read_again(arm: RunningArm) -> None:
    managed = arm.world.azure.managed
    managed.states["user"], managed.surge["user"] = "Failed", ("0", "0")
    try:
        with readings_of(arm) as readings:
            pools = {pool.name: pool for pool in value_of(readings, POOLS)}
    finally:
        managed.states.clear()
        managed.surge.clear()
    user, system = pools["user"], pools["system"]
    assert (user.provisioning_state, user.max_surge, user.max_unavailable) == ("Failed", "0", "0")
    assert (system.provisioning_state, system.max_surge) == ("Succeeded", "10%")


def test_endpoints_have_port_and_protocol(arm: RunningArm) -> None:
    with readings_of(arm) as readings:
        endpoints = value_of(readings, EGRESS_ENDPOINTS)
    assert {(one.port, one.protocol) for one in endpoints} == {(443, "Https")}
    assert "mcr.microsoft.com" in {one.domain for one in endpoints}


def test_each_topic_is_refused_for_itself(arm: RunningArm) -> None:
    action = "Microsoft.ContainerService/managedClusters/upgradeProfiles/read"
    arm.trouble.denied.add(action)
    try:
        with readings_of(arm) as readings:
            refused = readings.reading(UPGRADE_PROFILE.name).refusal
            assert readings.reading(EGRESS_ENDPOINTS.name).refusal is None
            assert readings.reading(POOL_UPGRADE_PROFILES.name).refusal is None
    finally:
        arm.trouble.denied.discard(action)
    assert refused is not None
    assert refused.sort is Sort.FORBIDDEN
    assert refused.action == action
