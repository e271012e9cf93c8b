"""Quotas, limits and disruption budgets of a namespace, in the words of a real API server."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import api_server, recordings
from tests.lab.api_server import RECORDINGS, TOKEN, ApiServer
from tests.lab.recordings import RawClient, assert_same
from tests.lab.waiting import until

_NEEDS_RECORDINGS = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recordings of a real API server beside the checkout"
)
_POLICY = "/apis/policy/v1/namespaces"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    yield from api_server.start(tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="module")
def client(server: ApiServer) -> RawClient:
    return RawClient("127.0.0.1", server.port, server.ca_file, TOKEN)


def _namespace(client: RawClient, name: str) -> str:
    status, _, body = client.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    assert status == 201, body
    return f"/api/v1/namespaces/{name}"


def _pod(name: str, **more: Any) -> dict[str, Any]:
    container = {"name": "c", "image": "x:1", **more.pop("container", {})}
    metadata = {"name": name, "labels": more.pop("labels", {})}
    return {"metadata": metadata, "spec": {"containers": [container], **more}}


def _used(client: RawClient, place: str) -> dict[str, str]:
    found: dict[str, str] = client.send("GET", f"{place}/resourcequotas/q")[2]["status"].get(
        "used", {}
    )
    return found


def _quota(client: RawClient, place: str, **spec: Any) -> None:
    quota = {"metadata": {"name": "q"}, "spec": spec}
    status, _, body = client.send("POST", f"{place}/resourcequotas", quota)
    assert (status, body["status"]) == (201, {})
    until(lambda: _used(client, place))


def _refusal(client: RawClient, path: str, value: dict[str, Any]) -> str:
    status, _, body = client.send("POST", path, value)
    assert (status, body["reason"]) == (403, "Forbidden"), body
    return str(body["message"])


@_NEEDS_RECORDINGS
def test_a_quota_refuses_and_counts_as_recorded(client: RawClient) -> None:
    place = _namespace(client, "recq")
    _quota(client, place, hard={"pods": "1", "requests.cpu": "1", "services": "1"})
    for exchange in recordings.exchanges(recordings.load(RECORDINGS, "resourcequota")):
        assert_same(client, exchange)


@_NEEDS_RECORDINGS
def test_a_limit_range_fills_in_and_refuses_as_recorded(client: RawClient) -> None:
    place = _namespace(client, "reclr")
    limit = {
        "type": "Container",
        "default": {"cpu": "200m", "memory": "64Mi"},
        "defaultRequest": {"cpu": "50m"},
        "max": {"memory": "128Mi"},
    }
    value = {"metadata": {"name": "l"}, "spec": {"limits": [limit]}}
    _, _, created = client.send("POST", f"{place}/limitranges", value)
    assert created["spec"]["limits"][0]["defaultRequest"] == {"cpu": "50m", "memory": "64Mi"}
    for exchange in recordings.exchanges(recordings.load(RECORDINGS, "limitrange")):
        assert_same(client, exchange)


def test_what_has_gone_is_no_longer_counted(client: RawClient) -> None:
    place = _namespace(client, "gone")
    hard = {"pods": "1", "requests.memory": "1Gi", "limits.memory": "1Gi", "count/configmaps": "1"}
    _quota(client, place, hard=hard)
    sized = {"resources": {"limits": {"memory": "256Mi"}}}
    assert client.send("POST", f"{place}/pods", _pod("a", container=sized))[0] == 201
    assert client.send("POST", f"{place}/configmaps", {"metadata": {"name": "a"}})[0] == 201
    assert _used(client, place) == {
        "count/configmaps": "1",
        "limits.memory": "256Mi",
        "pods": "1",
        "requests.memory": "256Mi",
    }
    assert _refusal(client, f"{place}/configmaps", {"metadata": {"name": "b"}}) == (
        'configmaps "b" is forbidden: exceeded quota: q, requested: count/configmaps=1, '
        "used: count/configmaps=1, limited: count/configmaps=1"
    )
    client.send("DELETE", f"{place}/pods/a")
    client.send("DELETE", f"{place}/configmaps/a")
    until(lambda: set(_used(client, place).values()) == {"0"})
    assert client.send("POST", f"{place}/pods", _pod("a", container=sized))[0] == 201


def test_all_that_a_quota_wants_stated_is_named(client: RawClient) -> None:
    place = _namespace(client, "stated")
    _quota(client, place, hard={"requests.cpu": "1", "limits.memory": "1Gi"})
    assert _refusal(client, f"{place}/pods", _pod("p")) == (
        'pods "p" is forbidden: failed quota: q: must specify limits.memory for: c; '
        "requests.cpu for: c"
    )


def test_a_dry_run_is_checked_and_not_counted(client: RawClient) -> None:
    place = _namespace(client, "dry")
    _quota(client, place, hard={"pods": "1"})
    assert client.send("POST", f"{place}/pods?dryRun=All", _pod("a"))[0] == 201
    assert _used(client, place) == {"pods": "0"}
    assert client.send("POST", f"{place}/pods", _pod("a"))[0] == 201
    assert "exceeded quota" in _refusal(client, f"{place}/pods?dryRun=All", _pod("b"))


def test_pods_that_end_by_themselves_have_a_scope(client: RawClient) -> None:
    place = _namespace(client, "scoped")
    _quota(client, place, hard={"pods": "0"}, scopes=["Terminating"])
    assert client.send("POST", f"{place}/pods", _pod("stays"))[0] == 201
    assert "exceeded quota" in _refusal(
        client, f"{place}/pods", _pod("ends", activeDeadlineSeconds=60)
    )


def test_ports_of_services_are_counted_when_their_type_changes(client: RawClient) -> None:
    place = _namespace(client, "ports")
    _quota(client, place, hard={"services.nodeports": "1", "services.loadbalancers": "0"})
    service = {"metadata": {"name": "s"}, "spec": {"ports": [{"port": 80}]}}
    assert client.send("POST", f"{place}/services", service)[0] == 201
    merge = {"Content-Type": "application/merge-patch+json"}
    patch = {"spec": {"type": "LoadBalancer"}}
    status, _, body = client.send("PATCH", f"{place}/services/s", patch, merge)
    assert (status, body["message"]) == (
        403,
        'services "s" is forbidden: exceeded quota: q, requested: services.loadbalancers=1, '
        "used: services.loadbalancers=0, limited: services.loadbalancers=0",
    )
    patch = {"spec": {"type": "NodePort"}}
    assert client.send("PATCH", f"{place}/services/s", patch, merge)[0] == 200
    assert _used(client, place)["services.nodeports"] == "1"


@pytest.mark.parametrize(
    ("limit", "resources", "text"),
    [
        (
            {"type": "Container", "min": {"cpu": "100m"}},
            {"requests": {"cpu": "50m"}},
            "minimum cpu usage per Container is 100m, but request is 50m",
        ),
        (
            {"type": "Pod", "max": {"memory": "1Gi"}},
            {},
            "maximum memory usage per Pod is 1Gi.  No limit is specified",
        ),
        (
            {"type": "Container", "maxLimitRequestRatio": {"cpu": "2"}},
            {"requests": {"cpu": "100m"}, "limits": {"cpu": "1"}},
            "cpu max limit to request ratio per Container is 2, but provided ratio is 10.000000",
        ),
        (
            {"type": "Container", "max": {"cpu": "1", "memory": "1Mi"}},
            {"limits": {"cpu": "2", "memory": "2Mi"}},
            "[maximum cpu usage per Container is 1, but limit is 2, "
            "maximum memory usage per Container is 1Mi, but limit is 2Mi]",
        ),
    ],
)
def test_limits_are_refused_in_the_words_of_the_plugin(
    client: RawClient, limit: dict[str, Any], resources: dict[str, Any], text: str
) -> None:
    created = client.send("POST", "/api/v1/namespaces", {"metadata": {"generateName": "l-"}})[2]
    place = f"/api/v1/namespaces/{created['metadata']['name']}"
    value = {"metadata": {"name": "l"}, "spec": {"limits": [limit]}}
    assert client.send("POST", f"{place}/limitranges", value)[0] == 201
    pod = _pod("p", container={"resources": resources})
    assert _refusal(client, f"{place}/pods", pod) == f'pods "p" is forbidden: {text}'


def _evict(client: RawClient, place: str, name: str) -> tuple[int, dict[str, str], Any]:
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
    return client.send("POST", f"{place}/pods/{name}/eviction", eviction)


def test_a_disruption_budget_stops_evictions(client: RawClient) -> None:
    place = _namespace(client, "budget")
    for name in ("a", "b"):
        client.send("POST", f"{place}/pods", _pod(name, labels={"app": "web"}))
    selector = {"matchLabels": {"app": "web"}}
    budget = {"metadata": {"name": "pdb"}, "spec": {"minAvailable": 1, "selector": selector}}
    path = f"{_POLICY}/budget/poddisruptionbudgets"
    assert client.send("POST", path, budget)[0] == 201

    def status() -> dict[str, Any]:
        found: dict[str, Any] = client.send("GET", f"{path}/pdb")[2].get("status", {})
        return found

    until(lambda: status().get("disruptionsAllowed") == 1)
    assert _evict(client, place, "a")[0] == 201
    until(lambda: status()["expectedPods"] == 1)
    code, headers, body = _evict(client, place, "b")
    assert (code, headers.get("retry-after")) == (429, None)
    assert body == {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": "Cannot evict pod as it would violate the pod's disruption budget.",
        "reason": "TooManyRequests",
        "details": {
            "causes": [
                {
                    "reason": "DisruptionBudget",
                    "message": "The disruption budget pdb needs 1 healthy pods and has 1 currently",
                }
            ]
        },
        "code": 429,
    }
    assert client.send("DELETE", f"{place}/pods/b")[0] == 200


def test_an_eviction_says_so_in_the_pod(client: RawClient) -> None:
    place = _namespace(client, "told")
    pod = {**_pod("p"), "metadata": {"name": "p", "finalizers": ["example.com/stay"]}}
    client.send("POST", f"{place}/pods", pod)
    assert _evict(client, place, "p")[0] == 201
    found = client.send("GET", f"{place}/pods/p")[2]
    (condition,) = (
        item for item in found["status"]["conditions"] if item["type"] == "DisruptionTarget"
    )
    assert (condition["reason"], condition["message"]) == (
        "EvictionByEvictionAPI",
        "Eviction API: evicting",
    )
