"""What --aksnet-cleanup takes, and above all what it does not."""

import contextlib
import datetime
import functools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_aksnet.cluster.connect import Cluster, connect
from pytest_aksnet.cluster.marks import marks
from pytest_aksnet.cluster.owner import process_mark
from pytest_aksnet.cluster.scope import RunScope
from pytest_aksnet.cluster.stale import cleanup_stale
from pytest_aksnet.model.errors import EnvironmentProblem
from tests.plugin.mini_cluster import MiniCluster
from tests.unit.cluster.scripted_api import Answer, Json, Request, status

NOW = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)
OURS = {"app.kubernetes.io/managed-by": "pytest-aksnet", "aksnet.io/run": "r"}
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
POLICIES = "/apis/networking.k8s.io/v1/namespaces/theirs/networkpolicies"
PODS = "/api/v1/namespaces/theirs/pods"
SERVICES = "/api/v1/namespaces/theirs/services"

clean = functools.partial(
    cleanup_stale,
    older_than_s=4 * 3600,
    lease_namespace="default",
    run_lease="run",
    say=lambda text: None,
    now=NOW,
)


@pytest.fixture
def cluster(mini: MiniCluster, tmp_path: Path) -> Iterator[Cluster]:
    connected = connect(mini.kubeconfig(tmp_path), None)
    yield connected
    connected.close()


def said(hours_ago: float = 9, process: str = "") -> dict[str, str]:
    """Annotations of something that a run has made."""
    moment = NOW - datetime.timedelta(hours=hours_ago)
    annotations = {"aksnet.io/created": moment.isoformat(), "aksnet.io/owner": "me@here"}
    return {**annotations, "aksnet.io/process": process} if process else annotations


def put(
    mini: MiniCluster,
    path: str,
    labels: dict[str, str],
    annotations: dict[str, str],
    **spec: object,
) -> None:
    """An object that is there already."""
    parts = path.split("/")
    metadata: Json = {"name": parts[-1], "labels": labels, "annotations": annotations}
    metadata |= {"uid": f"uid-of-{parts[-1]}", "resourceVersion": "1"}
    if "namespaces" in parts[:-2]:
        metadata["namespace"] = parts[-3]
    mini.objects[path] = {"metadata": metadata, "spec": spec}


def dead() -> str:
    """The mark of a process of this machine that has ended: our own pid, begun earlier."""
    machine, pid, begun = process_mark().split("/")
    return f"{machine}/{pid}/{int(begun) - 1}"


def test_only_what_is_ours_and_old_goes(mini: MiniCluster, cluster: Cluster) -> None:
    room = "/api/v1/namespaces/"
    put(mini, room + "old", OURS, said(5))
    put(mini, room + "young", OURS, said(1))
    put(mini, room + "garbled", OURS, {**said(), "aksnet.io/created": "yesterday"})
    put(mini, room + "naive", OURS, {**said(), "aksnet.io/created": "2020-01-01T00:00:00"})
    not_ours: list[tuple[dict[str, str], dict[str, str]]] = [
        ({"app.kubernetes.io/managed-by": "Helm", "aksnet.io/run": "r"}, said()),
        ({"app.kubernetes.io/managed-by": "pytest-aksnet"}, said()),
        ({"aksnet.io/run": "r"}, said()),
        ({**OURS, "aksnet.io/run": ""}, said()),
        (OURS, {}),
        (OURS, {"aksnet.io/created": said()["aksnet.io/created"]}),
    ]
    for number, (labels, annotations) in enumerate(not_ours):
        put(mini, f"{room}not-ours-{number}", labels, annotations)
    cleanup = clean(cluster)
    assert cleanup.removed == ("old",)
    assert sorted(cleanup.kept) == ["garbled", "naive", "young"]
    assert "kubectl delete namespace young" in cleanup.kept["young"]
    assert cleanup.left == {}
    assert len(mini.left()) == 3 + len(not_ours)


def test_objects_in_namespaces_of_others_go_and_theirs_stay(
    mini: MiniCluster, cluster: Cluster
) -> None:
    for collection in (PODS, SERVICES, POLICIES):
        put(mini, f"{collection}/ours", OURS, said())
        put(mini, f"{collection}/young", OURS, said(1))
        put(mini, f"{collection}/theirs", {"aksnet.io/run": "r"}, {})
    assert sorted(clean(cluster).removed) == [
        "networkpolicy theirs/ours",
        "pod theirs/ours",
        "service theirs/ours",
    ]
    assert sorted(path.split("/")[-1] for path in mini.left()) == ["theirs"] * 3 + ["young"] * 3


def test_what_is_young_goes_once_its_process_has_ended(mini: MiniCluster, cluster: Cluster) -> None:
    RunScope(cluster, run_id="lives", host_network=False).namespace()
    put(mini, "/api/v1/namespaces/killed", OURS, said(0, dead()))
    cleanup = clean(cluster, now=None)
    assert (cleanup.removed, tuple(cleanup.kept)) == (("killed",), ("aksnet-lives",))


def test_the_lease_of_a_dead_process_goes_with_what_its_run_made(
    mini: MiniCluster, cluster: Cluster
) -> None:
    elsewhere = "f00f00f00f00f00f/7/7"
    lease = f"{LEASES}/run"
    put(mini, lease, OURS, said(0, dead()), holderIdentity="me", leaseDurationSeconds=40)
    put(mini, "/api/v1/namespaces/of-it", OURS, said(0, elsewhere))
    cleanup = clean(cluster)
    assert cleanup.removed == ("of-it", "lease default/run")
    assert mini.left() == []


def test_a_lease_that_expires_while_it_is_watched_tells_that_its_run_is_dead(
    mini: MiniCluster, cluster: Cluster
) -> None:
    put(mini, f"{LEASES}/run", OURS, said(0), holderIdentity="me", leaseDurationSeconds=1)
    put(mini, "/api/v1/namespaces/of-it", OURS, said(0))
    told: list[str] = []
    assert clean(cluster, say=told.append).removed == ("of-it", "lease default/run")
    assert told == ["looking whether it still renews its Lease: me"]


def test_nothing_of_a_run_that_renews_its_lease_goes(mini: MiniCluster, cluster: Cluster) -> None:
    lease = f"{LEASES}/run"
    put(mini, lease, OURS, said(9), holderIdentity="me", leaseDurationSeconds=40)
    put(mini, "/api/v1/namespaces/of-it", OURS, said(9, dead()))

    def renew(text: str) -> None:
        mini.objects[lease]["spec"]["renewTime"] = "later"

    cleanup = clean(cluster, say=renew)
    assert (cleanup.removed, cleanup.left) == ((), {})
    assert cleanup.kept["lease default/run"] == "me renews it"
    assert cleanup.kept["of-it"] == "its run r goes on"


def test_an_interruption_of_the_watching_removes_nothing(
    mini: MiniCluster, cluster: Cluster
) -> None:
    put(mini, f"{LEASES}/run", OURS, said(9), holderIdentity="me", leaseDurationSeconds=40)
    put(mini, "/api/v1/namespaces/of-it", OURS, said(9, dead()))
    hurry = threading.Event()
    with contextlib.suppress(EnvironmentProblem):  # unless the answers are there already
        assert clean(cluster, say=lambda text: hurry.set(), hurry=hurry).removed == ()
    assert len(mini.left()) == 2


def test_a_worker_that_was_lost_does_not_condemn_its_run(
    mini: MiniCluster, cluster: Cluster
) -> None:
    lease = f"{LEASES}/bandwidth"
    put(mini, lease, OURS, said(0, dead()), holderIdentity="me", leaseDurationSeconds=40)
    put(mini, "/api/v1/namespaces/of-it", OURS, said(0))
    cleanup = clean(cluster)
    assert (cleanup.removed, tuple(cleanup.kept)) == (("lease default/bandwidth",), ("of-it",))


def test_a_lease_that_only_looks_like_ours_stays(mini: MiniCluster, cluster: Cluster) -> None:
    put(mini, f"{LEASES}/run", {"aksnet.io/run": "r"}, said(9, dead()), holderIdentity="me")
    put(mini, f"{LEASES}/other", OURS, {}, holderIdentity="me")
    assert clean(cluster).removed == ()
    assert len(mini.left()) == 2


def test_what_cannot_be_looked_for_is_named(mini: MiniCluster, cluster: Cluster) -> None:
    serve = mini.routes.get(("GET", "/"))
    assert serve is not None

    def refuse(request: Request) -> Answer | None:
        if request.path.endswith(("/leases", "/services")):
            return status(403, "Forbidden", "not for you")
        return serve(request)

    mini.answer_all(refuse)
    put(mini, "/api/v1/namespaces/old", OURS, said())
    cleanup = clean(cluster)
    assert cleanup.removed == ("old",)
    assert set(cleanup.left) == {
        "leases in namespace default",
        "services in namespaces of others",
    }


def test_an_object_that_was_replaced_meanwhile_stays(mini: MiniCluster, cluster: Cluster) -> None:
    path = "/api/v1/namespaces/old"
    put(mini, path, OURS, said())
    serve = mini.routes.get(("GET", "/"))
    assert serve is not None

    def replace(request: Request) -> Answer | None:
        if request.method == "DELETE":
            mini.objects[path]["metadata"] |= {"uid": "another", "labels": {}}
        return serve(request)

    mini.answer_all(replace)
    assert clean(cluster).left == {}
    assert path in mini.objects


def test_everything_that_a_run_marks_is_known_as_its_own(
    mini: MiniCluster, cluster: Cluster
) -> None:
    labels, annotations = marks("r", "gw0")
    put(mini, f"{PODS}/ours", labels, annotations)
    scope = RunScope(cluster, run_id="r", host_network=False)
    assert scope.close().removed == ()
    scope.uses("theirs")
    assert scope.close().removed == ("pod theirs/ours",)
    put(mini, f"{PODS}/ours", labels, annotations)
    assert RunScope(cluster, run_id="r", host_network=False).close(everywhere=True).removed == (
        "pod theirs/ours",
    )
