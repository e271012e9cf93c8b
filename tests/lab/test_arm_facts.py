"""Facts of the network profile that come from Azure, asked by the unmodified clients."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_aksnet.cluster.connect import connect
from pytest_aksnet.cluster.facts import read_profile
from pytest_aksnet.cluster.nodes import read_nodes
from pytest_aksnet.elsewhere import AzureSource, read_elsewhere
from pytest_aksnet.model.profile import NetworkProfile
from pytest_aksnet.model.site import Site
from pytest_aksnet.options import Settings
from tests.lab.running_lab import RunningLab

CLUSTER = (
    "/subscriptions/6b1f6b3e-6f0e-4c29-9d51-2a7c41d1aab0/resourceGroups/rg-aksnet-lab/providers/"
    "Microsoft.ContainerService/managedClusters/aksnet-lab"
)


def profile_of(lab: RunningLab, resource_id: str | None = None) -> NetworkProfile:
    wanted: Any = SimpleNamespace(
        is_lab=True, lab_arm=True, resource_id=resource_id, cloud="public"
    )
    cluster = connect(str(lab.kubeconfig), None)
    azure = AzureSource(
        cast(Settings, wanted), lambda: read_nodes(cluster).provider_ids, lambda: lab.azure
    )
    try:
        return read_profile(cluster, {}, partial(read_elsewhere, Site(), azure))
    finally:
        azure.close()
        cluster.close()


@contextmanager
def fault(lab: RunningLab, name: str) -> Iterator[None]:
    assert lab.tool("fault", "inject", name).returncode == 0
    try:
        yield
    finally:
        assert lab.tool("fault", "heal", name.partition("=")[0]).returncode == 0


@pytest.mark.parametrize(
    ("mode", "engine"),
    [
        ("overlay", "calico"),
        ("node-subnet", "calico"),
        pytest.param("kubenet", "calico", marks=pytest.mark.thorough),
        pytest.param("pod-subnet", "calico", marks=pytest.mark.thorough),
        pytest.param("pod-subnet", "cilium", marks=pytest.mark.thorough),
    ],
)
def test_azure_and_the_cluster_say_the_same(
    labs: Callable[[str, str], RunningLab], mode: str, engine: str
) -> None:
    profile = profile_of(labs(mode, engine))
    assert profile.no_azure == ""
    assert profile.azure is not None
    assert profile.azure.unknown == {}
    assert {name: fact.conflicts for name, fact in profile.facts.items() if fact.conflicts} == {}
    told = {"node-cidrs": "10.224.0.0/16", "egress-ips": "198.51.100.1", "api-server": "public"}
    assert {name: profile.get(name) for name in told} == told
    assert profile.get("outbound-type") == "loadBalancer"
    assert profile.get("mode") == mode
    if mode == "pod-subnet":
        assert profile.get("pod-cidrs") == "10.232.0.0/16"
    assert {pool.name: pool.count for pool in profile.azure.pools} == {"system": 1, "user": 2}
    assert {pool.kind for pool in profile.azure.pools} == {"VirtualMachineScaleSets"}
    assert all(subnet.free for subnet in profile.azure.subnets)


def test_the_cluster_may_be_named(lab: RunningLab) -> None:
    profile = profile_of(lab, CLUSTER)
    assert profile.azure is not None
    assert profile.azure.resource_id == CLUSTER.lower()
    other = profile_of(lab, CLUSTER.replace("managedClusters/aksnet", "managedClusters/no"))
    assert other.azure is None
    assert "has no such resource" in other.no_azure


def test_what_an_identity_may_not_is_named(lab: RunningLab) -> None:
    with fault(lab, "arm-403"):
        profile = profile_of(lab)
    assert profile.azure is None
    assert "needs the action Microsoft.Resources/subscriptions/resourceGroups/read" in (
        profile.no_azure
    )
    assert profile.get("mode") == "overlay"
    assert "resourceGroups/read" in profile.unknown["outbound-type"]
