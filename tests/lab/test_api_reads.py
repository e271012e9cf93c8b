"""Watches, lists, discovery, logs and tokens, as recorded from a real API server."""

import base64
import json
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import api_server, recordings
from tests.lab.api_server import RECORDINGS, TOKEN, ApiServer
from tests.lab.recordings import RawClient, assert_same
from tests.lab.waiting import until

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recordings of a real API server beside the checkout"
)
_PODS = "/api/v1/namespaces/recs/pods"
_LISTS = "/api/v1/namespaces/recc/configmaps"
_NAMESPACES = "/api/v1/namespaces"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    yield from api_server.start(tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="module")
def client(server: ApiServer) -> RawClient:
    found = RawClient("127.0.0.1", server.port, server.ca_file, TOKEN)
    for name in ("recs", "recc"):
        found.send("POST", _NAMESPACES, {"metadata": {"name": name}})
    found.send("POST", f"{_NAMESPACES}/recs/serviceaccounts", {"metadata": {"name": "lim"}})
    for name in ("img", "lg", "pend", "web2"):
        spec: dict[str, Any] = {"containers": [{"name": "c", "image": "x:1"}]}
        if name == "pend":
            spec["nodeSelector"] = {"zone": "nowhere"}
        metadata = {"name": name, "labels": {"app": "web" if name == "web2" else name}}
        found.send("POST", _PODS, {"metadata": metadata, "spec": spec})
    return found


def _load(name: str) -> Any:
    return recordings.load(RECORDINGS, name)


def _events(client: RawClient, path: str) -> list[dict[str, Any]]:
    """All events of a watch that the server ends."""
    status, headers, body = client.send("GET", path)
    assert (status, headers["content-type"]) == (200, "application/json")
    return body if isinstance(body, list) else [body]


def _initial(document: Any) -> list[str]:
    return [
        item["event"]["type"]
        for item in document["events"]
        if item["t"] < 1 and item["event"]["type"] != "ERROR"
    ]


@pytest.mark.parametrize("name", ["watch-bookmarks", "watch-sendinitial", "watch-timeout"])
def test_a_watch_begins_with_the_recorded_events(client: RawClient, name: str) -> None:
    document = _load(name)
    path = document["watch"]["path"]
    for seconds in ("70", "3", "2"):
        path = path.replace(f"timeoutSeconds={seconds}", "timeoutSeconds=1")
    found = _events(client, path)
    assert [item["type"] for item in found] == _initial(document)
    names = [item["object"]["metadata"].get("name") for item in found]
    assert names[:4] == ["img", "lg", "pend", "web2"]
    for event, real in zip(found[4:], document["events"][4:], strict=False):
        wanted = dict(real["event"]["object"])
        wanted["metadata"] = {
            **wanted["metadata"],
            "resourceVersion": event["object"]["metadata"]["resourceVersion"],
        }
        assert event == {"type": "BOOKMARK", "object": wanted}


def test_a_deleted_pod_is_modified_once_more(client: RawClient) -> None:
    """Its last state has no grace left; watches see it before the pod goes."""
    real = [item["event"] for item in _load("pod-delete-force")["watch"]["events"]]
    spec = {"containers": [{"name": "c", "image": "x:1"}], "nodeSelector": {"zone": "nowhere"}}
    pod = {"metadata": {"name": "force"}, "spec": spec}
    version = client.send("POST", _PODS, pod)[2]["metadata"]["resourceVersion"]
    client.send("DELETE", f"{_PODS}/force?gracePeriodSeconds=0")
    query = f"watch=1&resourceVersion={version}&timeoutSeconds=1"
    found = _events(client, f"{_PODS}?fieldSelector=metadata.name%3Dforce&{query}")
    fields = ("deletionGracePeriodSeconds", "generation")
    assert [
        (item["type"], *(item["object"]["metadata"].get(name) for name in fields)) for item in found
    ] == [
        (item["type"], *(item["object"]["metadata"].get(name) for name in fields))
        for item in real[-2:]
    ]
    versions = [int(item["object"]["metadata"]["resourceVersion"]) for item in found]
    assert versions == sorted(set(versions))


def _fill(client: RawClient) -> None:
    for index in range(12):
        metadata = {"name": f"cm{index:02}", "labels": {"g": "x"}}
        client.send("POST", _LISTS, {"metadata": metadata, "data": {"i": str(index)}})


def _chunk(client: RawClient, token: str = "") -> tuple[list[str], dict[str, Any]]:
    query = f"?limit=5&continue={token}" if token else "?limit=5"
    status, _, body = client.send("GET", _LISTS + query)
    assert status == 200, body
    return [item["metadata"]["name"] for item in body["items"]], body["metadata"]


def test_later_chunks_show_the_state_of_the_first(client: RawClient) -> None:
    _fill(client)
    first, metadata = _chunk(client)
    client.send("DELETE", f"{_LISTS}/cm07")
    client.send("POST", _LISTS, {"metadata": {"name": "cm071"}})
    second, more = _chunk(client, metadata["continue"])
    third, last = _chunk(client, more["continue"])
    assert first + second + third == [f"cm{index:02}" for index in range(12)]
    assert more["resourceVersion"] == last["resourceVersion"] == metadata["resourceVersion"]
    assert (more["remainingItemCount"], "continue" in last) == (2, False)
    client.send("DELETE", f"{_LISTS}/cm071")


def test_a_forgotten_first_chunk_is_410_with_a_token_to_go_on(
    server: ApiServer, client: RawClient
) -> None:
    _fill(client)
    _, metadata = _chunk(client)
    client.send("DELETE", f"{_LISTS}/cm07")
    _call(server, lambda: server.store.journal.forget(server.store.version))
    path = f"{_LISTS}?limit=5&continue={metadata['continue']}"
    status, _, body = client.send("GET", path)
    assert (status, body["reason"], body["code"]) == (410, "Expired", 410)
    assert body["message"].startswith("The provided continue parameter is too old to display a")
    names, _ = _chunk(client, body["metadata"]["continue"])
    assert names == ["cm05", "cm06", "cm08", "cm09", "cm10"]


def _call(server: ApiServer, action: Any) -> None:
    done = threading.Event()

    def act() -> None:
        action()
        done.set()

    server.loop.call_soon_threadsafe(act)
    assert done.wait(5)


def test_a_collection_is_deleted_as_recorded(client: RawClient) -> None:
    _fill(client)
    document = _load("deletecollection")
    body = assert_same(client, {**document["delete"]})
    assert len(body["items"]) == 12
    status, _, left = client.send("GET", document["after"]["request"]["path"])
    assert (status, left["items"]) == (200, [])


def test_deleted_pods_are_listed_as_they_were(client: RawClient) -> None:
    exchange = _load("deletecollection-pods")["delete"]
    status, _, body = client.replay(exchange)
    real = exchange["response"]["body"]
    assert (status, body["kind"], body["apiVersion"]) == (200, real["kind"], real["apiVersion"])
    (found,), (wanted,) = body["items"], real["items"]
    assert found["metadata"].keys() == wanted["metadata"].keys() - {"managedFields"}
    assert found["metadata"]["generation"] == wanted["metadata"]["generation"] == 1


def test_a_generated_name_has_the_recorded_form(client: RawClient) -> None:
    (exchange,) = recordings.exchanges(_load("generatename"))
    status, _, body = client.replay(exchange)
    real = exchange["response"]["body"]["metadata"]
    assert status == exchange["response"]["status"]
    assert body["metadata"]["generateName"] == real["generateName"]
    assert len(body["metadata"]["name"]) == len(real["name"])
    assert body["metadata"]["name"].startswith(real["generateName"])


def test_health_is_text(client: RawClient) -> None:
    for exchange in recordings.exchanges(_load("readyz")):
        if "verbose" not in exchange["request"]["path"]:
            assert_same(client, exchange)
            continue
        status, _, text = client.replay(exchange)
        *checks, last = text.splitlines()
        *real_checks, real_last = exchange["response"]["body"].splitlines()
        assert (status, last) == (200, real_last)
        assert checks
        assert set(checks) <= set(real_checks)


def test_discovery_names_resources_as_recorded(client: RawClient) -> None:
    for exchange in recordings.exchanges(_load("api-resources-v1")):
        status, _, body = client.replay(exchange)
        real = exchange["response"]["body"]
        assert (status, list(body)) == (200, list(real))
        known = {item["name"]: item for item in real["resources"]}
        for item in body["resources"]:
            wanted = dict(known[item["name"]])
            wanted.pop("storageVersionHash", None)
            assert item == wanted


# The recorded server had none of the custom resources that AKS installs.
CUSTOM_GROUPS = ("gateway.networking.k8s.io", "networking.istio.io", "security.istio.io")


def test_aggregated_discovery_is_that_of_a_real_server(client: RawClient) -> None:
    for exchange in _load("apis-aggregated"):
        status, headers, body = client.replay(exchange)
        real = exchange["response"]
        known = {name.lower(): value for name, value in real["headers"]}
        same = ("content-type", "cache-control", "vary")
        assert status == 200
        assert [headers[name] for name in same] == [known[name] for name in same]
        assert {**body, "items": []} == {**real["body"], "items": []}
        groups = {item["metadata"].get("name"): item for item in real["body"]["items"]}
        for item in body["items"]:
            if item["metadata"].get("name") in CUSTOM_GROUPS:
                continue
            group = groups[item["metadata"].get("name")]
            versions = {one["version"]: one for one in group["versions"]}
            for version in item["versions"]:
                _compare_version(version, versions[version["version"]])
        again = {**exchange["request"]["headers"], "If-None-Match": headers["etag"]}
        assert client.send("GET", exchange["request"]["path"], headers=again)[0] == 304


def _compare_version(version: dict[str, Any], real: dict[str, Any]) -> None:
    assert {**version, "resources": []} == {**real, "resources": []}
    known = {item["resource"]: item for item in real["resources"]}
    for resource in version["resources"]:
        wanted = dict(known[resource["resource"]])
        ours = {item["subresource"] for item in resource.get("subresources", [])}
        if "subresources" in wanted:
            wanted["subresources"] = [
                item for item in wanted["subresources"] if item["subresource"] in ours
            ]
        if not wanted.get("subresources"):
            wanted.pop("subresources", None)
        assert resource == wanted


def test_logs_are_cut_and_refused_as_recorded(server: ApiServer, client: RawClient) -> None:
    server.kubelet.lines = [
        b"line 1\n",
        b"line 2\n",
        b"line 3\n",
        b"line 4\n",
        b"line 5\n",
        b"err\n",
    ]
    for exchange in recordings.exchanges(_load("log-misc")):
        if "sinceSeconds" not in exchange["request"]["path"]:
            assert_same(client, exchange)
    unscheduled, _ = recordings.exchanges(_load("log-notstarted"))
    assert_same(client, unscheduled)


def _token(client: RawClient, seconds: int) -> tuple[int, Any]:
    path = f"{_NAMESPACES}/recs/serviceaccounts/lim/token"
    status, _, body = client.send("POST", path, {"spec": {"expirationSeconds": seconds}})
    return status, body


def test_a_token_for_less_than_ten_minutes_is_refused(client: RawClient) -> None:
    status, body = _token(client, 599)
    text = "Invalid value: 599: may not specify a duration less than 10 minutes"
    assert (status, body["reason"]) == (422, "Invalid")
    assert body["message"] == (
        f'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: {text}'
    )
    assert body["details"]["causes"] == [
        {"reason": "FieldValueInvalid", "message": text, "field": "spec.expirationSeconds"}
    ]


def test_a_token_says_when_it_ends_and_is_401_afterwards(
    server: ApiServer, client: RawClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, body = _token(client, 600)
    token = body["status"]["token"]
    part = token.split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    assert status == 201
    assert claims["exp"] - claims["iat"] == 600
    assert claims["sub"] == "system:serviceaccount:recs:lim"
    holder = RawClient("127.0.0.1", server.port, server.ca_file, token)
    review = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    assert holder.send("POST", review, {})[0] == 201
    later = time.monotonic() + 601
    monkeypatch.setattr("pytest_aksnet.lab.api.context.time.monotonic", lambda: later)
    expired = holder.send("POST", review, {})
    monkeypatch.undo()
    bad, *_ = recordings.exchanges(_load("error-401"))
    assert (expired[0], expired[2]) == (401, bad["response"]["body"])


def test_a_token_dies_with_its_account(server: ApiServer, client: RawClient) -> None:
    accounts = f"{_NAMESPACES}/recs/serviceaccounts"
    client.send("POST", accounts, {"metadata": {"name": "short"}})
    answer = client.send("POST", f"{accounts}/short/token", {"spec": {}})[2]
    token = answer["status"]["token"]
    holder = RawClient("127.0.0.1", server.port, server.ca_file, token)
    assert holder.send("GET", _PODS)[0] == 403
    client.send("DELETE", f"{accounts}/short")
    assert holder.send("GET", _PODS)[0] == 401
    client.send("POST", accounts, {"metadata": {"name": "short"}})
    assert holder.send("GET", _PODS)[0] == 401


def test_a_name_is_taken_until_its_object_has_gone(client: RawClient) -> None:
    value = {"metadata": {"name": "kept", "finalizers": ["example.com/keep"]}}
    client.send("POST", _LISTS, value)
    client.send("DELETE", f"{_LISTS}/kept")
    status, _, body = client.send("POST", _LISTS, {"metadata": {"name": "kept"}})
    assert (status, body["message"]) == (
        409,
        'object is being deleted: configmaps "kept" already exists',
    )
    patch = {"Content-Type": "application/merge-patch+json"}
    client.send("PATCH", f"{_LISTS}/kept", {"metadata": {"finalizers": None}}, patch)
    until(lambda: client.send("GET", f"{_LISTS}/kept")[0] == 404)
