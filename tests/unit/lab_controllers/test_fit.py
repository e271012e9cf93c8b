"""The scheduler's filters."""

import secrets
from typing import Any

import pytest

from pytest_aksnet.lab.controllers import fit
from pytest_aksnet.lab.controllers.node_room import NodeRoom
from pytest_aksnet.lab.controllers.topology import Cluster, Neighbours


def node(name: str = "n", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "labels": {"zone": "1"}},
        "spec": spec,
        "status": {"allocatable": {"cpu": "1900m", "memory": "2Gi", "pods": "3"}},
    }


def pod(cpu: str = "0", **spec: Any) -> dict[str, Any]:
    container = {"name": "c", "resources": {"requests": {"cpu": cpu}}, "ports": []}
    return {
        "metadata": {
            "name": "p",
            "namespace": "ns",
            "labels": {"app": "a"},
            "uid": secrets.token_hex(4),
        },
        "spec": {"containers": [container], **spec},
    }


def why(pod: dict[str, Any], node: dict[str, Any], there: list[dict[str, Any]]) -> list[str]:
    return [refusal.text for refusal in fit.why_not(pod, NodeRoom(node, there))]


def rooms(*nodes: tuple[str, list[dict[str, Any]]]) -> list[NodeRoom]:
    """Nodes, each in the zone of its name, with these pods."""
    found = []
    for name, pods in nodes:
        home = node(name)
        home["metadata"]["labels"] = {"zone": name}
        found.append(NodeRoom(home, pods))
    return found


def places(wanting: dict[str, Any], there: list[NodeRoom]) -> list[str]:
    """The nodes that other pods let a pod go to."""
    neighbours = Neighbours(wanting, Cluster(rooms=there, namespaces={"ns": {"team": "x"}}))
    return [room.node["metadata"]["name"] for room in there if neighbours.why_not(room) is None]


def test_a_pod_without_wishes_fits() -> None:
    assert why(pod(), node(), []) == []


def test_requests_add_up_with_those_of_the_pods_that_are_there() -> None:
    assert why(pod("1"), node(), [pod("900m")]) == []
    assert why(pod("1"), node(), [pod("901m")]) == ["Insufficient cpu"]


def test_the_number_of_pods_is_limited() -> None:
    assert why(pod(), node(), [pod(), pod(), pod()]) == ["Too many pods"]


def test_a_cordoned_node_takes_only_who_tolerates_it() -> None:
    assert why(pod(), node(unschedulable=True), []) == ["node(s) were unschedulable"]
    tolerant = pod(tolerations=[{"operator": "Exists"}])
    assert why(tolerant, node(unschedulable=True), []) == []


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
    refusals = why(pod(tolerations=[toleration]), tainted, [])
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
    assert why(wants({"matchExpressions": [right]}), node(), []) == []
    assert why(wants({"matchExpressions": [right, wrong]}), node(), []) == mismatch
    either = wants({"matchExpressions": [wrong]}, {"matchFields": [by_name]})
    assert why(either, node(), []) == []
    assert why(wants({"matchFields": [by_name]}), node("m"), []) == mismatch
    assert why(wants({}), node(), []) == mismatch


def test_host_ports_clash_by_address_protocol_and_number() -> None:
    def with_port(**port: Any) -> dict[str, Any]:
        value = pod()
        value["spec"]["containers"][0]["ports"] = [{"containerPort": 80, **port}]
        return value

    there = [with_port(hostPort=80)]
    clash = ["node(s) didn't have free ports for the requested pod ports"]
    assert why(with_port(hostPort=80, hostIP="10.0.0.1"), node(), there) == clash
    assert why(with_port(hostPort=80, protocol="UDP"), node(), there) == []
    assert why(with_port(), node(), there) == []


KEY = "requiredDuringSchedulingIgnoredDuringExecution"
NEAR_A = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "a"}}}


def test_what_is_short_is_told_from_what_could_never_be() -> None:
    (short,) = fit.why_not(pod("1"), NodeRoom(node(), [pod("1")]))
    (never,) = fit.why_not(pod("2"), NodeRoom(node()))
    assert (short.helpless, never.helpless) == (False, True)


def test_required_anti_affinity_keeps_pods_of_one_topology_apart() -> None:
    lonely = pod(affinity={"podAntiAffinity": {KEY: [NEAR_A]}})
    assert places(lonely, rooms(("m", [pod()]), ("n", []))) == ["n"]
    assert places(pod(), rooms(("m", [lonely]), ("n", []))) == ["n"]


def test_required_affinity_brings_pods_together_but_for_the_first_of_them() -> None:
    social = pod(affinity={"podAffinity": {KEY: [NEAR_A]}})
    assert places(social, rooms(("m", [pod()]), ("n", []))) == ["m"]
    assert places(social, rooms(("m", []), ("n", []))) == ["m", "n"]
    elsewhere = {**NEAR_A, "namespaceSelector": {"matchLabels": {"team": "y"}}}
    stranger = pod(affinity={"podAffinity": {KEY: [elsewhere]}})
    assert places(stranger, rooms(("m", [pod()]), ("n", []))) == []


def test_a_hard_spread_keeps_the_skew_and_a_soft_one_prefers_it() -> None:
    constraint = {
        "maxSkew": 1,
        "topologyKey": "zone",
        "whenUnsatisfiable": "DoNotSchedule",
        "labelSelector": {"matchLabels": {"app": "a"}},
    }
    there = rooms(("m", [pod()]), ("n", []))
    assert places(pod(topologySpreadConstraints=[constraint]), there) == ["n"]
    soft = pod(topologySpreadConstraints=[{**constraint, "whenUnsatisfiable": "ScheduleAnyway"}])
    assert places(soft, there) == ["m", "n"]
    neighbours = Neighbours(soft, Cluster(rooms=there, namespaces={}))
    assert neighbours.score(there[1]) > neighbours.score(there[0])
