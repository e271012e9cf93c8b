"""How running pods are named, found and read for --aksnet-policy-pods."""

from collections.abc import Mapping

import pytest

from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import ApiRefused, EnvironmentProblem
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.policy_pods import read_situation
from pytest_aksnet.spelling import checked_pod_choice

GOOD = ("shop/web", "shop/pod/web", "shop/deployment/web", "shop/app=web", "s/a.b/c=", "s/x.y-1")
POD = PodRef(namespace="shop", name="web", container="c", node="n", ip="10.0.0.1", uid="u")


class Api:
    """Objects by path; paths in `refused` answer 403."""

    def __init__(self, objects: Mapping[str, Json | list[Json]], refused: str = "") -> None:
        self._objects = objects
        self._refused = refused

    def _find(self, path: str) -> Json | list[Json] | None:
        if self._refused and self._refused in path:
            raise ApiRefused("no", status=403, reason="Forbidden")
        return self._objects.get(path)

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Json]:
        found = self._find(path)
        return found if isinstance(found, list) else []

    def get(self, path: str) -> Json | None:
        found = self._find(path)
        return found if isinstance(found, dict) else None

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        raise NotImplementedError


OBJECTS: dict[str, Json | list[Json]] = {
    "/api/v1/namespaces/shop/pods/web": {
        "metadata": {"namespace": "shop", "name": "web", "uid": "u", "labels": {"app": "web"}}
    },
    "/api/v1/namespaces/shop": {"metadata": {"name": "shop", "labels": {"team": "a"}}},
    "/apis/networking.k8s.io/v1/namespaces/shop/networkpolicies": [
        {"metadata": {"namespace": "shop", "name": "deny", "resourceVersion": "7"}}
    ],
}


@pytest.mark.parametrize("value", GOOD)
def test_choices_as_kubectl_names_things(value: str) -> None:
    assert checked_pod_choice(value) == value


@pytest.mark.parametrize("value", ["web", "shop/", "shop/job/web", "Shop/web", "shop/=web", "/web"])
def test_what_names_no_pod(value: str) -> None:
    with pytest.raises(pytest.UsageError, match="names no pod; write NAMESPACE/POD"):
        checked_pod_choice(value)


def test_what_decides_is_read() -> None:
    found = read_situation(Api(OBJECTS), [POD])
    assert found.namespaces == {"shop": {"team": "a"}}
    assert [one["metadata"]["name"] for one in found.policies] == ["deny"]
    assert found.others == found.not_read == ()
    assert ("shop/deny", "7") in found.versions


def test_objects_of_others_are_named() -> None:
    path = "/apis/cilium.io/v2/namespaces/shop/ciliumnetworkpolicies"
    theirs = {"metadata": {"namespace": "shop", "name": "l7"}}
    found = read_situation(Api({**OBJECTS, path: [theirs]}), [POD])
    assert found.others == ("ciliumnetworkpolicies.cilium.io/v2 shop/l7",)


def test_kinds_that_may_not_be_listed_are_named() -> None:
    found = read_situation(Api(OBJECTS, refused="adminnetworkpolicies"), [POD])
    assert found.not_read == (
        "adminnetworkpolicies.policy.networking.k8s.io/v1alpha1 (Forbidden)",
        "baselineadminnetworkpolicies.policy.networking.k8s.io/v1alpha1 (Forbidden)",
    )


@pytest.mark.parametrize(
    ("refused", "right"),
    [
        ("/networkpolicies", "list on networkpolicies.networking.k8s.io in namespace shop"),
        ("/pods/web", "get on pods in namespace shop"),
    ],
)
def test_a_missing_right_is_named(refused: str, right: str) -> None:
    with pytest.raises(EnvironmentProblem, match=f"needs {right}, which this user may not"):
        read_situation(Api(OBJECTS, refused=refused), [POD])


def test_a_pod_of_the_same_name_is_another_one() -> None:
    objects = {**OBJECTS, "/api/v1/namespaces/shop/pods/web": {"metadata": {"uid": "new"}}}
    with pytest.raises(EnvironmentProblem, match="has gone since it was named"):
        read_situation(Api(objects), [POD])
