"""Every recorded exec, attach and refusal, replayed frame by frame."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab import api_server, recordings
from tests.lab.api_server import RECORDINGS, TOKEN, ApiServer
from tests.lab.exec_recordings import Replay, recorded_frames, summary
from tests.lab.recordings import RawClient
from tests.lab.waiting import until

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recordings of a real API server beside the checkout"
)
_CASES = (
    "base64 binary both-streams client-close exit3 large notexecutable notfound sigkill silent "
    "stdin-cat stdin-textframe success"
)
_V5_CASES = (
    "badchannel binary both-streams client-close clientping close-stdout emptyframes exit3 idle35 "
    "large notexecutable notfound sigkill silent stdin-cat stdin-large stdin-textframe success tty"
)
_STREAMS = (
    *(f"exec-v4-{case}" for case in _CASES.split()),
    *(f"exec-v5-{case}" for case in _V5_CASES.split()),
    "exec-base64",
    "exec-both-offered",
    "exec-both-offered-reversed",
    "exec-channel-k8s-io",
    "exec-no-command",
    "exec-no-subprotocol",
    "exec-nocontainer-param",
)
_REFUSALS = (
    "exec-anonymous",
    "exec-bad-container",
    "exec-badtoken",
    "exec-completed-pod",
    "exec-imagepull-pod",
    "exec-no-pod",
    "exec-no-streams",
    "exec-pending-pod",
    "exec-two-containers-noparam",
    "exec-unknown-subprotocol",
)
_ENDS = ("exec-v4-pod-deleted", "exec-v5-pod-deleted", "exec-v5-pod-force-deleted")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    yield from api_server.start(tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="module")
def client(server: ApiServer) -> RawClient:
    found = RawClient("127.0.0.1", server.port, server.ca_file, TOKEN)
    for name in ("recx", "recs"):
        found.send("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    for name in ("x", "rst"):
        _create(found, name, {})
    _create(found, "two", {}, "c", "side")
    _create(found, "pend", {"nodeSelector": {"zone": "nowhere"}})
    for name, phase in (("fin", "Succeeded"), ("img", "Pending")):
        _create(found, name, {"nodeSelector": {"zone": "nowhere"}, "nodeName": "node-0"})
        found.send(
            "PATCH",
            f"/api/v1/namespaces/recx/pods/{name}/status",
            {"status": {"phase": phase}},
            {"Content-Type": "application/merge-patch+json"},
        )
    return found


def _create(client: RawClient, name: str, spec: dict[str, Any], *containers: str) -> None:
    listed = [{"name": one, "image": "x:1"} for one in containers or ("c",)]
    pod = {"metadata": {"name": name}, "spec": {"containers": listed, **spec}}
    status, _, body = client.send("POST", "/api/v1/namespaces/recx/pods", pod)
    assert status == 201, body


def _load(name: str) -> dict[str, Any]:
    found: dict[str, Any] = recordings.load(RECORDINGS, name)
    return found


def _path(document: dict[str, Any]) -> str:
    found: str = document["handshake_request"][0].split(" ")[1]
    return found


def _open(
    server: ApiServer, document: dict[str, Any], *, token: str = TOKEN, path: str = ""
) -> Replay:
    return Replay(server.port, server.ca_file, document, token=token, path=path)


def _handshake(document: dict[str, Any]) -> tuple[str, dict[str, str]]:
    status, *lines = document["handshake_response"]
    pairs = (line.partition(":") for line in lines)
    headers = {name.lower(): value.strip() for name, _, value in pairs}
    for name in ("audit-id", "date", "sec-websocket-accept"):
        headers.pop(name, None)
    return status, headers


@pytest.mark.parametrize("name", _STREAMS)
def test_streams_are_those_of_a_real_api_server(
    server: ApiServer, client: RawClient, name: str
) -> None:
    document = _load(name)
    # What is silent for 35 seconds is silent for a moment as well.
    stream = _open(server, document, path=_path(document).replace("=35", "=0.5"))
    try:
        assert (stream.status, stream.headers) == _handshake(document)
        frames = stream.run(document)
    finally:
        stream.close()
    assert summary(frames) == summary(recorded_frames(document))


@pytest.mark.parametrize("name", _REFUSALS)
def test_refusals_are_those_of_a_real_api_server(
    server: ApiServer, client: RawClient, name: str
) -> None:
    document = _load(name)
    stream = _open(server, document, token="" if name == "exec-anonymous" else TOKEN)
    stream.close()
    _assert_refused(stream, document)


def _assert_refused(stream: Replay, document: dict[str, Any]) -> None:
    status, headers = _handshake(document)
    body = document["handshake_body"]
    if not body:
        stream.headers.pop("content-length", None)  # 0 here, left out there
    assert (stream.status, stream.headers) == (status, headers)
    assert (json.loads(stream.body) if isinstance(body, dict) else stream.body) == body


def _account(client: RawClient, namespace: str, name: str, verbs: list[str]) -> str:
    """The token of a new account that has these verbs on pods/exec."""
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    rbac = f"/apis/rbac.authorization.k8s.io/v1/namespaces/{namespace}"
    client.send("POST", accounts, {"metadata": {"name": name}})
    rules = [{"apiGroups": [""], "resources": ["pods/exec"], "verbs": verbs}]
    client.send("POST", f"{rbac}/roles", {"metadata": {"name": name}, "rules": rules})
    binding = {
        "metadata": {"name": name},
        "roleRef": {"kind": "Role", "name": name},
        "subjects": [{"kind": "ServiceAccount", "name": name, "namespace": namespace}],
    }
    client.send("POST", f"{rbac}/rolebindings", binding)
    answer = client.send("POST", f"{accounts}/{name}/token", {"spec": {}})[2]
    return str(answer["status"]["token"])


def test_exec_needs_get_and_create_over_both_protocols(
    server: ApiServer, client: RawClient
) -> None:
    client.send("POST", "/api/v1/namespaces", {"metadata": {"name": "recr"}})
    pod = {"metadata": {"name": "x"}, "spec": {"containers": [{"name": "c", "image": "x:1"}]}}
    client.send("POST", "/api/v1/namespaces/recr/pods", pod)
    accounts = {"get-only": ["get"], "create-only": ["create"], "get-create": ["get", "create"]}
    tokens = {name: _account(client, "recr", name, verbs) for name, verbs in accounts.items()}
    for title, document in _load("exec-rbac-verbs").items():
        stream = _open(server, document, token=tokens[title.split(" ")[0]])
        if document["received_frames"]:
            assert summary(stream.run(document)) == summary(recorded_frames(document))
        else:
            _assert_refused(stream, document)
        stream.close()


def test_a_process_outlives_its_client(
    server: ApiServer, client: RawClient, tmp_path: Path
) -> None:
    document = _load("exec-process-after-disconnect")
    place = str(tmp_path / "pid").replace("/", "%2F")

    def path(part: str) -> str:
        return _path(document[part]).replace("%2Ftmp%2Fpid", place)

    first = _open(server, document["first"], path=path("first"))
    until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().strip())
    first.close()
    for part in ("after_1.5s", "after_8s"):
        stream = _open(server, document[part], path=path(part))
        frames = stream.run(document[part])
        stream.close()
        assert summary(frames) == summary(recorded_frames(document[part]))


def test_an_account_without_rights_is_refused(server: ApiServer, client: RawClient) -> None:
    token = _account(client, "recs", "lim", [])
    stream = _open(server, _load("exec-403"), token=token)
    stream.close()
    _assert_refused(stream, _load("exec-403"))


@pytest.mark.parametrize("name", _ENDS)
def test_a_deleted_pod_ends_its_stream(server: ApiServer, client: RawClient, name: str) -> None:
    document = _load(name)
    pod = _path(document).split("/")[6]
    _create(client, pod, {})
    stream = _open(server, document)
    stream.read_output(b"started\n")
    query = "?gracePeriodSeconds=0" if "force" in name else ""
    assert client.send("DELETE", f"/api/v1/namespaces/recx/pods/{pod}{query}")[0] == 200
    stream.read_to_end()
    stream.close()
    assert summary(stream.frames) == summary(recorded_frames(document))


def test_the_end_of_a_container_ends_its_stream(server: ApiServer, client: RawClient) -> None:
    document = _load("exec-v5-container-exits")
    stream = _open(server, document)
    stream.read_output(b"started\n")
    server.loop.call_soon_threadsafe(server.kubelet.kill, "recx", "rst")
    stream.read_to_end()
    stream.close()
    assert summary(stream.frames) == summary(recorded_frames(document))


@pytest.mark.parametrize("program", ["echo hi", "bash -c echo%20hi"])
@pytest.mark.parametrize("tty", ["false", "true"])
def test_no_output_is_lost_over_version_5(
    server: ApiServer, client: RawClient, program: str, tty: str
) -> None:
    command = "&".join(f"command={part}" for part in program.split(" "))
    document = _load("exec-v5-success")
    stderr = "false" if tty == "true" else "true"
    query = f"{command}&container=c&stdout=true&stderr={stderr}&tty={tty}"
    for _ in range(10):
        stream = _open(server, document, path=f"/api/v1/namespaces/recx/pods/x/exec?{query}")
        stream.read_to_end()
        stream.close()
        output = summary(stream.frames)["channel 1"]
        assert output in (b"hi\n", b"hi\r\n")


def test_a_terminal_over_version_4_has_the_recorded_form(
    server: ApiServer, client: RawClient
) -> None:
    """The real one loses its output more often than not; that is a fault, which is not repeated."""
    document = _load("exec-v4-tty")
    stream = _open(server, document)
    assert (stream.status, stream.headers) == _handshake(document)
    found = summary(stream.run(document))
    stream.close()
    real = summary(recorded_frames(document))
    assert found.pop("channel 1") == b"hi\r\n/dev/pts/N\r\n"
    assert real.pop("channel 1") == b""
    assert found == real


def test_an_attach_is_silent_while_the_container_is(server: ApiServer, client: RawClient) -> None:
    document = _load("attach-v5")
    server.kubelet.attached = ("sleep", "5")
    stream = _open(server, document)
    assert (stream.status, stream.headers) == _handshake(document)
    frames = stream.run(document)
    stream.close()
    assert summary(frames) == summary(recorded_frames(document))
