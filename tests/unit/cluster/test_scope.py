"""What a run owns, and that nothing else is ever touched."""

import datetime
import re

import pytest

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.scope import RunScope, cleanup_stale, new_run_id
from pytest_aksnet.model.errors import EnvironmentProblem
from tests.unit.cluster.scripted_api import Json, Request, ScriptedApi, status

NAMESPACES = "/api/v1/namespaces"
NOW = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)


class Namespaces:
    """The namespaces of a scripted server; `stuck` ones never go."""

    def __init__(self, api: ScriptedApi, *, stuck: tuple[str, ...] = ()) -> None:
        self.there: dict[str, Json] = {}
        self.stuck = stuck
        self._api = api
        api.routes["POST", NAMESPACES] = self._create
        api.routes["GET", NAMESPACES] = self._list

    def add(self, name: str, labels: dict[str, str], annotations: dict[str, str]) -> None:
        """A namespace that is there already."""
        self._put({"metadata": {"name": name, "labels": labels, "annotations": annotations}})

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
    namespaces.add("aksnet-other", {**ours, "aksnet.io/run": "r2"}, {})
    namespaces.add("aksnet-r1-lookalike", {"aksnet.io/run": "r1"}, {})
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


def test_a_lost_api_server_at_the_end_is_told_not_raised(
    api: ScriptedApi, cluster: Cluster
) -> None:
    Namespaces(api)
    scope = RunScope(cluster, run_id="r1", host_network=False)
    scope.namespace()
    api.routes["GET", NAMESPACES] = lambda request: None
    assert "does not answer" in scope.close().left["run r1"]


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


def test_cleanup_removes_only_what_is_ours_and_old(api: ScriptedApi, cluster: Cluster) -> None:
    namespaces = Namespaces(api)
    ours = {"app.kubernetes.io/managed-by": "pytest-aksnet", "aksnet.io/run": "r"}

    def created(hours_ago: float) -> dict[str, str]:
        moment = NOW - datetime.timedelta(hours=hours_ago)
        return {"aksnet.io/created": moment.isoformat()}

    namespaces.add("old", ours, created(5))
    namespaces.add("young", ours, created(1))
    namespaces.add("undated", ours, {})
    namespaces.add("garbled", ours, {"aksnet.io/created": "yesterday"})
    namespaces.add("naive", ours, {"aksnet.io/created": "2020-01-01T00:00:00"})
    namespaces.add("foreign", {"app.kubernetes.io/managed-by": "Helm"}, created(9))
    namespaces.add("no-run", {"app.kubernetes.io/managed-by": "pytest-aksnet"}, created(9))
    cleanup = cleanup_stale(cluster, older_than_s=4 * 3600, now=NOW)
    assert cleanup.removed == ("old",)
    assert sorted(cleanup.kept) == ["garbled", "naive", "undated", "young"]
    assert "old" not in namespaces.there
    assert len(namespaces.there) == 6


def test_cleanup_removes_what_is_young_but_whose_process_has_ended(
    api: ScriptedApi, cluster: Cluster
) -> None:
    namespaces = Namespaces(api)
    RunScope(cluster, run_id="lives", host_network=False).namespace()
    metadata = namespaces.there["aksnet-lives"]["metadata"]
    machine, pid, begun = metadata["annotations"]["aksnet.io/process"].split("/")
    killed = {**metadata["annotations"], "aksnet.io/process": f"{machine}/{pid}/{int(begun) - 1}"}
    namespaces.add("killed", metadata["labels"], killed)
    cleanup = cleanup_stale(cluster, older_than_s=4 * 3600)
    assert (cleanup.removed, cleanup.kept) == (("killed",), ("aksnet-lives",))


def test_names_are_unique_dns_labels(cluster: Cluster) -> None:
    scope = RunScope(cluster, host_network=False)
    first, second = scope.unique_name("x" * 80), scope.unique_name("x" * 80)
    assert first != second
    assert len(first) <= 63
