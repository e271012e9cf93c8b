"""The network profile that the cluster layer reads from labs of every mode and engine."""

from collections.abc import Callable

import pytest

from pytest_aksnet.cluster.connect import connect
from pytest_aksnet.cluster.facts import read_profile
from pytest_aksnet.cluster.nodes import read_nodes
from pytest_aksnet.cluster.view import LiveView
from tests.lab.running_lab import RunningLab

OVERLAY = {
    "mode": "overlay",
    "policy-engine": "calico",
    "pod-cidrs": "10.244.0.0/16",
    "kube-proxy-mode": "iptables",
}
NODE_SUBNET = {
    **OVERLAY,
    "mode": "node-subnet",
    "pod-cidrs": "10.224.0.0/12",
    "vnet-cidrs": "10.224.0.0/12",
}
KUBENET = {**OVERLAY, "mode": "kubenet"}
POD_SUBNET = {"mode": "pod-subnet", "policy-engine": "calico", "kube-proxy-mode": "iptables"}
CILIUM = {"policy-engine": "cilium", "kube-proxy-mode": "none", "data-plane": "cilium"}
EVERYWHERE = {
    "cluster-domain": "cluster.local",
    "dns-service-ip": "10.0.0.10",
    "kubernetes-version": "v1.34.2",
    "cloud": "azure",
    "region": "westeurope",
    "ip-families": "ipv4",
    "data-plane": "azure",
    "ebpf-host-routing": "no",
    "local-dns": "off",
}


@pytest.mark.parametrize(
    ("mode", "engine", "expected"),
    [
        ("overlay", "calico", OVERLAY),
        ("node-subnet", "calico", NODE_SUBNET),
        ("kubenet", "calico", KUBENET),
        ("pod-subnet", "calico", POD_SUBNET),
        ("overlay", "none", {**OVERLAY, "policy-engine": "none"}),
        ("overlay", "cilium", {**OVERLAY, **CILIUM}),
        pytest.param(
            "pod-subnet",
            "azure",
            {**POD_SUBNET, "policy-engine": "azure"},
            marks=pytest.mark.thorough,
        ),
        pytest.param("pod-subnet", "cilium", {**POD_SUBNET, **CILIUM}, marks=pytest.mark.thorough),
        pytest.param(
            "node-subnet", "cilium", {**NODE_SUBNET, **CILIUM}, marks=pytest.mark.thorough
        ),
        pytest.param(
            "node-subnet",
            "azure",
            {**NODE_SUBNET, "policy-engine": "azure"},
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            "kubenet", "none", {**KUBENET, "policy-engine": "none"}, marks=pytest.mark.thorough
        ),
    ],
)
def test_a_lab_proves_what_it_is(
    labs: Callable[[str, str], RunningLab], mode: str, engine: str, expected: dict[str, str]
) -> None:
    cluster = connect(str(labs(mode, engine).kubeconfig), None)
    profile = read_profile(cluster, {})
    cluster.close()
    found = {name: fact.value for name, fact in profile.facts.items()}
    found.pop("service-cidrs", None)  # ServiceCIDR objects are there from Kubernetes 1.33 on
    assert found.pop("max-pods", "").startswith("system=")
    assert found == {**EVERYWHERE, **expected}
    conflicts = {name: fact.conflicts for name, fact in profile.facts.items() if fact.conflicts}
    assert not conflicts


def test_the_nodes_of_a_lab_have_pools_and_zones(lab: RunningLab) -> None:
    cluster = connect(str(lab.kubeconfig), None)
    nodes = read_nodes(cluster)
    view = LiveView(cluster)
    assert {node.pool for node in nodes.taking_part} == {"system", "user"}
    assert len({node.zone for node in nodes.taking_part}) == 2
    assert not nodes.left_out
    assert view.nodes() == nodes.taking_part
    assert len(view.coredns_ips()) == 2
    cluster.close()
