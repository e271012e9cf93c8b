"""What Nodes, Leases and DaemonSets must say."""

import ipaddress
from typing import Any

import pytest

from pytest_aksnet.expectations.node_agents import (
    expected_agents,
    judge_images,
    judge_ready,
)
from pytest_aksnet.expectations.node_objects import (
    doubtful_leases,
    judge_addresses,
    judge_conditions,
    judge_leases,
    judge_versions,
)
from pytest_aksnet.model.profile import Fact, NetworkProfile
from pytest_aksnet.model.verdict import Outcome

SUBNETS = (ipaddress.ip_network("10.224.0.0/16"),)


def node(name: str, *addresses: str, version: str = "v1.34.2", **conditions: str) -> Any:
    said = {"Ready": "True", "MemoryPressure": "False", **conditions}
    return {
        "metadata": {"name": name},
        "status": {
            "addresses": [{"type": "InternalIP", "address": one} for one in addresses],
            "conditions": [
                {"type": kind, "status": status, "reason": "Because"}
                for kind, status in said.items()
                if status
            ],
            "nodeInfo": {"kubeletVersion": version},
        },
    }


@pytest.mark.parametrize(
    ("conditions", "outcome"),
    [
        ({}, Outcome.PASS),
        ({"Ready": "False"}, Outcome.FAIL),
        ({"Ready": "Unknown"}, Outcome.FAIL),
        ({"NetworkUnavailable": "True"}, Outcome.FAIL),
        ({"NetworkUnavailable": "False"}, Outcome.PASS),
        ({"DiskPressure": "True"}, Outcome.FAIL),
        ({"KernelDeadlock": "True"}, Outcome.PASS),
        ({"Ready": ""}, Outcome.INCONCLUSIVE),
    ],
)
def test_conditions(conditions: dict[str, str], outcome: Outcome) -> None:
    assert judge_conditions(node("a", **conditions)).outcome is outcome


def lease(second: int | None, minute: int = 0) -> Any:
    time = None if second is None else f"2026-11-21T10:{minute:02}:{second:02}.000000Z"
    return {"spec": {"leaseDurationSeconds": 40, "renewTime": time}}


def test_leases_far_from_a_fresh_one_are_doubtful_in_both_directions() -> None:
    assert doubtful_leases({"a": lease(0), "b": lease(9), "c": lease(39)}, {"a"}) == set()
    assert doubtful_leases({"a": lease(0), "b": lease(1), "c": lease(0, 5)}, {"a"}) == {"c"}
    assert doubtful_leases({"a": lease(0, 5), "b": lease(1, 5), "c": lease(0)}, {"a"}) == {"c"}
    assert doubtful_leases({"a": lease(0), "b": lease(None)}, {"a"}) == {"b"}
    # The clock of one is wrong, and it is alive; the other is told by the third.
    assert doubtful_leases({"a": lease(0, 5), "b": lease(1), "c": lease(0)}, {"a", "c"}) == set()


def test_leases_are_all_doubtful_until_one_is_seen_being_renewed() -> None:
    assert doubtful_leases({"a": lease(0), "b": lease(1)}, set()) == {"a", "b"}
    assert doubtful_leases({"a": lease(None)}, set()) == {"a"}


def test_leases() -> None:
    leases = {"a": lease(0), "b": lease(1)}
    assert judge_leases(["a", "b"], leases, {}).outcome is Outcome.PASS
    failed = judge_leases(["a", "b"], leases, {"b": 41.0})
    assert (failed.outcome, "node b" in failed.sentence) == (Outcome.FAIL, True)
    missing = judge_leases(["a", "b", "c"], leases, {})
    assert (missing.outcome, "node c" in missing.sentence) == (Outcome.FAIL, True)
    assert judge_leases([], {}, {}).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("nodes", "word"),
    [
        ([node("a", "10.224.0.4"), node("b", "10.224.0.5", "fd00::5")], ""),
        ([node("a", "10.224.0.4"), node("b", "10.224.0.5", "10.224.0.4")], "same address"),
        ([node("a", "10.1.0.4")], "in none of the nodes' subnets"),
        ([node("a")], "no InternalIP"),
    ],
)
def test_addresses(nodes: list[Any], word: str) -> None:
    verdict = judge_addresses(nodes, SUBNETS)
    expected = Outcome.FAIL if word else Outcome.PASS
    assert (verdict.outcome, word in verdict.sentence) == (expected, True), verdict


def test_no_node_at_all_is_inconclusive() -> None:
    assert judge_addresses([], SUBNETS).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("versions", "server", "outcome"),
    [
        (("v1.34.2", "v1.34.2"), "v1.34.2", Outcome.PASS),
        (("v1.31.0", "v1.31.0"), "v1.34.2", Outcome.PASS),
        (("v1.30.0", "v1.30.0"), "v1.34.2", Outcome.FAIL),
        (("v1.35.0", "v1.35.0"), "v1.34.2", Outcome.FAIL),
        (("v1.34.2", "v1.33.5"), "v1.34.2", Outcome.FAIL),
        (("v1.34.2", "v1.34.2"), "1.36+", Outcome.PASS),
        (("latest", "latest"), "v1.34.2", Outcome.INCONCLUSIVE),
    ],
)
def test_versions(versions: tuple[str, ...], server: str, outcome: Outcome) -> None:
    nodes = [node(f"n{index}", version=version) for index, version in enumerate(versions)]
    assert judge_versions(nodes, server, {"n0": "p", "n1": "p"}).outcome is outcome


def test_pools_may_have_versions_of_their_own() -> None:
    nodes = [node("n0", version="v1.34.2"), node("n1", version="v1.33.5")]
    assert judge_versions(nodes, "v1.34.2", {"n0": "p", "n1": "q"}).outcome is Outcome.PASS


def profile(**facts: str) -> NetworkProfile:
    known = {"cloud": "azure", **{name.replace("_", "-"): fact for name, fact in facts.items()}}
    return NetworkProfile(
        facts={name: Fact(value=value, source="test") for name, value in known.items()}, unknown={}
    )


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (
            {"mode": "overlay", "policy_engine": "calico", "kube_proxy_mode": "iptables"},
            {"kube-proxy", "azure-cns", "azure-ip-masq-agent", "calico-node"},
        ),
        (
            {"mode": "pod-subnet", "policy_engine": "cilium", "kube_proxy_mode": "none"},
            {"cilium", "azure-cns"},
        ),
        (
            {"mode": "kubenet", "policy_engine": "none", "kube_proxy_mode": "iptables"},
            {"kube-proxy", "azure-ip-masq-agent"},
        ),
        ({"mode": "byo", "kube_proxy_mode": "iptables"}, {"kube-proxy"}),
        ({"policy_engine": "calico"}, set()),
        ({"cloud": "other", "mode": "none-aks", "kube_proxy_mode": "iptables"}, set()),
    ],
)
def test_expected_agents(facts: dict[str, str], expected: set[str]) -> None:
    assert set(expected_agents(profile(**facts))) == expected


def daemon_set(
    name: str = "kube-proxy", *, wanted: int = 3, ready: int = 3, seen: int = 1, image: str = "i:2"
) -> Any:
    return {
        "metadata": {"namespace": "kube-system", "name": name, "uid": name, "generation": 1},
        "spec": {"template": {"spec": {"containers": [{"image": image}]}}},
        "status": {
            "desiredNumberScheduled": wanted,
            "numberReady": ready,
            "observedGeneration": seen,
        },
    }


def agent_pod(on: str, image: str = "i:2", **metadata: Any) -> Any:
    return {
        "metadata": {"ownerReferences": [{"uid": "kube-proxy"}], **metadata},
        "spec": {"nodeName": on, "containers": [{"image": image}]},
    }


def test_agents_ready() -> None:
    expected = {"kube-proxy": "kube-proxy-mode iptables"}
    assert judge_ready([daemon_set()], expected).outcome is Outcome.PASS
    assert judge_ready([daemon_set(ready=2)], expected).outcome is Outcome.FAIL
    assert judge_ready([daemon_set("cilium")], expected).outcome is Outcome.FAIL
    assert judge_ready([daemon_set(seen=0)], expected).outcome is Outcome.INCONCLUSIVE


def test_an_agent_that_no_node_is_to_have_does_not_run() -> None:
    nowhere, expected = daemon_set(wanted=0, ready=0), {"kube-proxy": "kube-proxy-mode iptables"}
    failed = judge_ready([nowhere], expected)
    assert (failed.outcome, "no node is to have it" in failed.sentence) == (Outcome.FAIL, True)
    assert judge_ready([nowhere], {}).outcome is Outcome.INCONCLUSIVE
    assert judge_ready([nowhere, daemon_set("cilium")], {}).outcome is Outcome.PASS


def test_images_without_a_pod_are_not_looked_at() -> None:
    assert judge_images([daemon_set()], []).outcome is Outcome.INCONCLUSIVE
    assert judge_images([daemon_set(wanted=0, ready=0)], []).outcome is Outcome.INCONCLUSIVE
    both = [daemon_set(), daemon_set("cilium", wanted=0, ready=0)]
    assert judge_images(both, [agent_pod("a")]).outcome is Outcome.PASS


def test_agents_of_one_version() -> None:
    sets = [daemon_set()]
    same = [agent_pod("a"), agent_pod("b")]
    assert judge_images(sets, same).outcome is Outcome.PASS
    failed = judge_images(sets, [*same, agent_pod("c", "i:1")])
    assert (failed.outcome, "i:1 on c" in failed.sentence) == (Outcome.FAIL, True)
    leaving = agent_pod("c", "i:1", deletionTimestamp="2026-11-21T10:00:00Z")
    assert judge_images(sets, [*same, leaving]).outcome is Outcome.PASS
    stranger = agent_pod("c", "i:1", ownerReferences=[])
    assert judge_images(sets, [*same, stranger]).outcome is Outcome.PASS
