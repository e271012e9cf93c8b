"""Patches do to objects what the API says."""

from typing import Any

import pytest

from pytest_aksnet.lab.api import apply, patch
from pytest_aksnet.lab.api.errors import ApiError

_POD: dict[str, Any] = {
    "metadata": {"name": "p", "labels": {"a": "1"}, "finalizers": ["f/1"]},
    "spec": {
        "containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}],
        "tolerations": [{"key": "x"}],
    },
}


def test_merge_patch_replaces_lists_and_removes_nulls() -> None:
    changed = patch.merge_patch(_POD, {"metadata": {"labels": None}, "spec": {"containers": []}})
    assert "labels" not in changed["metadata"]
    assert changed["spec"] == {"containers": [], "tolerations": [{"key": "x"}]}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ([{"name": "b", "image": "2"}], ["a", "b"]),
        ([{"name": "c", "image": "2"}], ["a", "b", "c"]),
        ([{"name": "a", "$patch": "delete"}], ["b"]),
        ([{"$patch": "replace"}, {"name": "c", "image": "2"}], ["c"]),
    ],
)
def test_strategic_merge_joins_lists_by_their_key(
    change: list[dict[str, str]], names: list[str]
) -> None:
    changed = patch.strategic_merge(_POD, {"spec": {"containers": change}}, "Pod")
    assert [item["name"] for item in changed["spec"]["containers"]] == names


def test_strategic_merge_replaces_lists_without_a_key() -> None:
    changed = patch.strategic_merge(_POD, {"spec": {"tolerations": [{"key": "y"}]}}, "Pod")
    assert changed["spec"]["tolerations"] == [{"key": "y"}]


def test_strategic_merge_knows_its_directives() -> None:
    change: dict[str, Any] = {
        "metadata": {"$deleteFromPrimitiveList/finalizers": ["f/1"], "labels": {"b": "2"}},
        "spec": {
            "$setElementOrder/containers": [{"name": "b"}, {"name": "a"}],
            "containers": [{"name": "a", "image": "9"}],
        },
    }
    changed = patch.strategic_merge(_POD, change, "Pod")
    assert changed["metadata"] == {"name": "p", "labels": {"a": "1", "b": "2"}, "finalizers": []}
    assert changed["spec"]["containers"] == [
        {"name": "b", "image": "1"},
        {"name": "a", "image": "9"},
    ]


def test_json_patch_has_all_six_operations() -> None:
    operations: list[dict[str, Any]] = [
        {"op": "test", "path": "/metadata/name", "value": "p"},
        {"op": "add", "path": "/metadata/labels/b~1c", "value": "2"},
        {"op": "remove", "path": "/spec/containers/0"},
        {"op": "replace", "path": "/spec/containers/0/image", "value": "2"},
        {"op": "copy", "from": "/spec/containers/0", "path": "/spec/containers/-"},
        {"op": "move", "from": "/metadata/finalizers", "path": "/moved"},
    ]
    changed = patch.json_patch(_POD, operations)
    assert changed == {
        "metadata": {"name": "p", "labels": {"a": "1", "b/c": "2"}},
        "spec": {
            "containers": [{"name": "b", "image": "2"}] * 2,
            "tolerations": [{"key": "x"}],
        },
        "moved": ["f/1"],
    }


def test_json_patch_of_a_missing_path_is_refused() -> None:
    with pytest.raises(ApiError) as caught:
        patch.json_patch(_POD, [{"op": "remove", "path": "/spec/nothing"}])
    assert caught.value.code == 422


def _service(*ports: int, **labels: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "s", "labels": labels},
        "spec": {"ports": [{"port": port, "protocol": "TCP"} for port in ports]},
    }


def _applied(live: Any, wanted: Any, manager: str, *, force: bool = False) -> dict[str, Any]:
    return apply.apply(live, wanted, type_name="Service", manager=manager, force=force)


def test_an_applier_takes_away_what_it_no_longer_wants() -> None:
    first = _applied(None, _service(80, 443, a="1", b="2"), "one")
    first["spec"]["clusterIP"] = "10.0.0.9"
    second = _applied(first, _service(443, a="1"), "one")
    assert second["spec"] == {
        "ports": [{"port": 443, "protocol": "TCP"}],
        "clusterIP": "10.0.0.9",
    }
    assert second["metadata"]["labels"] == {"a": "1"}


def test_what_another_applier_owns_stays() -> None:
    first = _applied(None, _service(80, a="1"), "one")
    both = _applied(first, _service(80, a="1"), "two")
    left = _applied(both, {"apiVersion": "v1", "kind": "Service", "metadata": {}}, "one")
    assert left["metadata"]["labels"] == {"a": "1"}
    assert [entry["manager"] for entry in left["metadata"]["managedFields"]][-1] == "two"


def test_applying_another_value_is_a_conflict_until_forced() -> None:
    first = _applied(None, _service(80, a="1"), "one")
    with pytest.raises(ApiError, match=r'conflict with "one": \.metadata\.labels\.a'):
        _applied(first, _service(80, a="2"), "two")
    forced = _applied(first, _service(80, a="2"), "two", force=True)
    assert forced["metadata"]["labels"] == {"a": "2"}
