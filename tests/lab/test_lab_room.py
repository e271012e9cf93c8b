"""Whether pods fit: what is said beforehand agrees with what the API server then does."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from pytest_aksnet.cluster.connect import Cluster, connect
from pytest_aksnet.cluster.probe_pod_manifest import ProbePodRequest, pod_manifest
from pytest_aksnet.cluster.probe_pods import start_pods
from pytest_aksnet.cluster.room import refusals, require_room
from pytest_aksnet.model.errors import ApiRefused, EnvironmentProblem
from tests.lab.user import IMAGE, PATIENCE_S, User

Json = dict[str, Any]


@pytest.fixture
def cluster(user: User) -> Iterator[Cluster]:
    connected = connect(str(user.lab.kubeconfig), None)
    yield connected
    connected.close()


def request(user: User, name: str = "probe") -> ProbePodRequest:
    return ProbePodRequest(
        namespace=user.namespace,
        name=name,
        node=user.nodes()[0],
        image=IMAGE,
        command=lambda _: ["sleep", "60"],
    )


def quota(user: User, hard: dict[str, str], **spec: Any) -> None:
    """A ResourceQuota, once its status says what it allows."""
    body = {"metadata": {"name": "q"}, "spec": {"hard": hard, **spec}}
    user.core.create_namespaced_resource_quota(user.namespace, body)
    deadline = time.monotonic() + PATIENCE_S
    while not user.core.read_namespaced_resource_quota("q", user.namespace).status.hard:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def limit_range(user: User, limit: Json) -> None:
    body = {"metadata": {"name": "l"}, "spec": {"limits": [{"type": "Container", **limit}]}}
    user.core.create_namespaced_limit_range(user.namespace, body)


CASES: list[tuple[Json, Json, bool]] = [
    ({"pods": "1"}, {}, True),
    ({"pods": "0"}, {}, False),
    ({"requests.cpu": "10m"}, {}, True),
    ({"requests.cpu": "9m"}, {}, False),
    ({"limits.memory": "511Mi"}, {}, False),
    ({"limits.cpu": "1"}, {}, False),
    ({"limits.cpu": "1"}, {"default": {"cpu": "500m"}}, True),
    ({}, {"min": {"memory": "64Mi"}}, False),
    ({}, {"max": {"memory": "1Gi"}}, True),
    ({}, {"max": {"memory": "256Mi"}}, False),
    ({}, {"max": {"cpu": "1"}}, True),
    ({}, {"default": {"cpu": "5m"}}, False),
    ({}, {"maxLimitRequestRatio": {"memory": "16"}}, True),
    ({}, {"maxLimitRequestRatio": {"memory": "15"}}, False),
]


@pytest.mark.parametrize(("hard", "limit", "fits"), CASES, ids=str)
def test_the_prediction_is_what_the_api_server_does(
    user: User, cluster: Cluster, hard: Json, limit: Json, fits: bool
) -> None:
    if hard:
        quota(user, hard)
    if limit:
        limit_range(user, limit)
    manifest = pod_manifest(request(user), "probe", 0)
    path = f"/api/v1/namespaces/{user.namespace}"
    quotas = cluster.rest.items(f"{path}/resourcequotas")
    ranges = cluster.rest.items(f"{path}/limitranges")
    predicted = next(refusals(quotas, ranges, [manifest["spec"]]), "")
    try:
        cluster.rest.create(f"{path}/pods", manifest, dry_run=True)
        refused = ""
    except ApiRefused as problem:
        refused = str(problem)
    assert (not refused) == fits, refused
    assert (not predicted) == fits, predicted


def test_a_pod_that_does_not_fit_is_told_before_it_is_made(user: User, cluster: Cluster) -> None:
    quota(user, {"pods": "1"})
    start_pods(cluster, [request(user, "first")])
    deadline = time.monotonic() + PATIENCE_S
    while user.core.read_namespaced_resource_quota("q", user.namespace).status.used != {
        "pods": "1"
    }:
        assert time.monotonic() < deadline
        time.sleep(0.02)
    with pytest.raises(EnvironmentProblem, match=r"ResourceQuota q: pods is used up to 1 of 1"):
        start_pods(cluster, [request(user, "second")])
    assert [pod.metadata.name for pod in user.core.list_namespaced_pod(user.namespace).items] == [
        "first"
    ]


def test_an_empty_namespace_has_room(user: User, cluster: Cluster) -> None:
    require_room(cluster, [pod_manifest(request(user), "probe", 0)])
