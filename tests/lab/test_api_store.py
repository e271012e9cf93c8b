"""The store keeps the rules that hold for all objects."""

import asyncio
from typing import Any

import pytest

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.resources import (
    CONFIG_MAPS,
    DEPLOYMENTS,
    NAMESPACES,
    NETWORK_POLICIES,
    PODS,
    REPLICA_SETS,
    SERVICES,
)
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.layout import default_spec

_POD: dict[str, Any] = {"spec": {"containers": [{"name": "c", "image": "x:1"}]}}


@pytest.fixture
def store() -> Store:
    found = Store(default_spec("overlay", "none"))
    found.create(NAMESPACES, {"metadata": {"name": "default"}})
    return found


def _named(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, **more}


def test_versions_rise_with_each_change_and_only_then(store: Store) -> None:
    first = store.create(CONFIG_MAPS, _named("a", data={"k": "1"}))
    same = store.update(CONFIG_MAPS, first)
    assert same["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
    changed = store.update(CONFIG_MAPS, {**first, "data": {"k": "2"}})
    assert int(changed["metadata"]["resourceVersion"]) > int(first["metadata"]["resourceVersion"])
    with pytest.raises(ApiError) as caught:
        store.update(CONFIG_MAPS, {**first, "data": {"k": "3"}})
    assert caught.value.reason == "Conflict"


def test_generation_counts_changes_of_the_spec_only(store: Store) -> None:
    policy = store.create(NETWORK_POLICIES, _named("p", spec={}))
    assert policy["metadata"]["generation"] == 1
    policy["metadata"]["labels"] = {"a": "b"}
    policy = store.update(NETWORK_POLICIES, policy)
    assert policy["metadata"]["generation"] == 1
    policy["spec"]["policyTypes"] = ["Egress"]
    assert store.update(NETWORK_POLICIES, policy)["metadata"]["generation"] == 2


def test_status_and_spec_are_written_apart(store: Store) -> None:
    store.create(PODS, _named("p", **_POD))
    pod = store.get(PODS, "p", "default")
    pod["status"]["phase"] = "Running"
    assert store.update(PODS, pod)["status"]["phase"] == "Pending"
    pod["metadata"]["labels"] = {"a": "b"}
    written = store.update(PODS, pod, subresource="status")
    assert written["status"]["phase"] == "Running"
    assert "labels" not in written["metadata"]


def test_what_is_read_can_be_changed_without_harm(store: Store) -> None:
    store.create(CONFIG_MAPS, _named("a", data={"k": "1"}))
    store.get(CONFIG_MAPS, "a", "default")["data"]["k"] = "broken"
    store.list(CONFIG_MAPS)[0]["data"]["k"] = "broken"
    assert store.get(CONFIG_MAPS, "a", "default")["data"] == {"k": "1"}


def test_a_pod_on_a_node_waits_for_its_kubelet(store: Store) -> None:
    store.create(PODS, _named("p", **_POD))
    store.bind("p", "default", "node")
    marked = store.delete(PODS, "p", "default")
    assert marked["metadata"]["deletionGracePeriodSeconds"] == 30
    assert store.delete(PODS, "p", "default") == marked
    shorter = store.delete(PODS, "p", "default", grace_seconds=2)
    assert shorter["metadata"]["deletionGracePeriodSeconds"] == 2
    store.delete(PODS, "p", "default", grace_seconds=0)
    assert store.find(PODS, "p", "default") is None


def test_binding_twice_is_a_conflict(store: Store) -> None:
    store.create(PODS, _named("p", **_POD))
    store.bind("p", "default", "node")
    with pytest.raises(ApiError, match='already assigned to node "node"'):
        store.bind("p", "default", "other")


def test_finalizers_keep_an_object(store: Store) -> None:
    body = {"metadata": {"name": "a", "finalizers": ["x/y"]}}
    store.create(CONFIG_MAPS, body)
    kept = store.delete(CONFIG_MAPS, "a", "default")
    assert kept["metadata"]["deletionTimestamp"]
    kept["metadata"]["finalizers"] = []
    store.update(CONFIG_MAPS, kept)
    assert store.find(CONFIG_MAPS, "a", "default") is None


def test_a_terminating_namespace_takes_nothing_new_and_goes_when_finalized(store: Store) -> None:
    store.create(NAMESPACES, _named("ns"))
    assert store.delete(NAMESPACES, "ns")["status"] == {"phase": "Terminating"}
    with pytest.raises(ApiError) as caught:
        store.create(CONFIG_MAPS, _named("late"), "ns")
    assert caught.value.status["details"]["causes"][0]["reason"] == "NamespaceTerminating"
    namespace = store.get(NAMESPACES, "ns")
    namespace["spec"] = {}
    store.update(NAMESPACES, namespace, subresource="finalize")
    assert store.find(NAMESPACES, "ns") is None


def test_orphans_lose_their_owner(store: Store) -> None:
    selector = {"matchLabels": {"a": "b"}}
    template = {"metadata": {"labels": {"a": "b"}}, **_POD}
    spec = {"selector": selector, "template": template}
    owner = store.create(DEPLOYMENTS, _named("d", spec=spec))
    reference = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "name": "d",
        "uid": owner["metadata"]["uid"],
    }
    body = {"metadata": {"name": "r", "ownerReferences": [reference]}, "spec": spec}
    store.create(REPLICA_SETS, body)
    store.delete(DEPLOYMENTS, "d", "default", orphan=True)
    assert store.get(REPLICA_SETS, "r", "default")["metadata"]["ownerReferences"] == []


def test_allocated_ports_are_given_back(store: Store) -> None:
    spec = {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30500}]}
    store.create(SERVICES, _named("a", spec=spec))
    with pytest.raises(ApiError, match="provided port is already allocated"):
        store.create(SERVICES, _named("b", spec=spec))
    store.delete(SERVICES, "a", "default")
    store.create(SERVICES, _named("b", spec=spec))


def test_a_refused_change_keeps_what_was_allocated(store: Store) -> None:
    fixed = {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30500}]}
    store.create(SERVICES, _named("a", spec=fixed))
    other = store.create(SERVICES, _named("b", spec={"type": "NodePort", "ports": [{"port": 1}]}))
    mine = other["spec"]["ports"][0]["nodePort"]
    other["spec"]["ports"][0]["nodePort"] = 30500
    with pytest.raises(ApiError):
        store.update(SERVICES, other)
    spec = {"type": "NodePort", "ports": [{"port": 1, "nodePort": mine}]}
    with pytest.raises(ApiError):
        store.create(SERVICES, _named("c", spec=spec))


def test_traffic_policy_local_needs_a_health_check_port(store: Store) -> None:
    spec = {"type": "LoadBalancer", "externalTrafficPolicy": "Local", "ports": [{"port": 80}]}
    service = store.create(SERVICES, _named("a", spec=spec))
    assert 30000 <= service["spec"]["healthCheckNodePort"] <= 32767
    service["spec"]["externalTrafficPolicy"] = "Cluster"
    assert "healthCheckNodePort" not in store.update(SERVICES, service)["spec"]


def test_subscribers_get_what_is_there_and_then_each_change_in_order(store: Store) -> None:
    async def scenario() -> list[tuple[str, str]]:
        store.create(CONFIG_MAPS, _named("a"))
        subscription = store.subscribe(CONFIG_MAPS)
        store.create(CONFIG_MAPS, _named("b"))
        store.mutate(CONFIG_MAPS, "a", "default", change=lambda value: value.update(data={}))
        store.delete(CONFIG_MAPS, "a", "default")
        seen = [(item.kind, item.value["metadata"]["name"]) for item in await subscription.batch()]
        subscription.close()
        store.create(CONFIG_MAPS, _named("c"))
        assert await subscription.batch() == []
        return seen

    assert asyncio.run(scenario()) == [
        ("ADDED", "a"),
        ("ADDED", "b"),
        ("MODIFIED", "a"),
        ("DELETED", "a"),
    ]


def test_selectors_choose_by_labels_and_fields(store: Store) -> None:
    for name, labels in (("a", {"x": "1"}), ("b", {"x": "2", "y": ""}), ("c", {})):
        store.create(CONFIG_MAPS, {"metadata": {"name": name, "labels": labels}})

    def names(**selectors: str) -> list[str]:
        return [item["metadata"]["name"] for item in store.list(CONFIG_MAPS, **selectors)]

    assert names(labels="x in (1,2),!y") == ["a"]
    assert names(labels="x!=1") == ["b", "c"]
    assert names(labels="x notin (1)") == ["b", "c"]
    assert names(labels="x") == ["a", "b"]
    assert names(labels="x>1") == ["b"]
    assert names(labels="y=") == ["b"]
    assert names(fields="metadata.name!=a,metadata.namespace=default") == ["b", "c"]
