"""How what a run made goes away in a cluster: although it is stuck, has ended, or is elsewhere."""

import dataclasses
import json
import time
from collections.abc import Callable, Iterator

import pytest

from pytest_aksnet.cluster.connect import Cluster, connect
from pytest_aksnet.cluster.nodes import read_nodes
from pytest_aksnet.cluster.probe_pod_manifest import ProbePodRequest, Readiness
from pytest_aksnet.cluster.probe_pods import start_pods
from pytest_aksnet.cluster.scope import RunScope
from pytest_aksnet.cluster.stale import cleanup_stale
from tests.lab.raw_api import RawApi
from tests.lab.running_lab import RunningLab

PATIENCE_S = 30.0
MERGE = {"Content-Type": "application/merge-patch+json"}


@pytest.fixture
def cluster(lab: RunningLab) -> Iterator[Cluster]:
    connected = connect(str(lab.kubeconfig), None)
    yield connected
    connected.close()


@pytest.fixture
def elsewhere(api: RawApi) -> Iterator[str]:
    """A namespace of others."""
    name = "of-others"
    assert api.send("POST", "/api/v1/namespaces", body={"metadata": {"name": name}})[0] == 201
    yield name
    api.send("DELETE", f"/api/v1/namespaces/{name}")


def until(true: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_a_namespace_that_a_finalizer_holds_is_named_with_the_controllers_reason(
    api: RawApi, cluster: Cluster
) -> None:
    scope = RunScope(cluster, host_network=False)
    stuck, free = scope.namespace(), scope.new_namespace()
    path = f"/api/v1/namespaces/{stuck}/configmaps"
    held = {"metadata": {"name": "held", "finalizers": ["example.com/hold"]}}
    assert api.send("POST", path, body=held)[0] == 201
    closed = scope.close(timeout_s=3)
    assert closed.removed == (free,)
    assert "still there after 3 s" in closed.left[stuck]
    assert "example.com/hold" in closed.left[stuck]
    release = json.dumps({"metadata": {"finalizers": None}})
    assert api.send("PATCH", f"{path}/held", body=release, headers=MERGE)[0] == 200
    assert scope.close().left == {}


def test_a_pod_ends_by_itself_and_is_swept_although_it_has_ended(
    api: RawApi, cluster: Cluster, elsewhere: str
) -> None:
    scope = RunScope(cluster, host_network=False)
    request = ProbePodRequest(
        namespace=elsewhere,
        name=scope.unique_name("ends"),
        node=read_nodes(cluster).taking_part[0].name,
        image="nicolaka/netshoot:v0.13",
        command=lambda port: ["sleep", "infinity"],
        labels=scope.labels(),
        annotations=scope.annotations(),
        readiness=Readiness.RUNNING,
        lifetime_s=3,
    )
    living = dataclasses.replace(request, name=scope.unique_name("lives"), lifetime_s=3600)
    pods = start_pods(cluster, [request, living])
    path = f"/api/v1/namespaces/{elsewhere}/pods/{request.name}"
    until(lambda: api.send("GET", path)[2]["status"].get("reason") == "DeadlineExceeded")
    kept = cleanup_stale(
        cluster,
        older_than_s=3600,
        lease_namespace="default",
        run_lease="run",
        say=lambda text: None,
    )
    assert {f"pod {pod.namespace}/{pod.name}" for pod in pods} <= set(kept.kept)
    scope.uses(elsewhere)
    assert sorted(scope.close().removed) == sorted(f"pod {elsewhere}/{pod.name}" for pod in pods)
    assert api.send("GET", path)[0] == 404
