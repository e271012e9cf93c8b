"""The arithmetic of rolling updates."""

from typing import Any

import pytest

from pytest_aksnet.lab.controllers.workloads import rolling


def deployment(
    replicas: int, surge: int | str = "25%", unavailable: int | str = "25%", kind: str = ""
) -> dict[str, Any]:
    strategy: dict[str, Any] = {"type": kind or "RollingUpdate"}
    if not kind:
        strategy["rollingUpdate"] = {"maxSurge": surge, "maxUnavailable": unavailable}
    return {"spec": {"replicas": replicas, "strategy": strategy}}


def replica_set(name: str, replicas: int, available: int | None = None) -> dict[str, Any]:
    ready = replicas if available is None else available
    return {
        "metadata": {"name": name},
        "spec": {"replicas": replicas},
        "status": {"replicas": replicas, "availableReplicas": ready},
    }


@pytest.mark.parametrize(
    ("value", "surge", "tolerance"),
    [
        (deployment(10), 3, 2),  # up, and down
        (deployment(1), 1, 0),
        (deployment(4, 0, 0), 0, 1),  # something must be able to move
        (deployment(2, 1, 5), 1, 2),
        (deployment(3, kind="Recreate"), 0, 0),
    ],
)
def test_how_many_more_and_how_many_fewer(
    value: dict[str, Any], surge: int, tolerance: int
) -> None:
    assert (rolling.surge(value), rolling.tolerance(value)) == (surge, tolerance)


def test_the_new_one_grows_as_far_as_the_surge_lets_it() -> None:
    value = deployment(10)
    assert rolling.wanted_of_new(value, [], 0) == 10
    assert rolling.wanted_of_new(value, [replica_set("old", 10)], 0) == 3
    assert rolling.wanted_of_new(value, [replica_set("old", 5)], 3) == 8
    assert rolling.wanted_of_new(deployment(2), [], 5) == 2


def test_recreate_waits_for_the_last_old_pod() -> None:
    value = deployment(3, kind="Recreate")
    assert rolling.wanted_of_new(value, [replica_set("old", 3)], 0) == 0
    assert rolling.wanted_of_new(value, [replica_set("old", 0)], 0) == 3


def _sizes(value: dict[str, Any], old: list[dict[str, Any]], new: dict[str, Any]) -> dict[str, int]:
    return {item["metadata"]["name"]: size for item, size in rolling.sizes_of_old(value, old, new)}


def test_old_ones_shrink_no_further_than_availability_lets_them() -> None:
    value = deployment(10)
    assert _sizes(value, [replica_set("old", 10)], replica_set("new", 3, 0)) == {"old": 8}
    assert _sizes(value, [replica_set("old", 8)], replica_set("new", 5, 0)) == {}
    assert _sizes(value, [replica_set("old", 8)], replica_set("new", 5, 5)) == {"old": 3}


def test_what_is_not_available_goes_first() -> None:
    value = deployment(4, 1, 0)
    broken, good = replica_set("broken", 1, 0), replica_set("good", 4)
    assert _sizes(value, [broken, good], replica_set("new", 0)) == {"broken": 0}


def test_a_change_of_size_during_a_rollout_is_shared() -> None:
    value = deployment(20, 0, 1)
    sizes = {
        item["metadata"]["name"]: size
        for item, size in rolling.proportions(
            value, [replica_set("old", 6), replica_set("new", 4)], None
        )
    }
    assert sizes == {"old": 12, "new": 8}
    (only,) = rolling.proportions(value, [replica_set("old", 6), replica_set("new", 0)], None)
    assert only[1] == 20
