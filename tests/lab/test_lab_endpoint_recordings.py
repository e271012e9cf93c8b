"""EndpointSlices and Endpoints of services, in the form that real controllers give them."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.lab import recordings
from tests.lab.api_server import RECORDINGS
from tests.lab.raw_api import RawApi
from tests.lab.recordings import RawClient
from tests.lab.running_lab import RunningLab
from tests.lab.waiting import until

pytestmark = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recordings of a real API server beside the checkout"
)
_NAMESPACE = "/api/v1/namespaces/recs"
_SLICES = "/apis/discovery.k8s.io/v1/namespaces/recs/endpointslices"
_VOLATILE = frozenset(
    {
        "addresses",
        "creationTimestamp",
        "endpoints.kubernetes.io/last-change-trigger-time",
        "generation",
        "ip",
        "name",
        "nodeName",
        "resourceVersion",
        "uid",
    }
)


@pytest.fixture(scope="module")
def api(lab: RunningLab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RawApi]:
    found = RawApi(lab, tmp_path_factory.mktemp("api"))
    found.send("POST", "/api/v1/namespaces", {"metadata": {"name": "recs"}})
    until(lambda: found.send("GET", f"{_NAMESPACE}/serviceaccounts/default")[0] == 200)
    client: RawClient = found.with_token(found.token)
    for exchange in recordings.exchanges(recordings.load(RECORDINGS, "services")):
        if exchange["request"]["body"]["metadata"]["name"] in ("clusterip", "headless"):
            client.replay(exchange)
    command = ["sleep", "infinity"]
    for name in ("web1", "web2"):
        container = {"name": "c", "image": "nicolaka/netshoot:v0.13", "command": command}
        metadata = {"name": name, "labels": {"app": "web"}}
        spec = {"containers": [container], "terminationGracePeriodSeconds": 1}
        found.send("POST", f"{_NAMESPACE}/pods", {"metadata": metadata, "spec": spec})
    yield found
    found.send("DELETE", _NAMESPACE)
    until(lambda: found.send("GET", _NAMESPACE)[0] == 404)


def _form(value: Any) -> Any:
    """A value with everything replaced that differs between two clusters."""
    if isinstance(value, dict):
        return {
            key: type(item).__name__ if _is_volatile(key, item) else _form(item)
            for key, item in value.items()
            if key != "managedFields"
        }
    return [_form(item) for item in value] if isinstance(value, list) else value


def _is_volatile(key: str, value: Any) -> bool:
    """Whether only the type counts: not of what is empty, nor of lists of objects."""
    objects = isinstance(value, list) and any(isinstance(item, dict) for item in value)
    return key in _VOLATILE and bool(value) and not objects


def _slice(items: list[dict[str, Any]], service: str) -> dict[str, Any]:
    (found,) = (
        item
        for item in items
        if item["metadata"]["labels"]["kubernetes.io/service-name"] == service
    )
    found = dict(_form(found))
    for endpoint in found["endpoints"]:
        endpoint["zone"] = "any"
    return found


@pytest.mark.parametrize("service", ["clusterip", "headless"])
def test_endpoint_slices_have_the_recorded_form(api: RawApi, service: str) -> None:
    exchange = recordings.load(RECORDINGS, "endpointslices")["list"]
    real = _slice(exchange["response"]["body"]["items"], service)

    def ours() -> dict[str, Any]:
        return _slice(api.send("GET", _SLICES)[2]["items"], service)

    until(
        lambda: (
            [item["conditions"] for item in ours()["endpoints"] or []]
            == [item["conditions"] for item in real["endpoints"]]
        )
    )
    assert ours() == real


def test_endpoints_have_the_recorded_form_and_warning(api: RawApi) -> None:
    response = recordings.load(RECORDINGS, "endpointslices")["endpoints"]["response"]
    path = f"{_NAMESPACE}/endpoints/clusterip"
    until(
        lambda: len((api.send("GET", path)[2].get("subsets") or [{}])[0].get("addresses", [])) == 2
    )
    _, headers, body = api.send("GET", path)
    warning = {name.lower(): value for name, value in response["headers"]}["warning"]
    assert headers["warning"] == warning
    assert _form(body) == _form(response["body"])
