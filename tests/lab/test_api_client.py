"""The unmodified Python client works against the API, and its models accept the answers."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from kubernetes import client, config, dynamic, watch
from kubernetes.client.exceptions import ApiException
from kubernetes.stream import stream

from tests.lab import api_server
from tests.lab.api_server import ApiServer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    yield from api_server.start(tmp_path_factory.mktemp("api"))


@pytest.fixture
def api(server: ApiServer) -> Iterator[Any]:
    found = config.new_client_from_config(str(server.kubeconfig))
    yield found
    found.close()


@pytest.fixture
def core(api: Any) -> Any:
    return client.CoreV1Api(api)


def _pod(name: str, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {"containers": [{"name": "c", "image": "x:1"}]},
    }


def _until_running(core: Any, name: str) -> Any:
    events = watch.Watch()
    selector = f"metadata.name={name}"
    for event in events.stream(
        core.list_namespaced_pod, "default", field_selector=selector, timeout_seconds=10
    ):
        if event["object"].status.phase == "Running":
            events.stop()
            return event["object"]
    raise AssertionError(f"{name} did not run")


def test_version_and_nodes_satisfy_the_models(api: Any, core: Any) -> None:
    assert client.VersionApi(api).get_code().git_version == "v1.34.2"
    (node,) = core.list_node().items
    assert node.status.node_info.kubelet_version == "v1.34.2"


def test_a_pod_lives_and_dies(core: Any) -> None:
    core.create_namespaced_pod("default", _pod("life"))
    assert _until_running(core, "life").status.pod_ip == "10.244.0.9"
    core.delete_namespaced_pod("life", "default", grace_period_seconds=0)
    with pytest.raises(ApiException) as caught:
        core.read_namespaced_pod("life", "default")
    assert caught.value.status == 404


def test_exec_returns_the_exit_code(api: Any, core: Any) -> None:
    core.create_namespaced_pod("default", _pod("runs"))
    _until_running(core, "runs")
    process = stream(
        core.connect_get_namespaced_pod_exec,
        "runs",
        "default",
        command=["sh", "-c", "read line; echo got $line; exit 3"],
        stdin=True,
        stdout=True,
        stderr=True,
        tty=False,
        _preload_content=False,
    )
    process.write_stdin("hello\n")
    process.run_forever(timeout=10)
    assert (process.read_stdout(), process.returncode) == ("got hello\n", 3)
    process.sock.shutdown()  # its close() leaves the socket open once the server has closed
    core.delete_namespaced_pod("runs", "default")


def test_conflicting_updates_are_refused(core: Any) -> None:
    body = {"metadata": {"name": "shared"}, "data": {"a": "1"}}
    core.create_namespaced_config_map("default", body)
    first = core.read_namespaced_config_map("shared", "default")
    second = core.read_namespaced_config_map("shared", "default")
    first.data = {"a": "2"}
    core.replace_namespaced_config_map("shared", "default", first)
    second.data = {"a": "3"}
    with pytest.raises(ApiException) as caught:
        core.replace_namespaced_config_map("shared", "default", second)
    assert (caught.value.status, "Conflict" in caught.value.body) == (409, True)
    core.delete_namespaced_config_map("shared", "default")


def test_watches_see_changes_at_once_and_in_order(core: Any) -> None:
    version = core.list_namespaced_config_map("default").metadata.resource_version
    seen: list[tuple[str, str]] = []

    def collect() -> None:
        events = watch.Watch()
        for event in events.stream(
            core.list_namespaced_config_map,
            "default",
            resource_version=version,
            timeout_seconds=10,
        ):
            seen.append((event["type"], event["object"].metadata.name))
            if event["type"] == "DELETED":
                events.stop()

    collector = threading.Thread(target=collect)
    collector.start()
    core.create_namespaced_config_map("default", {"metadata": {"name": "seen"}})
    core.patch_namespaced_config_map("seen", "default", {"data": {"k": "v"}})
    core.delete_namespaced_config_map("seen", "default")
    collector.join(10)
    assert seen == [("ADDED", "seen"), ("MODIFIED", "seen"), ("DELETED", "seen")]


def test_leaving_a_selector_is_a_deletion(core: Any) -> None:
    core.create_namespaced_config_map("default", {"metadata": {"name": "l", "labels": {"a": "b"}}})
    version = core.list_namespaced_config_map("default").metadata.resource_version
    core.patch_namespaced_config_map("l", "default", {"metadata": {"labels": {"a": None}}})
    events = watch.Watch().stream(
        core.list_namespaced_config_map,
        "default",
        label_selector="a=b",
        resource_version=version,
        timeout_seconds=1,
    )
    assert [event["type"] for event in events] == ["DELETED"]
    core.delete_namespaced_config_map("l", "default")


def test_a_watch_ends_when_its_time_is_over(core: Any) -> None:
    started = time.monotonic()
    events = watch.Watch().stream(core.list_namespaced_secret, "default", timeout_seconds=1)
    assert list(events) == []
    assert time.monotonic() - started >= 0.9


def test_dry_run_stores_nothing(core: Any) -> None:
    spec = {"ports": [{"port": 80}]}
    shown = core.create_namespaced_service(
        "default", {"metadata": {"name": "dry"}, "spec": spec}, dry_run="All"
    )
    assert shown.spec.cluster_ip
    with pytest.raises(ApiException):
        core.read_namespaced_service("dry", "default")


def test_leases_events_policies_and_slices_satisfy_the_models(api: Any) -> None:
    leases = client.CoordinationV1Api(api)
    lease = {"metadata": {"name": "run"}, "spec": {"holderIdentity": "me"}}
    leases.create_namespaced_lease("default", lease)
    assert leases.read_namespaced_lease("run", "default").spec.holder_identity == "me"
    policies = client.NetworkingV1Api(api)
    body = {"metadata": {"name": "deny"}, "spec": {"podSelector": {}}}
    created = policies.create_namespaced_network_policy("default", body)
    assert created.spec.policy_types == ["Ingress"]
    policies.delete_collection_namespaced_network_policy("default")
    assert policies.list_namespaced_network_policy("default").items == []
    slices = client.DiscoveryV1Api(api)
    body = {
        "metadata": {"name": "s", "labels": {"kubernetes.io/service-name": "s"}},
        "addressType": "IPv4",
        "endpoints": [{"addresses": ["10.244.0.9"]}],
        "ports": [{"port": 80}],
    }
    assert slices.create_namespaced_endpoint_slice("default", body).ports[0].protocol == "TCP"


def test_both_event_groups_show_the_same_events(api: Any, core: Any) -> None:
    core.create_namespaced_event(
        "default",
        {
            "metadata": {"name": "e1"},
            "involvedObject": {"kind": "Pod", "name": "p", "namespace": "default"},
            "reason": "Started",
            "message": "text",
            "type": "Normal",
            "eventTime": "2026-11-21T10:00:00.000000Z",
        },
    )
    (seen,) = client.EventsV1Api(api).list_namespaced_event("default").items
    assert (seen.note, seen.regarding.name) == ("text", "p")
    selector = "involvedObject.name=p,reason=Started"
    assert len(core.list_namespaced_event("default", field_selector=selector).items) == 1


def test_the_dynamic_client_finds_its_way(api: Any) -> None:
    found = dynamic.DynamicClient(api).resources.get(api_version="v1", kind="Namespace")
    assert "default" in [item.metadata.name for item in found.get().items]


def test_access_reviews_allow_all_to_the_token(api: Any) -> None:
    review = {"spec": {"resourceAttributes": {"verb": "create", "resource": "pods"}}}
    answer = client.AuthorizationV1Api(api).create_self_subject_access_review(review)
    assert answer.status.allowed


def test_evicted_pods_go(core: Any) -> None:
    core.create_namespaced_pod("default", _pod("evicted"))
    _until_running(core, "evicted")
    core.create_namespaced_pod_eviction("evicted", "default", {"metadata": {"name": "evicted"}})
    names = {pod.metadata.name for pod in core.list_namespaced_pod("default").items}
    assert "evicted" not in names
