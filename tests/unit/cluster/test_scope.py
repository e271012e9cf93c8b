"""What a run owns, and that nothing else is ever touched."""

import datetime
import re
import threading

import pytest

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.scope import RunScope, new_run_id
from pytest_aksnet.model.errors import EnvironmentProblem
from tests.unit.cluster.scripted_api import Answer, Json, Request, ScriptedApi, status

NAMESPACES = "/api/v1/namespaces"
NOW = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)


OF_A_RUN = {"aksnet.io/created": "2020-01-01T00:00:00+00:00", "aksnet.io/owner": "me@here"}


class Namespaces:
    """The namespaces of a scripted server; `stuck` ones never go."""

    def __init__(self, api: ScriptedApi, *, stuck: tuple[str, ...] = ()) -> None:
        self.there: dict[str, Json] = {}
        self.stuck = stuck
        self._api = api
        api.routes["POST", NAMESPACES] = self._create
        api.routes["GET", NAMESPACES] = self._list

    def add(self, name: str, labels: dict[str, str]) -> None:
        """A namespace that is there already."""
        self._put({"metadata": {"name": name, "labels": labels, "annotations": OF_A_RUN}})

    def _put(self, manifest: Json) -> None:
        name = manifest["metadata"]["name"]
        self.there[name] = manifest
        path = f"{NAMESPACES}/{name}"
        self._api.routes["DELETE", path] = lambda request: self._delete(name)
        self._api.routes["GET", path] = lambda request: self._get(name)

    def _create(self, request: Request) -> tuple[int, Json]:
        self._put(request.body)
        return 201, request.body

    def _get(self, name: str) -> tuple[int, Json]:
        if name in self.there:
            return 200, self.there[name]
        return status(404, "NotFound", f'namespaces "{name}" not found')

    def _delete(self, name: str) -> tuple[int, Json]:
        if name in self.stuck:
            condition = {
                "type": "NamespaceContentRemaining",
                "status": "True",
                "reason": "SomeResourcesRemain",
                "message": "pods. has 1 resource instances",
            }
            self.there[name]["status"] = {"phase": "Terminating", "conditions": [condition]}
        else:
            del self.there[name]
        return 200, {}

    def _list(self, request: Request) -> tuple[int, Json]:
        terms = request.query["labelSelector"].split(",")

        def matches(labels: dict[str, str]) -> bool:
            return all(
                labels.get(key) == value if sign else key in labels
                for key, sign, value in (term.partition("=") for term in terms)
            )

        items = [ns for ns in self.there.values() if matches(ns["metadata"]["labels"])]
        return 200, {"metadata": {}, "items": items}


def test_run_ids_sort_by_time_and_fit_labels() -> None:
    run_id = new_run_id(NOW)
    assert re.fullmatch(r"20260501-120000-[0-9a-f]{6}", run_id)
    assert new_run_id(NOW) != run_id


def test_nothing_is_created_before_it_is_asked_for(api: ScriptedApi, cluster: Cluster) -> None:
    scope = RunScope(cluster, host_network=False)
    assert not [r for r in api.requests if r.method != "GET"]
    assert scope.labels() == {
        "app.kubernetes.io/managed-by": "pytest-aksnet",
        "aksnet.io/run": scope.run_id,
    }


@pytest.mark.parametrize(("host_network", "level"), [(False, "baseline"), (True, "privileged")])
def test_the_main_namespace_is_made_once_with_labels_and_owner(
    api: ScriptedApi, cluster: Cluster, host_network: bool, level: str
) -> None:
    namespaces = Namespaces(api)
    scope = RunScope(cluster, run_id="r1", host_network=host_network)
    assert scope.namespace() == scope.namespace() == "aksnet-r1"
    metadata = namespaces.there["aksnet-r1"]["metadata"]
    assert metadata["labels"] == {
        "app.kubernetes.io/managed-by": "pytest-aksnet",
        "aksnet.io/run": "r1",
        "pod-security.kubernetes.io/enforce": level,
    }
    assert datetime.datetime.fromisoformat(metadata["annotations"]["aksnet.io/created"]).tzinfo
    assert "@" in metadata["annotations"]["aksnet.io/owner"]


def test_workers_have_namespaces_of_their_own_that_the_run_removes(
    api: ScriptedApi, cluster: Cluster
) -> None:
    namespaces = Namespaces(api)
    for worker in ("gw0", "gw1"):
        scope = RunScope(cluster, run_id="r1", worker=worker, host_network=True)
        scope.namespace()
        scope.new_namespace({"team": "x"})
    assert sorted(namespaces.there) == [
        "aksnet-r1-gw0",
        "aksnet-r1-gw0-1",
        "aksnet-r1-gw1",
        "aksnet-r1-gw1-1",
    ]
    extra = namespaces.there["aksnet-r1-gw1-1"]["metadata"]["labels"]
    assert (extra["team"], extra["pod-security.kubernetes.io/enforce"]) == ("x", "baseline")
    closed = RunScope(cluster, run_id="r1", worker="gw0", host_network=True).close()
    assert sorted(closed.removed) == ["aksnet-r1-gw0", "aksnet-r1-gw0-1"]
    closed = RunScope(cluster, run_id="r1", host_network=True).close()
    assert sorted(closed.removed) == ["aksnet-r1-gw1", "aksnet-r1-gw1-1"]
    assert not namespaces.there


def test_closing_touches_no_other_run(api: ScriptedApi, cluster: Cluster) -> None:
    namespaces = Namespaces(api)
    ours = {"app.kubernetes.io/managed-by": "pytest-aksnet"}
    namespaces.add("aksnet-other", {**ours, "aksnet.io/run": "r2"})
    namespaces.add("aksnet-r1-lookalike", {"aksnet.io/run": "r1"})
    scope = RunScope(cluster, run_id="r1", host_network=False)
    scope.namespace()
    assert scope.close().removed == ("aksnet-r1",)
    assert sorted(namespaces.there) == ["aksnet-other", "aksnet-r1-lookalike"]


def test_a_namespace_that_stays_is_named_with_its_reason(
    api: ScriptedApi, cluster: Cluster
) -> None:
    Namespaces(api, stuck=("aksnet-r1",))
    scope = RunScope(cluster, run_id="r1", host_network=False)
    scope.namespace()
    closed = scope.close(timeout_s=0.3)
    assert closed.removed == ()
    assert "pods. has 1 resource instances" in closed.left["aksnet-r1"]


def test_what_a_lost_api_server_leaves_is_named(api: ScriptedApi, cluster: Cluster) -> None:
    Namespaces(api)
    scope = RunScope(cluster, run_id="r1", host_network=False)
    scope.namespace()
    scope.new_namespace()
    api.routes["GET", NAMESPACES] = lambda request: None
    left = scope.close(timeout_s=0.5).left
    by_label = "run r1 (kubectl get namespaces --selector=aksnet.io/run=r1)"
    assert set(left) == {by_label, "aksnet-r1", "aksnet-r1-1"}
    assert all("answer" in why for why in left.values())


def test_an_api_server_that_is_away_for_a_moment_is_waited_for(
    api: ScriptedApi, cluster: Cluster
) -> None:
    namespaces = Namespaces(api)
    scope = RunScope(cluster, run_id="r1", host_network=False)
    scope.namespace()
    listed, refusals = api.routes["GET", NAMESPACES], iter(range(12))

    def away(request: Request) -> Answer | None:
        return listed(request) if next(refusals, None) is None else None

    api.routes["GET", NAMESPACES] = away
    assert scope.close().removed == ("aksnet-r1",)
    assert not namespaces.there


@pytest.mark.parametrize("code", [429, 503])
def test_what_an_overloaded_api_server_refuses_is_asked_again(
    api: ScriptedApi, cluster: Cluster, code: int
) -> None:
    namespaces = Namespaces(api)
    scope = RunScope(cluster, run_id="r1", host_network=False)
    scope.namespace()
    path = f"{NAMESPACES}/aksnet-r1"
    delete, refusals = api.routes["DELETE", path], iter(range(4))

    def refuse(request: Request) -> Answer | None:
        if next(refusals, None) is None:
            return delete(request)
        return *status(code, "TooManyRequests", "later"), {"Retry-After": "0"}

    api.routes["DELETE", path] = refuse
    assert scope.close().removed == ("aksnet-r1",)
    assert not namespaces.there


def test_what_may_not_be_deleted_is_named_at_once(api: ScriptedApi, cluster: Cluster) -> None:
    Namespaces(api)
    scope = RunScope(cluster, run_id="r1", host_network=False)
    scope.namespace()
    refusal = status(403, "Forbidden", "you may not delete namespaces")
    api.answer("DELETE", f"{NAMESPACES}/aksnet-r1", refusal)
    assert "you may not delete" in scope.close().left["aksnet-r1"]


def test_who_may_not_list_removes_what_it_has_made(api: ScriptedApi, cluster: Cluster) -> None:
    namespaces = Namespaces(api)
    scope = RunScope(cluster, run_id="r1", host_network=False)
    scope.namespace()
    api.answer("GET", NAMESPACES, status(403, "Forbidden", "you may not list namespaces"))
    closed = scope.close()
    assert closed.removed == ("aksnet-r1",)
    assert "you may not list" in closed.left["namespaces of run r1"]
    assert not namespaces.there


def test_an_interruption_ends_the_waiting_and_names_what_is_left(
    api: ScriptedApi, cluster: Cluster
) -> None:
    Namespaces(api, stuck=("aksnet-r1",))
    scope = RunScope(cluster, run_id="r1", host_network=False)
    scope.namespace()
    hurry = threading.Event()
    timer = threading.Timer(0.5, hurry.set)
    timer.start()
    left = scope.close(hurry=hurry).left
    timer.join()
    assert "interrupted" in left["aksnet-r1"]
    assert "pods. has 1 resource instances" in left["aksnet-r1"]


def test_a_namespace_that_may_not_be_created_is_one_line(
    api: ScriptedApi, cluster: Cluster
) -> None:
    said = 'namespaces is forbidden: User "x" cannot create resource "namespaces"'
    api.answer("POST", NAMESPACES, status(403, "Forbidden", said))
    with pytest.raises(EnvironmentProblem) as error:
        RunScope(cluster, run_id="r1", host_network=False).namespace()
    assert said in str(error.value)
    assert "--aksnet-context" in str(error.value)
    assert "\n" not in str(error.value)


def test_names_are_unique_dns_labels(cluster: Cluster) -> None:
    scope = RunScope(cluster, host_network=False)
    first, second = scope.unique_name("x" * 80), scope.unique_name("x" * 80)
    assert first != second
    assert len(first) <= 63
