"""Faults of Azure Resource Manager, as clients of it see them. They are the same in every mode."""

import time
from functools import cache
from pathlib import Path
from typing import Any

import requests

from pytest_aksnet.lab.spec import NODE_RESOURCE_GROUP, RESOURCE_GROUP
from tests.lab.arm_clients import API_VERSION, Clients
from tests.lab.arm_server import read_environment
from tests.lab.fault_rows import Condition, FaultRow, Scene

_ONE_MODE = ("overlay",)
_SLOW_SECONDS = 1.5


@cache
def _clients_of(azure: Path) -> Clients:
    return Clients(read_environment(azure))


def clients(scene: Scene) -> Clients:
    """Clients of a scene's lab, the same ones with the same tokens for all who ask."""
    return _clients_of(scene.lab.azure)


def _get(scene: Scene, kind: str, version: str = API_VERSION) -> requests.Response:
    one = clients(scene)
    return one.raw("GET", f"/subscriptions/{one.subscription}{kind}?api-version={version}")


def _networks(scene: Scene) -> requests.Response:
    return _get(scene, "/providers/Microsoft.Network/virtualNetworks")


def _answers(status: int, code: str = "") -> Condition:
    def condition(scene: Scene) -> None:
        answer = _networks(scene)
        assert answer.status_code == status
        if code:
            assert answer.json()["error"]["code"] == code

    return condition


def _throttled(scene: Scene) -> None:
    answer = _networks(scene)
    assert answer.status_code == 429
    assert int(answer.headers["Retry-After"]) >= 1


def _fast(scene: Scene) -> None:
    assert _seconds(scene) < _SLOW_SECONDS


def _slow(scene: Scene) -> None:
    assert _seconds(scene) >= _SLOW_SECONDS


def _seconds(scene: Scene) -> float:
    begin = time.monotonic()
    assert _networks(scene).status_code == 200
    return time.monotonic() - begin


def _fields(scene: Scene) -> int:
    answer = _networks(scene)
    assert answer.status_code == 200
    return _count(answer.json())


def _count(value: Any) -> int:
    if isinstance(value, dict):
        return len(value) + sum(map(_count, value.values()))
    return sum(map(_count, value)) if isinstance(value, list) else 0


def _whole(scene: Scene) -> None:
    assert len({_fields(scene) for _ in range(3)}) == 1
    assert "addressPrefix" in _networks(scene).text


def _withheld(scene: Scene) -> None:
    assert len({_fields(scene) for _ in range(5)}) > 1


def _held_token_is_good(scene: Scene) -> None:
    assert _networks(scene).status_code == 200


def _held_token_is_refused(scene: Scene) -> None:
    answer = _networks(scene)
    assert answer.status_code == 401
    assert 'error="insufficient_claims"' in answer.headers["WWW-Authenticate"]
    # A client of the SDK gets a new one, and nobody notices.
    assert list(clients(scene).network.virtual_networks.list_all())


def _effective_routes(scene: Scene) -> requests.Response:
    one = clients(scene)
    base = f"/subscriptions/{one.subscription}/resourceGroups/{RESOURCE_GROUP}/providers"
    begun = one.raw(
        "POST",
        f"{base}/Microsoft.Network/networkInterfaces/vm-nic/effectiveRouteTable"
        f"?api-version={API_VERSION}",
    )
    assert begun.status_code == 202
    return one.raw("GET", begun.headers["Azure-AsyncOperation"].removeprefix(one.url))


def _operation_succeeds(scene: Scene) -> None:
    assert _effective_routes(scene).json()["status"] == "Succeeded"


def _operation_fails(scene: Scene) -> None:
    answer = _effective_routes(scene)
    assert answer.status_code == 200
    assert answer.json()["status"] == "Failed"
    assert answer.json()["error"]["code"]


def _metrics(scene: Scene) -> requests.Response:
    balancer = f"/resourceGroups/{NODE_RESOURCE_GROUP}/providers/Microsoft.Network/loadBalancers"
    path = f"{balancer}/kubernetes/providers/Microsoft.Insights/metricDefinitions"
    return _get(scene, path, "2024-02-01")


def _registered(scene: Scene) -> None:
    assert _metrics(scene).status_code == 200


def _unregistered(scene: Scene) -> None:
    answer = _metrics(scene)
    assert answer.status_code == 409
    assert answer.json()["error"]["code"] == "MissingSubscriptionRegistration"
    assert _networks(scene).status_code == 200


def _accelerated(scene: Scene) -> dict[str, bool]:
    """What ARM says of each node's interface, by the node's name."""
    network, compute = clients(scene).network, clients(scene).compute
    found = {}
    for scale_set in compute.virtual_machine_scale_sets.list(NODE_RESOURCE_GROUP):
        for machine in compute.virtual_machine_scale_set_vms.list(
            NODE_RESOURCE_GROUP, scale_set.name
        ):
            [nic] = network.network_interfaces.list_virtual_machine_scale_set_vm_network_interfaces(
                NODE_RESOURCE_GROUP, scale_set.name, machine.instance_id
            )
            found[machine.os_profile.computer_name] = nic.enable_accelerated_networking
    return found


def _all_accelerated(scene: Scene) -> None:
    assert _accelerated(scene) == dict.fromkeys(scene.nodes, True)
    assert _has_vf(scene)


def _last_not_accelerated(scene: Scene) -> None:
    assert _accelerated(scene) == {name: name != scene.nodes[-1] for name in scene.nodes}
    assert not _has_vf(scene)


def _has_vf(scene: Scene) -> bool:
    done = scene.lab.tool("exec", scene.node(-1), "--", "ls", "/sys/class/net")
    return any(name.startswith("enP") for name in done.stdout.split())


ROWS = (
    FaultRow(
        fault="arm-403",
        healthy=_answers(200),
        broken=_answers(403, "AuthorizationFailed"),
        modes=_ONE_MODE,
    ),
    FaultRow(fault="arm-429=1", healthy=_answers(200), broken=_throttled, modes=_ONE_MODE),
    FaultRow(
        fault="arm-5xx=1",
        healthy=_answers(200),
        broken=_answers(503, "ServerTimeout"),
        modes=_ONE_MODE,
    ),
    FaultRow(fault=f"arm-slow={_SLOW_SECONDS}", healthy=_fast, broken=_slow, modes=_ONE_MODE),
    FaultRow(fault="arm-half-broken=1", healthy=_whole, broken=_withheld, modes=_ONE_MODE),
    FaultRow(
        fault="arm-token-expired",
        healthy=_held_token_is_good,
        broken=_held_token_is_refused,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="arm-operation-fails",
        healthy=_operation_succeeds,
        broken=_operation_fails,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="arm-provider-unregistered",
        healthy=_registered,
        broken=_unregistered,
        modes=_ONE_MODE,
    ),
    FaultRow(
        fault="accelerated-networking-off@LAST",
        healthy=_all_accelerated,
        broken=_last_not_accelerated,
        modes=_ONE_MODE,
    ),
)
