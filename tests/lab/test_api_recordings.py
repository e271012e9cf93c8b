"""The API answers recorded requests as a real API server did."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import api_server, recordings
from tests.lab.api_server import RECORDINGS, TOKEN, ApiServer
from tests.lab.recordings import RawClient, assert_same

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recordings of a real API server beside the checkout"
)

_POD = {"spec": {"containers": [{"name": "c", "image": "x:1"}]}}
_SERVICE: dict[str, Any] = {
    "selector": {"app": "web"},
    "ports": [{"port": 80, "targetPort": 8080}],
}


@pytest.fixture
def server(tmp_path: Path) -> Iterator[ApiServer]:
    yield from api_server.start(tmp_path)


@pytest.fixture
def client(server: ApiServer) -> RawClient:
    found = RawClient("127.0.0.1", server.port, server.ca_file, TOKEN)
    for name in ("rec", "recs", "recc", "recps"):
        found.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    found.send("POST", "/api/v1/namespaces/recs/serviceaccounts", {"metadata": {"name": "lim"}})
    for name in ("web2", "eph"):
        pod = {"metadata": {"name": name}, **_POD}
        found.send("POST", "/api/v1/namespaces/recs/pods", pod)
    return found


@pytest.mark.parametrize(
    "name",
    [
        "error-400-415-406-405",
        "error-404",
        "services",
        "networkpolicies",
        "server-side-apply",
        "dryrun-create",
        "eviction",
        "tokenrequest",
        "pod-delete-404",
    ],
)
def test_answers_are_those_of_a_real_api_server(client: RawClient, name: str) -> None:
    for exchange in recordings.exchanges(recordings.load(RECORDINGS, name)):
        assert_same(client, exchange)


def test_a_taken_name_is_refused_with_409(client: RawClient) -> None:
    client.send(
        "POST",
        "/api/v1/namespaces/recs/services",
        {"metadata": {"name": "clusterip"}, "spec": _SERVICE},
    )
    client.send(
        "POST",
        "/apis/networking.k8s.io/v1/namespaces/recs/networkpolicies",
        {"metadata": {"name": "full"}, "spec": {}},
    )
    for exchange in recordings.exchanges(recordings.load(RECORDINGS, "error-409-exists")):
        assert_same(client, exchange)


def test_invalid_pods_are_refused_with_422_and_causes(client: RawClient) -> None:
    found = list(recordings.exchanges(recordings.load(RECORDINGS, "error-422-pod")))
    creates = [item for item in found if item["request"]["method"] == "POST"]
    assert creates
    for exchange in creates:
        assert_same(client, exchange)


def test_a_forbidden_change_of_a_pod_names_the_rule(client: RawClient) -> None:
    found = list(recordings.exchanges(recordings.load(RECORDINGS, "error-422-pod")))
    for exchange in (item for item in found if item["request"]["method"] == "PATCH"):
        status, _, body = client.replay(exchange)
        real = exchange["response"]
        assert status == real["status"] == 422
        # The real one adds a diff of its own Go structs.
        assert body["message"] == real["body"]["message"].partition("\n@@")[0]


def test_service_types_change_and_allocated_fields_follow(client: RawClient) -> None:
    _, _, service = client.send(
        "POST",
        "/api/v1/namespaces/recs/services",
        {"metadata": {"name": "clusterip"}, "spec": _SERVICE},
    )
    for exchange in recordings.exchanges(recordings.load(RECORDINGS, "service-update")):
        if exchange["request"]["method"] == "PUT":
            exchange["request"]["body"]["metadata"]["uid"] = service["metadata"]["uid"]
        assert_same(client, exchange)


def test_a_deleted_service_is_the_answer(client: RawClient) -> None:
    spec = {**_SERVICE, "internalTrafficPolicy": "Local"}
    client.send(
        "POST", "/api/v1/namespaces/recs/services", {"metadata": {"name": "local"}, "spec": spec}
    )
    for exchange in recordings.exchanges(recordings.load(RECORDINGS, "service-delete")):
        assert_same(client, exchange)


@pytest.mark.parametrize("position", [0, 1, 3, 6])
def test_lists_come_in_chunks(client: RawClient, position: int) -> None:
    for index in range(12):
        client.send(
            "POST",
            "/api/v1/namespaces/recc/configmaps",
            {
                "metadata": {"name": f"cm{index:02}", "labels": {"g": "x"}},
                "data": {"i": str(index)},
            },
        )
    found = list(recordings.exchanges(recordings.load(RECORDINGS, "list-chunked")))
    assert_same(client, found[position])


def test_a_bad_token_is_401_and_none_is_anonymous(client: RawClient) -> None:
    bad, anonymous, version = recordings.exchanges(recordings.load(RECORDINGS, "error-401"))
    assert_same(client, bad)
    path = anonymous["request"]["path"]
    status, headers, body = client.send("GET", path, authorized=False)
    assert (status, body) == (anonymous["response"]["status"], anonymous["response"]["body"])
    assert headers["x-content-type-options"] == "nosniff"
    status, _, body = client.send("GET", version["request"]["path"], authorized=False)
    assert status == 200
    assert body.keys() == version["response"]["body"].keys()


def _limited(server: ApiServer, client: RawClient) -> RawClient:
    """A client with the token of a service account that may only look at pods of `recs`."""
    rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/recs"
    rules = [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get", "list", "watch"]}]
    client.send("POST", f"{rbac}/roles", {"metadata": {"name": "podview"}, "rules": rules})
    binding = {
        "metadata": {"name": "podview"},
        "roleRef": {"kind": "Role", "name": "podview"},
        "subjects": [{"kind": "ServiceAccount", "name": "lim", "namespace": "recs"}],
    }
    assert client.send("POST", f"{rbac}/rolebindings", binding)[0] == 201
    path = "/api/v1/namespaces/recs/serviceaccounts/lim/token"
    token = client.send("POST", path, {"spec": {}})[2]["status"]["token"]
    return RawClient("127.0.0.1", server.port, server.ca_file, token)


def test_a_limited_account_is_refused_in_the_same_words(
    server: ApiServer, client: RawClient
) -> None:
    limited = _limited(server, client)
    first, *refused = recordings.exchanges(recordings.load(RECORDINGS, "error-403-serviceaccount"))
    assert limited.replay(first)[0] == 200
    assert len(refused) == 10
    for exchange in refused:
        assert_same(limited, exchange)


def test_access_reviews_answer_what_rbac_says(server: ApiServer, client: RawClient) -> None:
    limited = _limited(server, client)
    found = list(recordings.exchanges(recordings.load(RECORDINGS, "selfsubjectaccessreview")))
    for exchange in found[:2]:
        assert_same(client, exchange)
    for exchange in found[2:8]:
        assert_same(limited, exchange)


@pytest.mark.parametrize("name", ["too_old", "future"])
def test_a_watch_outside_the_window_ends_as_recorded(client: RawClient, name: str) -> None:
    real = recordings.load(RECORDINGS, "watch-410")[name]
    status, _, body = client.send("GET", real["watch"]["path"].replace("=5", "=1"))
    assert status == 200
    if name == "future":
        assert body == ""
    else:
        event, recorded = body, real["events"][0]["event"]
        assert event["type"] == recorded["type"] == "ERROR"
        status_object = event["object"]
        message = status_object.pop("message")
        expected = dict(recorded["object"])
        assert message.startswith("too old resource version: 1 (")
        assert expected.pop("message").startswith("too old resource version: 1 (")
        assert status_object == expected


def test_node_tables_have_the_columns_of_a_real_server(client: RawClient) -> None:
    (exchange,) = recordings.exchanges(recordings.load(RECORDINGS, "nodes-table"))
    status, _, body = client.replay(exchange)
    real = exchange["response"]["body"]
    assert status == 200
    fields = ("name", "type", "format", "priority")
    assert [[column[key] for key in fields] for column in body["columnDefinitions"]] == [
        [column[key] for key in fields] for column in real["columnDefinitions"]
    ]
    assert body["rows"][0].keys() == real["rows"][0].keys()
    assert body["rows"][0]["object"].keys() == real["rows"][0]["object"].keys()


def test_created_pods_get_the_recorded_defaults(client: RawClient) -> None:
    for name in ("pod-create-ready", "pod-readiness-probe"):
        exchange = next(recordings.exchanges(recordings.load(RECORDINGS, name)["create"]))
        assert_same(client, exchange)


def test_deleting_an_unscheduled_pod_is_immediate(client: RawClient) -> None:
    document = recordings.load(RECORDINGS, "pod-delete-pending")
    pod = {
        "metadata": {"name": "unsched", "labels": {"app": "unsched"}},
        "spec": {
            "terminationGracePeriodSeconds": 1,
            "nodeSelector": {"topology.kubernetes.io/zone": "nowhere-9"},
            "containers": [{"name": "c", "image": "x:1"}],
        },
    }
    client.send("POST", "/api/v1/namespaces/rec/pods", pod)
    status, _, body = client.replay(document["delete"])
    real = document["delete"]["response"]["body"]["metadata"]
    fields = ("deletionGracePeriodSeconds", "generation")
    assert status == 200
    assert [body["metadata"][key] for key in fields] == [real[key] for key in fields]
    assert_same(client, document["get"])


def test_the_recordings_are_found_beside_the_checkout() -> None:
    assert os.access(RECORDINGS / "README.md", os.R_OK)


def test_pods_that_the_namespace_forbids_are_refused(client: RawClient) -> None:
    labels = {f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "warn")}
    patch = {"Content-Type": "application/merge-patch+json"}
    body = {"metadata": {"labels": labels}}
    assert client.send("PATCH", "/api/v1/namespaces/recps", body, patch)[0] == 200
    found = list(recordings.exchanges(recordings.load(RECORDINGS, "podsecurity-restricted")))
    for exchange in (item for item in found if item["request"]["path"].endswith("/pods")):
        assert_same(client, exchange)
    (deployment,) = (item for item in found if item["request"]["path"].endswith("/deployments"))
    status, headers, _ = client.replay(deployment)
    recorded = {name.lower(): value for name, value in deployment["response"]["headers"]}
    assert (status, headers["warning"]) == (201, recorded["warning"])


def test_a_namespace_may_enforce_one_level_and_warn_about_another(client: RawClient) -> None:
    labels = {
        "pod-security.kubernetes.io/enforce": "baseline",
        "pod-security.kubernetes.io/warn": "restricted",
    }
    body = {"metadata": {"name": "recpb", "labels": labels}}
    client.send("POST", "/api/v1/namespaces", body)
    found = recordings.exchanges(recordings.load(RECORDINGS, "podsecurity-baseline"))
    for exchange in (item for item in found if item["request"]["method"] == "POST"):
        if exchange["request"]["path"].endswith("/pods"):
            assert_same(client, exchange)
