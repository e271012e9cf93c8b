"""The scheduler's filters."""

from typing import Any

import pytest

from pytest_aksnet.lab.controllers import fit


def node(name: str = "n", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"zone": "1"}},
        "spec": spec,
        "status": {"allocatable": {"cpu": "1900m", "memory": "2Gi", "pods": "3"}},
    }


def pod(cpu: str = "0", **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "resources": {"requests": {"cpu": cpu}}, "ports": []}
    return {
        "metadata": {"name": "p", "namespace": "ns", "labels": {"app": "a"}},
        "spec": {"containers": [container], **spec},
    }


def test_a_pod_without_wishes_fits() -> None:
    assert fit.why_not(pod(), node(), []) == []


def test_requests_add_up_with_those_of_the_pods_that_are_there() -> None:
    assert fit.why_not(pod("1"), node(), [pod("900m")]) == []
    assert fit.why_not(pod("1"), node(), [pod("901m")]) == ["Insufficient cpu"]


def test_the_number_of_pods_is_limited() -> None:
    assert fit.why_not(pod(), node(), [pod(), pod(), pod()]) == ["Too many pods"]


def test_a_cordoned_node_takes_only_who_tolerates_it() -> None:
    assert fit.why_not(pod(), node(unschedulable=True), []) == ["node(s) were unschedulable"]
    tolerant = pod(tolerations=[{"operator": "Exists"}])
    assert fit.why_not(tolerant, node(unschedulable=True), []) == []


@pytest.mark.parametrize(
    ("toleration", "fits"),
    [
        ({"key": "k", "value": "v", "effect": "NoSchedule"}, True),
        ({"key": "k", "operator": "Exists"}, True),
        ({"key": "k", "value": "other"}, False),
        ({"key": "k", "value": "v", "effect": "NoExecute"}, False),
        ({"key": "other", "operator": "Exists"}, False),
    ],
)
def test_taints_repel_who_does_not_tolerate_them(toleration: dict[str, str], fits: bool) -> None:
    tainted = node(taints=[{"key": "k", "value": "v", "effect": "NoSchedule"}])
    refusals = fit.why_not(pod(tolerations=[toleration]), tainted, [])
    assert refusals == ([] if fits else ["node(s) had untolerated taint {k: v}"])


def test_node_affinity_terms_are_alternatives_of_joint_requirements() -> None:
    def wants(*terms: dict[str, Any]) -> dict[str, Any]:
        required = {"nodeSelectorTerms": list(terms)}
        key = "requiredDuringSchedulingIgnoredDuringExecution"
        return pod(affinity={"nodeAffinity": {key: required}})

    right = {"key": "zone", "operator": "In", "values": ["1"]}
    wrong = {"key": "zone", "operator": "NotIn", "values": ["1"]}
    by_name = {"key": "metadata.name", "operator": "In", "values": ["n"]}
    mismatch = ["node(s) didn't match Pod's node affinity/selector"]
    assert fit.why_not(wants({"matchExpressions": [right]}), node(), []) == []
    assert fit.why_not(wants({"matchExpressions": [right, wrong]}), node(), []) == mismatch
    either = wants({"matchExpressions": [wrong]}, {"matchFields": [by_name]})
    assert fit.why_not(either, node(), []) == []
    assert fit.why_not(wants({"matchFields": [by_name]}), node("m"), []) == mismatch
    assert fit.why_not(wants({}), node(), []) == mismatch


def test_host_ports_clash_by_address_protocol_and_number() -> None:
    def with_port(**port: Any) -> dict[str, Any]:
        value = pod()
        value["spec"]["containers"][0]["ports"] = [{"containerPort": 80, **port}]
        return value

    there = [with_port(hostPort=80)]
    clash = ["node(s) didn't have free ports for the requested pod ports"]
    assert fit.why_not(with_port(hostPort=80, hostIP="10.0.0.1"), node(), there) == clash
    assert fit.why_not(with_port(hostPort=80, protocol="UDP"), node(), there) == []
    assert fit.why_not(with_port(), node(), there) == []


def test_required_anti_affinity_keeps_pods_of_one_topology_apart() -> None:
    term = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "a"}}}
    key = "requiredDuringSchedulingIgnoredDuringExecution"
    lonely = pod(affinity={"podAntiAffinity": {key: [term]}})
    assert fit.repelled(lonely, node("m"), [(pod(), node())])
    assert not fit.repelled(lonely, node("m"), [])
