"""The lives of pods: the states that a real kubelet wrote, in the same order."""

import json
import re
import time
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests.lab import recordings
from tests.lab.api_server import RECORDINGS
from tests.lab.raw_api import PATIENCE_S, RawApi
from tests.lab.recordings import RawClient
from tests.lab.running_lab import RunningLab
from tests.lab.waiting import until

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recordings of a real API server beside the checkout"
)
_NAMESPACE = "/api/v1/namespaces/rec"
_PODS = f"{_NAMESPACE}/pods"
_LIVES = (
    "pod-bad-command",
    "pod-crash",
    "pod-create-ready",
    "pod-done",
    "pod-fail",
    "pod-imagepull",
    "pod-imagepull-never",
    "pod-unschedulable",
)
Step = tuple[object, ...]


@pytest.fixture(scope="module")
def api(lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawApi]:
    found = RawApi(lab, tmp_path_factory.mktemp("api"))
    found.send("POST", "/api/v1/namespaces", {"metadata": {"name": "rec"}})
    until(lambda: found.send("GET", f"{_NAMESPACE}/serviceaccounts/default")[0] == 200)
    _have_the_image(found)
    yield found
    found.send("DELETE", _NAMESPACE)
    until(lambda: found.send("GET", _NAMESPACE)[0] == 404)


def _have_the_image(api: RawApi) -> None:
    """Nothing was pulled for the recordings: every node had it."""
    nodes = [item["metadata"]["name"] for item in api.send("GET", "/api/v1/nodes")[2]["items"]]
    for node in nodes:
        container = {"name": "c", "image": "nicolaka/netshoot:latest", "command": ["true"]}
        spec = {"containers": [container], "nodeName": node, "restartPolicy": "Never"}
        api.send("POST", _PODS, {"metadata": {"name": f"on-{node}"}, "spec": spec})
    for node in nodes:
        path = f"{_PODS}/on-{node}"
        until(lambda path=path: api.send("GET", path)[2]["status"]["phase"] == "Succeeded")  # type: ignore[misc]


@pytest.fixture
def client(api: RawApi) -> RawClient:
    return api.with_token(api.token)


def _step(event: dict[str, Any]) -> Step:
    """What an event shows of a pod's life: without times, ids and addresses."""
    pod = event["object"]
    status = pod["status"]
    containers = []
    for item in status.get("containerStatuses", []):
        states = [
            {key: state[key] for key in ("reason", "message", "exitCode") if key in state}
            | {"kind": kind}
            for part in ("state", "lastState")
            for kind, state in (item.get(part) or {}).items()
        ]
        text = re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID", json.dumps(states))
        containers.append((text, item["restartCount"], item["ready"], item.get("started")))
    conditions = [
        (item["type"], item["status"], item.get("reason"), item.get("message"))
        for item in status.get("conditions", [])
    ]
    metadata = pod["metadata"]
    deletion = metadata.get("deletionGracePeriodSeconds"), metadata.get("generation")
    return event["type"], deletion, status["phase"], tuple(containers), tuple(conditions)


def _life(events: Sequence[dict[str, Any]]) -> list[Step]:
    """The steps without those that show nothing new."""
    steps: list[Step] = []
    for event in events:
        step = _step(event)
        if not steps or steps[-1] != step:
            steps.append(step)
    return steps


def _recorded(document: Any) -> list[Step]:
    return _life([item["event"] for item in document["watch"]["events"]])


def _version(api: RawApi) -> str:
    return str(api.send("GET", f"{_PODS}?limit=1")[2]["metadata"]["resourceVersion"])


def _lived(api: RawApi, name: str, version: str, wanted: int) -> list[Step]:
    """A pod's steps from a version on, as soon as there are so many."""
    query = f"watch=1&resourceVersion={version}&fieldSelector=metadata.name%3D{name}"
    events: list[dict[str, Any]] = []
    deadline = time.monotonic() + PATIENCE_S
    with api.watch(f"{_PODS}?{query}&timeoutSeconds={int(PATIENCE_S)}") as found:
        for event in found:
            events.append(event)
            if len(_life(events)) == wanted or time.monotonic() > deadline:
                break
    return _life(events)


@pytest.mark.parametrize("name", _LIVES)
def test_a_pod_lives_as_recorded(api: RawApi, client: RawClient, name: str) -> None:
    document = recordings.load(RECORDINGS, name)
    version = _version(api)
    status, _, pod = client.replay(document["create"])
    assert status == 201, pod
    real = _recorded(document)
    assert _lived(api, pod["metadata"]["name"], version, len(real)) == real
    events = document.get("events", {})
    if "response" in events:
        _assert_events(api, events, pod["metadata"]["name"])


def _assert_events(api: RawApi, exchange: dict[str, Any], name: str) -> None:
    """The events of a pod have the recorded reasons, types and texts, as far as they came yet."""
    ours = {(item["reason"], item["type"], _text(item)) for item in _events(api, name)}
    real = {
        (item["reason"], item["type"], _text(item))
        for item in exchange["response"]["body"]["items"]
    }
    assert ours <= real
    assert ours


def _events(api: RawApi, name: str) -> list[dict[str, Any]]:
    path = f"{_NAMESPACE}/events?fieldSelector=involvedObject.name%3D{name}"
    found: list[dict[str, Any]] = api.send("GET", path)[2]["items"]
    return found


def _text(event: dict[str, Any]) -> str:
    text = re.sub(r"aks-\w+-\w+-vmss\w+", "NODE", event["message"])
    return re.sub(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UID", text)


def test_an_invalid_image_name_is_reported_as_recorded(api: RawApi, client: RawClient) -> None:
    document = recordings.load(RECORDINGS, "pod-invalid-imagename")
    client.replay(document["create"])
    real = _step({"type": "", "object": document["get"]["response"]["body"]})

    def found() -> Step:
        return _step({"type": "", "object": api.send("GET", f"{_PODS}/badname")[2]})

    until(lambda: found()[3] == real[3])
    assert found() == real


def _log(api: RawApi, name: str) -> Any:
    return api.send("GET", f"{_PODS}/{name}/log")[2]


def test_a_pod_without_its_image_has_no_log_and_no_exec(api: RawApi) -> None:
    container = {"name": "c", "image": "registry.invalid/no/such:1"}
    pod = {"metadata": {"name": "img"}, "spec": {"containers": [container]}}
    api.send("POST", _PODS, pod)
    _, refused = recordings.exchanges(recordings.load(RECORDINGS, "log-notstarted"))
    texts = (refused["response"]["body"]["message"], "trying and failing to pull image")
    until(lambda: str(_log(api, "img")).endswith("}") and texts[1] in str(_log(api, "img")))
    document = recordings.load(RECORDINGS, "exec-imagepull-pod")
    stream = api.exec("rec", "img", "echo", "hi")
    stream.close()
    assert (stream.status, stream.body.decode()) == (500, document["handshake_body"])


def test_an_exec_in_a_finished_pod_is_refused_as_recorded(api: RawApi) -> None:
    container = {"name": "c", "image": "nicolaka/netshoot:v0.13", "command": ["true"]}
    spec = {"containers": [container], "restartPolicy": "Never"}
    api.send("POST", _PODS, {"metadata": {"name": "fin"}, "spec": spec})
    until(lambda: api.send("GET", f"{_PODS}/fin")[2]["status"]["phase"] == "Succeeded")
    document = recordings.load(RECORDINGS, "exec-completed-pod")
    stream = api.exec("rec", "fin", "echo", "hi")
    stream.close()
    assert (stream.status, stream.body.decode()) == (500, document["handshake_body"])


def test_an_exec_while_a_pod_starts_is_refused_until_it_runs(api: RawApi) -> None:
    (_, early), (_, late) = recordings.load(RECORDINGS, "exec-while-starting")
    container = {"name": "c", "image": "nicolaka/netshoot:v0.13", "command": ["sleep", "60"]}
    pod = {"metadata": {"name": "early"}, "spec": {"containers": [container]}}
    api.send("POST", _PODS, pod)
    seen: list[tuple[int, str]] = []
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline and (not seen or seen[-1][0] != 101):
        stream = api.exec("rec", "early", "echo", "ok")
        seen.append((stream.status, stream.body.decode()))
        stream.close()
    assert seen[-1] == (int(late[0].split(" ")[1]), "")
    unscheduled = (400, "pod early does not have a host assigned")
    for status, body in seen[:-1]:
        text = json.loads(body)["message"] if body.startswith("{") else body
        assert (status, text) in (unscheduled, (int(early[0].split(" ")[1]), early[1]))


@pytest.mark.parametrize(
    "name",
    [
        "pod-delete-p1",
        "pod-delete-force",
        pytest.param("pod-delete-stubborn", marks=pytest.mark.thorough),
    ],
)
def test_a_pod_is_deleted_as_recorded(api: RawApi, client: RawClient, name: str) -> None:
    document = recordings.load(RECORDINGS, name)
    first = document["watch"]["events"][0]["event"]["object"]
    pod_name = first["metadata"]["name"]
    api.send("DELETE", f"{_PODS}/{pod_name}")
    until(lambda: api.send("GET", f"{_PODS}/{pod_name}")[0] == 404)
    spec = first["spec"]
    fields = ("name", "image", "imagePullPolicy", "command")
    container = {field: spec["containers"][0][field] for field in fields}
    grace = spec["terminationGracePeriodSeconds"]
    body = {
        "metadata": {"name": pod_name},
        "spec": {"containers": [container], "terminationGracePeriodSeconds": grace},
    }
    assert api.send("POST", _PODS, body)[0] == 201
    real = _recorded(document)
    until(lambda: api.send("GET", f"{_PODS}/{pod_name}")[2]["status"]["phase"] == "Running")
    version = _version(api)
    for part in ("delete", "second_delete"):
        if part in document:
            status, _, answer = client.replay(document[part])
            if part == "second_delete" and status == 404:
                break  # the lab's pods may be quicker than the second request
            wanted = document[part]["response"]
            assert status == wanted["status"]
            assert answer["status"]["phase"] == wanted["body"]["status"]["phase"]
            for field in ("deletionGracePeriodSeconds", "generation"):
                assert answer["metadata"][field] == wanted["body"]["metadata"][field]
    assert _lived(api, pod_name, version, len(real) - 1) == real[1:]


def test_a_pod_without_room_is_reported_as_recorded(api: RawApi, client: RawClient) -> None:
    document = recordings.load(RECORDINGS, "pod-unschedulable-cpu")
    client.replay(document["create"])
    real = document["get"]["response"]["body"]
    name = real["metadata"]["name"]
    until(lambda: api.send("GET", f"{_PODS}/{name}")[2]["status"].get("conditions"))
    found = api.send("GET", f"{_PODS}/{name}")[2]
    assert _step({"type": "", "object": found}) == _step({"type": "", "object": real})
    until(lambda: _events(api, name))
    _assert_events(api, document["events"], name)


def test_a_log_is_followed_with_times(api: RawApi) -> None:
    document = recordings.load(RECORDINGS, "log-follow")
    script = "for i in 1 2 3 4 5; do echo line $i; sleep 0.05; done; echo err >&2"
    command = ["bash", "-c", script]
    container = {"name": "c", "image": "nicolaka/netshoot:v0.13", "command": command}
    spec = {"containers": [container], "restartPolicy": "Never"}
    api.send("POST", _PODS, {"metadata": {"name": "lg"}, "spec": spec})
    until(lambda: "container" not in str(_log(api, "lg")))
    status, headers, text = api.send("GET", f"{_PODS}/lg/log?follow=true&timestamps=true")
    real_headers = {name.lower(): value for name, value in document["headers"]}
    assert status == document["status"]
    assert headers["content-type"] == real_headers["content-type"]
    real = "".join(chunk["text"] for chunk in document["chunks"])
    form = re.compile(r"(?m)^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z ")
    assert form.sub("T ", text) == form.sub("T ", real)


def test_a_load_balancer_gets_its_address_in_the_recorded_form(api: RawApi) -> None:
    document = recordings.load(RECORDINGS, "service-loadbalancer")
    real = document["events"] if "events" in document else document["watch"]["events"]
    before, after = (item["event"]["object"] for item in real)
    spec = {"type": "LoadBalancer", "selector": {"app": "web"}, "ports": [{"port": 80}]}
    path = f"{_NAMESPACE}/services"
    created = api.send("POST", path, {"metadata": {"name": "lb"}, "spec": spec})[2]
    assert created["status"] == before["status"]
    assert created["spec"].keys() == before["spec"].keys()

    def ingress() -> list[dict[str, str]]:
        found: list[dict[str, str]] = api.send("GET", f"{path}/lb")[2]["status"][
            "loadBalancer"
        ].get("ingress", [])
        return found

    until(ingress)
    (ours,), (wanted,) = ingress(), after["status"]["loadBalancer"]["ingress"]
    assert ours.keys() == wanted.keys()
    assert ours["ipMode"] == wanted["ipMode"]
