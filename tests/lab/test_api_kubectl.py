"""An unmodified kubectl works against the API."""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.lab import api_server
from tests.lab.api_server import ApiServer
from tests.lab.waiting import until

pytestmark = pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")

Kubectl = Callable[..., str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    yield from api_server.start(tmp_path_factory.mktemp("api"))


@pytest.fixture
def kubectl(server: ApiServer, tmp_path: Path) -> Kubectl:
    """Run kubectl; returns stdout; `code` is the exit status that is expected."""
    environment = {**os.environ, "KUBECONFIG": str(server.kubeconfig), "HOME": str(tmp_path)}

    def run(*arguments: str, stdin: str = "", code: int = 0) -> str:
        found = subprocess.run(
            ["kubectl", *arguments],
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert found.returncode == code, found.stderr
        return found.stdout if code == 0 else found.stderr

    return run


_LIMITS = """
apiVersion: v1
kind: LimitRange
metadata:
  name: few
spec:
  limits:
  - type: Pod
    max: {cpu: 64}
"""


def _pod(name: str, labels: str = "app: web") -> str:
    return f"""
apiVersion: v1
kind: Pod
metadata:
  name: {name}
  labels: {{{labels}}}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - name: c
    image: nicolaka/netshoot:v0.13
    command: [sleep, infinity]
    ports: [{{containerPort: 80}}]
"""


@pytest.fixture
def pod(kubectl: Kubectl, request: pytest.FixtureRequest) -> Iterator[str]:
    name = request.node.name.replace("_", "-")[:50]
    kubectl("create", "-f", "-", stdin=_pod(name))
    kubectl("wait", "--for=condition=Ready", f"pod/{name}", "--timeout=10s")
    yield name
    kubectl("delete", "pod", name, "--ignore-not-found", "--wait=false")


def test_version_and_discovery(kubectl: Kubectl, server: ApiServer) -> None:
    assert server.spec.kubernetes_version in kubectl("version")
    names = kubectl("api-resources", "--no-headers", "-o", "name").split()
    assert {"pods", "networkpolicies.networking.k8s.io", "leases.coordination.k8s.io"} <= set(names)


def test_get_in_all_formats(kubectl: Kubectl, pod: str) -> None:
    wide = kubectl("get", "pods", "-o", "wide")
    assert wide.splitlines()[0].split()[:5] == ["NAME", "READY", "STATUS", "RESTARTS", "AGE"]
    line = next(line for line in wide.splitlines() if line.startswith(pod))
    assert line.split()[1:3] == ["1/1", "Running"]
    assert json.loads(kubectl("get", "pod", pod, "-o", "json"))["kind"] == "Pod"
    assert "kind: Pod" in kubectl("get", "pod", pod, "-o", "yaml")
    assert kubectl("get", "pod", pod, "-o", "jsonpath={.status.podIP}") == "10.244.0.9"
    assert f"pod/{pod}" in kubectl("get", "pods", "-l", "app in (web)", "-o", "name")
    assert kubectl("get", "pods", "-l", "app!=web", "-o", "name") == ""
    assert "node-0" in kubectl("get", "nodes", "-o", "wide")


def test_get_shows_quotas_and_limits(kubectl: Kubectl) -> None:
    kubectl("create", "quota", "q", "--hard=services=4,limits.cpu=2,requests.memory=1Gi")
    until(lambda: "services" in kubectl("get", "quota"))
    head, row = kubectl("get", "quota").splitlines()
    assert re.split(" {2,}", head.strip()) == ["NAME", "REQUEST", "LIMIT", "AGE"]
    name, request, limit, age = re.split(" {2,}", row)
    assert (name, limit) == ("q", "limits.cpu: 0/2")
    assert re.fullmatch("requests.memory: 0/1Gi, services: [01]/4", request)
    assert re.fullmatch("[0-9]+s", age)
    kubectl("delete", "quota", "q")
    kubectl("create", "-f", "-", stdin=_LIMITS)
    head, row = kubectl("get", "limits").splitlines()
    assert head.split() == ["NAME", "CREATED", "AT"]
    created = kubectl("get", "limits", "few", "-o", "jsonpath={.metadata.creationTimestamp}")
    assert row.split() == ["few", created]
    kubectl("delete", "limits", "few")


def test_describe_shows_pod_and_node(kubectl: Kubectl, pod: str) -> None:
    assert "Ready             True" in kubectl("describe", "pod", pod)
    assert "InternalIP:  10.224.0.4" in kubectl("describe", "node", "node-0")


def test_apply_creates_leaves_alone_and_changes(kubectl: Kubectl) -> None:
    assert "created" in kubectl("apply", "-f", "-", stdin=_pod("applied"))
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=_pod("applied"))
    changed = _pod("applied", 'app: web, tier: "1"')
    assert "configured" in kubectl("apply", "-f", "-", stdin=changed)
    assert "configured" in kubectl("apply", "-f", "-", stdin=_pod("applied"))
    assert kubectl("get", "pod", "applied", "-o", "jsonpath={.metadata.labels}") == '{"app":"web"}'
    assert 'pod "applied" deleted' in kubectl("delete", "pod", "applied")


def test_server_side_apply_and_its_conflicts(kubectl: Kubectl) -> None:
    first = _pod("ssa", 'app: web, tier: "1"')
    second = _pod("ssa", 'app: web, tier: "2"')
    apply = ("apply", "--server-side", "-f", "-", "--field-manager")
    assert "serverside-applied" in kubectl(*apply, "one", stdin=first)
    refused = kubectl(*apply, "two", stdin=second, code=1)
    assert 'conflict with "one": .metadata.labels.tier' in refused
    kubectl(*apply, "two", "--force-conflicts", stdin=second)
    assert kubectl("get", "pod", "ssa", "-o", "jsonpath={.metadata.labels.tier}") == "2"
    kubectl("delete", "pod", "ssa")


def test_unknown_fields_are_refused_by_the_server(kubectl: Kubectl) -> None:
    text = _pod("odd") + "  colour: red\n"
    assert 'unknown field "spec.colour"' in kubectl("create", "-f", "-", stdin=text, code=1)


def test_exec_carries_output_input_and_exit_codes(kubectl: Kubectl, pod: str) -> None:
    assert kubectl("exec", pod, "--", "echo", "hi") == "hi\n"
    assert kubectl("exec", "-i", pod, "--", "cat", stdin="hello\n") == "hello\n"
    assert "exit code 3" in kubectl("exec", pod, "--", "sh", "-c", "exit 3", code=3)
    assert "no such file" in kubectl("exec", pod, "--", "/no/such", code=1)


def test_files_are_copied(kubectl: Kubectl, pod: str, tmp_path: Path) -> None:
    (tmp_path / "here").write_text("content")
    kubectl("cp", str(tmp_path / "here"), f"{pod}:{tmp_path}/there")
    assert (tmp_path / "there").read_text() == "content"


def test_logs_follow(kubectl: Kubectl, pod: str) -> None:
    assert kubectl("logs", "-f", pod, "--tail=2") == "line 2\nline 3\n"


def test_labels_annotations_and_patches(kubectl: Kubectl, pod: str) -> None:
    kubectl("label", "pod", pod, "one=1")
    kubectl("annotate", "pod", pod, "two=2")
    kubectl("patch", "pod", pod, "-p", '{"metadata":{"labels":{"three":"3"}}}')
    operations = '[{"op":"add","path":"/metadata/labels/four","value":"4"}]'
    kubectl("patch", "pod", pod, "--type=json", "-p", operations)
    labels = kubectl("get", "pod", pod, "-o", "jsonpath={.metadata.labels}")
    assert json.loads(labels) == {"app": "web", "one": "1", "three": "3", "four": "4"}


def test_run_and_expose(kubectl: Kubectl) -> None:
    kubectl("run", "ran", "--image=nicolaka/netshoot:v0.13", "--restart=Never", "--", "sleep", "9")
    kubectl("expose", "pod", "ran", "--port=80", "--name=ransvc")
    assert kubectl("get", "svc", "ransvc", "-o", "jsonpath={.spec.type}") == "ClusterIP"
    kubectl("delete", "pod/ran", "service/ransvc")


def test_a_watch_sees_the_end_of_a_pod(server: ApiServer, kubectl: Kubectl, pod: str) -> None:
    environment = {**os.environ, "KUBECONFIG": str(server.kubeconfig)}
    command = ["kubectl", "get", "pod", pod, "-w", "--output-watch-events"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as watch:
        assert watch.stdout is not None
        assert watch.stdout.readline().startswith("EVENT")
        assert watch.stdout.readline().startswith("ADDED")
        kubectl("delete", "pod", pod, "--wait=false")
        seen = iter(lambda: str(watch.stdout and watch.stdout.readline()).split()[0], "DELETED")
        assert set(seen) == {"MODIFIED"}
        watch.terminate()


def test_scale_cordon_and_explain(kubectl: Kubectl) -> None:
    deployment = """
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: d}}
  template:
    metadata: {labels: {app: d}}
    spec: {containers: [{name: c, image: "x:1"}]}
"""
    kubectl("apply", "-f", "-", stdin=deployment)
    kubectl("scale", "deployment/web", "--replicas=3")
    assert kubectl("get", "deploy", "web", "-o", "jsonpath={.spec.replicas}") == "3"
    kubectl("delete", "deployment", "web")
    kubectl("cordon", "node-0")
    assert "SchedulingDisabled" in kubectl("get", "nodes")
    kubectl("uncordon", "node-0")
    assert "policyTypes" in kubectl("explain", "networkpolicy.spec")


def test_a_namespace_is_deleted_with_its_content(kubectl: Kubectl) -> None:
    namespace = "apiVersion: v1\nkind: Namespace\nmetadata: {name: temporary}\n"
    kubectl("apply", "-f", "-", stdin=namespace)
    kubectl("create", "-n", "temporary", "-f", "-", stdin=_pod("inside"))
    kubectl("delete", "namespace", "temporary", "--timeout=10s")
    assert "NotFound" in kubectl("get", "ns", "temporary", code=1)
