"""The end of namespaces: the recorded states, and what is said of one that cannot go."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import recordings
from tests.lab.api_server import RECORDINGS
from tests.lab.raw_api import RawApi
from tests.lab.recordings import RawClient, assert_same
from tests.lab.running_lab import RunningLab
from tests.lab.waiting import until

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recordings of a real API server beside the checkout"
)
_NAMESPACES = "/api/v1/namespaces"
_MERGE = {"Content-Type": "application/merge-patch+json"}
_FINALIZER = "example.com/keep"


@pytest.fixture
def api(lab: RunningLab, tmp_path: Path) -> RawApi:
    return RawApi(lab, tmp_path)


@pytest.fixture
def client(api: RawApi) -> RawClient:
    return api.with_token(api.token)


def _create(api: RawApi, name: str) -> str:
    """Create a namespace, wait for its contents: its version then."""
    assert api.send("POST", _NAMESPACES, {"metadata": {"name": name}})[0] == 201
    until(lambda: api.send("GET", f"{_NAMESPACES}/{name}/configmaps/kube-root-ca.crt")[0] == 200)
    return str(api.send("GET", f"{_NAMESPACES}/{name}")[2]["metadata"]["resourceVersion"])


def _to_end(api: RawApi, name: str, version: str) -> Iterator[dict[str, Any]]:
    query = f"watch=1&fieldSelector=metadata.name%3D{name}&resourceVersion={version}"
    with api.watch(f"{_NAMESPACES}?{query}&timeoutSeconds=10") as events:
        for event in events:
            yield event
            if event["type"] == "DELETED":
                return


def _step(event: dict[str, Any]) -> tuple[object, ...]:
    value = event["object"]
    conditions = [
        (item["type"], item["status"], item["reason"], item["message"])
        for item in value["status"].get("conditions", [])
    ]
    return event["type"], value["spec"], value["status"]["phase"], conditions


def test_an_empty_namespace_goes_as_recorded(api: RawApi, client: RawClient) -> None:
    document = recordings.load(RECORDINGS, "namespace-delete-empty")
    version = _create(api, "rec-empty")
    assert_same(client, document["delete"])
    real = [_step(item["event"]) for item in document["watch"]["events"]]
    assert [_step(event) for event in _to_end(api, "rec-empty", version)] == real[1:]


def test_a_terminating_namespace_takes_nothing_new(api: RawApi, client: RawClient) -> None:
    document = recordings.load(RECORDINGS, "namespace-lifecycle")
    assert_same(client, document["create"])
    until(lambda: api.send("GET", f"{_NAMESPACES}/rec-ns/serviceaccounts/default")[0] == 200)
    kept = {"metadata": {"name": "kept", "finalizers": [_FINALIZER]}}
    assert api.send("POST", f"{_NAMESPACES}/rec-ns/configmaps", kept)[0] == 201
    assert_same(client, document["delete"])
    assert_same(client, document["during_termination"][0])
    _free(api, "rec-ns")
    assert_same(client, document["after"])


def _free(api: RawApi, name: str) -> None:
    patch = {"metadata": {"finalizers": None}}
    path = f"{_NAMESPACES}/{name}/configmaps/kept"
    assert api.send("PATCH", path, patch, _MERGE)[0] == 200
    until(lambda: api.send("GET", f"{_NAMESPACES}/{name}")[0] == 404)


def test_a_finalizer_keeps_a_namespace_and_is_named(api: RawApi) -> None:
    _create(api, "stuck")
    kept = {"metadata": {"name": "kept", "finalizers": [_FINALIZER]}}
    api.send("POST", f"{_NAMESPACES}/stuck/configmaps", kept)
    api.send("DELETE", f"{_NAMESPACES}/stuck")

    def condition(kind: str) -> dict[str, Any]:
        value = api.send("GET", f"{_NAMESPACES}/stuck")[2]
        found = value["status"].get("conditions", [])
        return next((item for item in found if item["type"] == kind), {})

    until(lambda: condition("NamespaceFinalizersRemaining"))
    until(
        lambda: condition("NamespaceContentRemaining")["message"].endswith(
            "has 1 resource instances"
        )
    )
    remaining = condition("NamespaceContentRemaining")
    assert (remaining["status"], remaining["reason"], remaining["message"]) == (
        "True",
        "SomeResourcesRemain",
        "Some resources are remaining: configmaps. has 1 resource instances",
    )
    finalizers = condition("NamespaceFinalizersRemaining")
    assert (finalizers["status"], finalizers["reason"], finalizers["message"]) == (
        "True",
        "SomeFinalizersRemain",
        "Some content in the namespace has finalizers remaining: "
        f"{_FINALIZER} in 1 resource instances",
    )
    assert api.send("GET", f"{_NAMESPACES}/stuck")[2]["status"]["phase"] == "Terminating"
    _free(api, "stuck")
