"""What ARM refuses and how, and how it gives lists in pages."""

from pathlib import Path
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError

from pytest_aksnet.lab.options import LabOptions
from tests.lab.arm_clients import API_VERSION, Clients
from tests.lab.arm_server import GROUP, NODE_GROUP, RunningArm, arm_server

_NETWORKS = "/providers/Microsoft.Network/virtualNetworks"


def _refusal(clients: Clients, method: str, path: str, body: Any = None) -> tuple[int, str]:
    answer = clients.raw(method, path, body=body)
    return answer.status_code, answer.json()["error"]["code"]


def _path(clients: Clients, rest: str, version: str = API_VERSION) -> str:
    return f"/subscriptions/{clients.subscription}{rest}?api-version={version}"


def test_what_is_not_there(clients: Clients) -> None:
    for call, code in (
        (lambda: clients.network.load_balancers.get(NODE_GROUP, "none"), "ResourceNotFound"),
        (lambda: clients.network.load_balancers.get("none", "kubernetes"), "ResourceGroupNotFound"),
        (lambda: list(clients.network.load_balancers.list("none")), "ResourceGroupNotFound"),
        (lambda: clients.network.subnets.get(GROUP, "vnet-aksnet-lab", "none"), "NotFound"),
        (lambda: clients.network.subnets.get(GROUP, "none", "aks-nodes"), "ResourceNotFound"),
        (lambda: clients.aks.managed_clusters.get(GROUP, "none"), "ResourceNotFound"),
    ):
        with pytest.raises(ResourceNotFoundError) as refused:
            call()
        assert refused.value.error.code == code


def test_paths_that_name_nothing(clients: Clients) -> None:
    other = "/subscriptions/00000000-0000-0000-0000-000000000000"
    for path, code in (
        (f"{other}{_NETWORKS}?api-version={API_VERSION}", "SubscriptionNotFound"),
        (_path(clients, "/providers/Microsoft.Nothing/things"), "InvalidResourceNamespace"),
        (_path(clients, "/providers/Microsoft.Network/things"), "InvalidResourceType"),
        (f"/nothing?api-version={API_VERSION}", "NotFound"),
    ):
        assert _refusal(clients, "GET", path) == (404, code)


def test_the_api_version_is_checked(clients: Clients) -> None:
    path = f"/subscriptions/{clients.subscription}{_NETWORKS}"
    missing = (400, "MissingApiVersionParameter")
    invalid = (400, "InvalidApiVersionParameter")
    assert _refusal(clients, "GET", path) == missing
    assert _refusal(clients, "GET", f"{path}?api-version=") == missing
    for version in ("latest", "2026-13-01", "2001-01-01", "2999-01-01"):
        assert _refusal(clients, "GET", f"{path}?api-version={version}") == invalid
    for version in ("2018-10-01", "2024-05-01-preview"):
        assert clients.raw("GET", f"{path}?api-version={version}").status_code == 200


def test_what_cannot_be_changed(clients: Clients) -> None:
    network = f"/resourceGroups/{GROUP}{_NETWORKS}/vnet-aksnet-lab"
    for method in ("PUT", "PATCH", "DELETE", "POST"):
        assert _refusal(clients, method, _path(clients, network), {}) == (
            405,
            "HttpMethodNotAllowed",
        )
    rule = f"/resourceGroups/{NODE_GROUP}/providers/Microsoft.Network/networkSecurityGroups"
    path = _path(clients, f"{rule}/aks-agentpool-31337042-nsg/securityRules/x")
    assert _refusal(clients, "PUT", path, [])[0] == 400
    assert _refusal(clients, "PUT", path, {})[0] == 400


def test_paths_are_the_same_in_any_case(clients: Clients) -> None:
    path = _path(clients, f"/resourceGroups/{GROUP}{_NETWORKS}/vnet-aksnet-lab")
    one = clients.raw("GET", path)
    other = clients.raw(
        "GET",
        path.replace("resourceGroups", "RESOURCEGROUPS")
        .swapcase()
        .replace("API-VERSION", "api-version"),
    )
    assert one.status_code == other.status_code == 200
    assert one.json() == other.json()
    # As the SDK lists all records: .../aLL.
    assert list(clients.dns.record_sets.list(GROUP, "privatelink.blob.core.windows.net"))


def test_too_many_requests_are_retried_after_the_time_given(
    arm: RunningArm, clients: Clients
) -> None:
    arm.trouble.throttled = 1.0
    try:
        path = _path(clients, _NETWORKS)
        answer = clients.raw("GET", path)
        assert answer.status_code == 429
        assert answer.headers["Retry-After"] == "1"
        assert answer.json()["error"]["code"] == "TooManyRequests"
        with pytest.raises(HttpResponseError) as refused:
            list(clients.network.virtual_networks.list_all(retry_total=1))
        assert refused.value.status_code == 429
    finally:
        arm.trouble.throttled = 0.0


def test_an_unregistered_provider_is_a_conflict(arm: RunningArm, clients: Clients) -> None:
    path = _path(clients, _NETWORKS)
    arm.trouble.unregistered.add("microsoft.network")
    try:
        assert _refusal(clients, "GET", path) == (409, "MissingSubscriptionRegistration")
        arm.trouble.denied.add("*/register/action")
        with pytest.raises(ResourceExistsError):
            list(clients.network.virtual_networks.list_all())
    finally:
        arm.trouble.unregistered.clear()
        arm.trouble.denied.clear()


@pytest.mark.thorough
def test_an_unregistered_provider_is_registered_by_the_client(
    arm: RunningArm, clients: Clients
) -> None:
    arm.trouble.unregistered.add("microsoft.network")
    try:
        # The SDK's own policy registers, waits ten seconds until it is so, and asks again.
        assert list(clients.network.virtual_networks.list_all())
        assert arm.trouble.unregistered == set()
    finally:
        arm.trouble.unregistered.clear()


def test_the_subscription_and_its_groups(clients: Clients) -> None:
    version = "2022-12-01"
    listed = clients.raw("GET", f"/subscriptions?api-version={version}").json()["value"]
    one = clients.raw("GET", _path(clients, "", version)).json()
    assert listed == [one]
    groups = clients.raw("GET", _path(clients, "/resourcegroups", version)).json()["value"]
    assert {group["name"] for group in groups} == {GROUP, NODE_GROUP, "NetworkWatcherRG"}
    group = clients.raw("GET", _path(clients, f"/resourceGroups/{NODE_GROUP}", version)).json()
    assert group["managedBy"].endswith("/managedClusters/aksnet-lab")
    assert _refusal(clients, "GET", _path(clients, "/resourceGroups/none", version)) == (
        404,
        "ResourceGroupNotFound",
    )
    providers = clients.raw("GET", _path(clients, "/providers", version)).json()["value"]
    assert "Microsoft.Network" in {one["namespace"] for one in providers}


@pytest.mark.parametrize("size", [1, 2, 5])
def test_lists_come_in_pages(size: int, tmp_path: Path) -> None:
    with arm_server(tmp_path, LabOptions(arm_page_size=size)) as arm:
        clients = arm.clients
        path = _path(clients, f"/resourceGroups/{GROUP}{_NETWORKS}/vnet-aksnet-lab/subnets")
        first = clients.raw("GET", path).json()
        assert len(first["value"]) == min(size, 4)
        assert ("nextLink" in first) == (size < 4)
        names = [one.name for one in clients.network.subnets.list(GROUP, "vnet-aksnet-lab")]
        assert names == ["aks-nodes", "vms", "private-endpoints", "GatewaySubnet"]
        pages = list(clients.compute.resource_skus.list(filter="location eq 'westeurope'"))
        assert len(pages) == len({one.name for one in pages}) > 5
        assert _refusal(clients, "GET", f"{path}&$skipToken=x") == (400, "InvalidSkipToken")
