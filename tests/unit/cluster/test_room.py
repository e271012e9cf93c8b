"""Quotas and limit ranges: which pods they refuse, in words that name quota, used and asked."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_aksnet.cluster import room
from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.quantity import parse, show
from pytest_aksnet.cluster.room import refusals, require_room
from pytest_aksnet.model.errors import EnvironmentProblem
from tests.unit.cluster.scripted_api import Json, ScriptedApi, status

RESOURCES = {"requests": {"cpu": "10m", "memory": "32Mi"}, "limits": {"memory": "512Mi"}}
SPEC: Json = {"containers": [{"name": "probe", "resources": RESOURCES}]}


def quota(hard: dict[str, str], used: dict[str, str] | None = None, **spec: Any) -> Json:
    state = {"hard": hard, "used": used or {}}
    return {"metadata": {"name": "q"}, "spec": {"hard": hard, **spec}, "status": state}


def limits(**limit: Any) -> Json:
    return {"metadata": {"name": "l"}, "spec": {"limits": [{"type": "Container", **limit}]}}


def first(quotas: list[Json], ranges: list[Json], pods: int = 1) -> str:
    return next(refusals(quotas, ranges, [SPEC] * pods), "")


@pytest.mark.parametrize(
    ("hard", "used", "pods", "said"),
    [
        ({"pods": "10"}, {"pods": "7"}, 3, ""),
        ({"pods": "10"}, {"pods": "8"}, 3, "pods is used up to 8 of 10, asked is 3 more"),
        ({"count/pods": "2"}, {}, 3, "count/pods is used up to 0 of 2, asked is 3 more"),
        ({"requests.cpu": "1"}, {"requests.cpu": "985m"}, 1, ""),
        (
            {"requests.cpu": "1"},
            {"requests.cpu": "985m"},
            2,
            "requests.cpu is used up to 985m of 1, asked is 20m more",
        ),
        ({"cpu": "5m"}, {}, 1, "cpu is used up to 0 of 5m, asked is 10m more"),
        ({"limits.memory": "1Gi"}, {}, 3, "limits.memory is used up to 0 of 1Gi, asked is 1536Mi"),
        ({"limits.cpu": "8"}, {}, 1, "wants every container to state limits.cpu"),
        ({"requests.storage": "0", "services": "0"}, {}, 1, ""),
    ],
)
def test_quotas(hard: dict[str, str], used: dict[str, str], pods: int, said: str) -> None:
    found = first([quota(hard, used)], [], pods)
    assert (said in found and "ResourceQuota q" in found) if said else not found


@pytest.mark.parametrize(
    ("spec", "refused"),
    [
        ({"scopes": ["Terminating"]}, True),
        ({"scopes": ["NotTerminating"]}, False),
        ({"scopes": ["BestEffort"]}, False),
        ({"scopes": ["NotBestEffort"]}, True),
        ({"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass"}]}}, False),
    ],
)
def test_only_quotas_whose_scope_our_pods_are_in_count(spec: Json, refused: bool) -> None:
    assert bool(first([quota({"pods": "0"}, **spec)], [])) == refused


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ({"min": {"cpu": "10m"}, "max": {"memory": "512Mi"}}, ""),
        ({"min": {"cpu": "50m"}}, "at least cpu=50m must be requested, asked is 10m"),
        ({"max": {"memory": "256Mi"}}, "the limit may be memory=256Mi at most, asked is 512Mi"),
        ({"max": {"cpu": "1"}}, "the limit may be cpu=1 at most, asked is nothing"),
        ({"max": {"cpu": "1"}, "default": {"cpu": "500m"}}, ""),
        ({"default": {"cpu": "5m"}}, "the default limit cpu=5m, and it requests 10m"),
        ({"maxLimitRequestRatio": {"memory": "4"}}, "may differ by a factor of 4"),
    ],
)
def test_limit_ranges(limit: Json, said: str) -> None:
    found = first([], [limits(**limit)])
    assert said in found if said else not found


def test_a_default_of_a_limit_range_satisfies_a_quota() -> None:
    whole = quota({"limits.cpu": "1"})
    assert first([whole], [limits(default={"cpu": "500m"})], 2) == ""
    assert "limits.cpu is used up to 0 of 1, asked is 1500m" in first(
        [whole], [limits(default={"cpu": "500m"})], 3
    )


def test_a_limit_range_over_whole_pods() -> None:
    whole = limits(max={"memory": "100Mi"})
    whole["spec"]["limits"][0]["type"] = "Pod"
    assert "LimitRange l (Pod): the limit may be memory=100Mi" in first([], [whole])


@given(st.integers(0, 10**15), st.sampled_from(["", "m", "k", "M", "G", "Ki", "Mi", "Gi", "Ti"]))
def test_a_quantity_that_is_shown_is_the_same_number(number: int, suffix: str) -> None:
    value = parse(f"{number}{suffix}")
    assert parse(show(value)) == value


@pytest.mark.parametrize("text", ["", "1x", "Ki", "1i", "--1"])
def test_what_is_no_quantity_is_refused(text: str) -> None:
    with pytest.raises((ValueError, ArithmeticError)):
        parse(text)


PLACE = "/api/v1/namespaces/ns"
POD: Json = {"metadata": {"name": "p", "namespace": "ns"}, "spec": SPEC}


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "_POLL_S", 0.0)


def _list(*items: Json) -> tuple[int, Json]:
    return 200, {"kind": "List", "metadata": {}, "items": list(items)}


@pytest.mark.usefixtures("patient")
def test_room_that_ending_pods_take_is_waited_for(api: ScriptedApi, cluster: Cluster) -> None:
    full, free = quota({"pods": "1"}, {"pods": "1"}), quota({"pods": "1"}, {"pods": "0"})
    api.answer("GET", f"{PLACE}/resourcequotas", _list(full), _list(full), _list(free))
    api.answer("GET", f"{PLACE}/limitranges", _list())
    api.answer("GET", f"{PLACE}/pods", _list({"metadata": {"deletionTimestamp": "now"}}))
    require_room(cluster, [POD])
    assert len(api.sent("GET", f"{PLACE}/resourcequotas")) == 3


def test_a_full_namespace_is_named_at_once(api: ScriptedApi, cluster: Cluster) -> None:
    api.answer("GET", f"{PLACE}/resourcequotas", _list(quota({"pods": "1"}, {"pods": "1"})))
    api.answer("GET", f"{PLACE}/limitranges", _list())
    api.answer("GET", f"{PLACE}/pods", _list())
    with pytest.raises(EnvironmentProblem, match=r"the probe pod does not fit .* ns: .*pods is"):
        require_room(cluster, [POD])


@pytest.mark.parametrize(
    "answer",
    [
        status(403, "Forbidden", "no"),
        _list({"metadata": {"name": "q"}, "spec": {"hard": {"pods": "x"}}}),
    ],
    ids=["not allowed", "not understood"],
)
def test_what_cannot_be_read_refuses_nothing(
    api: ScriptedApi, cluster: Cluster, answer: tuple[int, Json]
) -> None:
    for kind in ("resourcequotas", "limitranges"):
        api.answer("GET", f"{PLACE}/{kind}", answer)
    require_room(cluster, [POD])
