"""kubectl's own kinds come as protocol buffers; what is stored is what their JSON would store."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import api_server
from tests.lab.api_server import TOKEN, ApiServer
from tests.lab.recordings import RawClient

_NEEDS_KUBECTL = pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
_PROTOBUF = {"Content-Type": "application/vnd.kubernetes.protobuf"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    yield from api_server.start(tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(tmp_path_factory.mktemp("home"))


def _kubectl(server: ApiServer, home: str, *arguments: str, stdin: str = "") -> str:
    ended = subprocess.run(
        ["kubectl", *arguments],
        env={**os.environ, "KUBECONFIG": str(server.kubeconfig), "HOME": home},
        input=stdin,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def _stored(server: ApiServer, home: str, *arguments: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(_kubectl(server, home, "get", *arguments, "-o", "json"))
    for field in ("uid", "resourceVersion", "creationTimestamp", "managedFields"):
        found["metadata"].pop(field, None)
    found.pop("status", None)
    return found


@_NEEDS_KUBECTL
@pytest.mark.parametrize(
    ("kind", "command"),
    [
        ("configmap", "create configmap it --from-literal=a=b --from-literal=c="),
        pytest.param(
            "secret",
            "create secret generic it --from-literal=password=s3cret",
            marks=pytest.mark.thorough,
        ),
        (
            "deployment",
            "create deployment it --image=nicolaka/netshoot:v0.13 --replicas=0 -- sleep 1",
        ),
        pytest.param("serviceaccount", "create sa it", marks=pytest.mark.thorough),
        ("role", "create role it --verb=get,list --resource=pods,pods/exec --resource-name=x"),
        pytest.param(
            "rolebinding",
            "create rolebinding it --role=it --serviceaccount=default:it",
            marks=pytest.mark.thorough,
        ),
        pytest.param(
            "resourcequota",
            "create quota it --hard=pods=3,requests.cpu=1500m --scopes=Terminating",
            marks=pytest.mark.thorough,
        ),
        ("poddisruptionbudget", "create pdb it --selector=app=web --max-unavailable=0"),
    ],
)
def test_a_created_object_is_that_of_its_json_form(
    server: ApiServer, home: str, kind: str, command: str
) -> None:
    words = command.split(" ")
    at = words.index("--") if "--" in words else len(words)
    printed = [*words[:at], "--dry-run=client", "-o", "json", *words[at:]]
    form = _kubectl(server, home, *printed)
    _kubectl(server, home, *words)
    sent = _stored(server, home, kind, "it")
    _kubectl(server, home, "delete", kind, "it", "--wait=false")
    _kubectl(server, home, "create", "-f", "-", stdin=form)
    assert _stored(server, home, kind, "it") == sent
    _kubectl(server, home, "delete", kind, "it", "--wait=false")


@_NEEDS_KUBECTL
def test_questions_and_tokens_are_understood(server: ApiServer, home: str) -> None:
    _kubectl(server, home, "create", "namespace", "other")
    assert _kubectl(server, home, "auth", "can-i", "create", "pods/exec", "-n", "other") == "yes\n"
    assert "aksnet-lab-admin" in _kubectl(server, home, "auth", "whoami")
    _kubectl(server, home, "create", "sa", "asker", "-n", "other")
    token = _kubectl(server, home, "create", "token", "asker", "-n", "other", "--duration=10m")
    asked = ["auth", "can-i", "list", "nodes", f"--token={token.strip()}"]
    ended = subprocess.run(
        ["kubectl", f"--server={server.url}", "--insecure-skip-tls-verify", *asked],
        env={**os.environ, "KUBECONFIG": "/dev/null", "HOME": home},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (ended.returncode, ended.stdout.splitlines()[-1]) == (1, "no"), ended.stderr


@pytest.mark.parametrize(
    "body",
    ["{}", "k8s\0\x0a\x7f", "k8s\0\x0a\x09\x0a\x02v1\x12\x03Pod\x12\x02\x0a\x7f"],
    ids=["JSON", "cut short", "an object cut short"],
)
def test_what_is_no_message_is_refused(server: ApiServer, body: str) -> None:
    client = RawClient("127.0.0.1", server.port, server.ca_file, TOKEN)
    path = "/api/v1/namespaces/default/pods"
    status, _, answer = client.send("POST", path, body, _PROTOBUF)
    assert (status, answer["reason"]) == (400, "BadRequest")
    assert "does not appear to be a protobuf message" in answer["message"]


def test_an_unknown_kind_is_named(server: ApiServer) -> None:
    client = RawClient("127.0.0.1", server.port, server.ca_file, TOKEN)
    body = "k8s\0\x0a\x0a\x0a\x02v1\x12\x04Nope"
    status, _, answer = client.send("POST", "/api/v1/namespaces", body, _PROTOBUF)
    assert (status, answer["message"].startswith('no kind "Nope" is registered')) == (400, True)
