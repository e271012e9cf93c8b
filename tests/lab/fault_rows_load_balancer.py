"""Rows of the faults of load balancers: who configures them, who gets in, who is asked."""

import json
from typing import Any

from tests.lab.fault_rows import FaultRow, Scene

_LAST = -1
_VM = "host/vm"
_QUICK = 0.3
_INTERNAL = {"service.beta.kubernetes.io/azure-load-balancer-internal": "true"}
_STRANGERS = ["192.0.2.0/24"]


def _frontend(scene: Scene, name: str, **spec: Any) -> str:
    """The address of an internal load balancer, which is made when it is first asked for."""
    core, namespace = scene.user.core, scene.user.namespace
    if name not in [one.metadata.name for one in core.list_namespaced_service(namespace).items]:
        app = scene.pod(_LAST).rpartition("/")[2]
        body = {
            "metadata": {"name": name, "annotations": _INTERNAL},
            "spec": {
                "type": "LoadBalancer",
                "selector": {"app": app},
                "ports": [{"port": 80, "targetPort": 8080}],
                **spec,
            },
        }
        core.create_namespaced_service(namespace, body)
    return scene.load_balancer_ip(name)


def _new_name(scene: Scene) -> str:
    found = scene.user.core.list_namespaced_service(scene.user.namespace).items
    return f"new-{len(found)}"


# -- lb-internal-ignored ----------------------------------------------------------------------


def internal_is_of_the_vnet(scene: Scene) -> None:
    assert _frontend(scene, _new_name(scene)).startswith("10.224.200.")


def internal_is_public(scene: Scene) -> None:
    assert _frontend(scene, _new_name(scene)).startswith("198.51.100.")


# -- lb-address-moves -------------------------------------------------------------------------


def _addresses_around_a_change(scene: Scene) -> tuple[str, str]:
    before = _frontend(scene, "changing")
    core, namespace = scene.user.core, scene.user.namespace
    kept = core.read_namespaced_service("changing", namespace).spec.session_affinity
    other = "ClientIP" if kept == "None" else "None"
    core.patch_namespaced_service("changing", namespace, {"spec": {"sessionAffinity": other}})
    return before, _frontend(scene, "changing")


def a_change_keeps_the_address(scene: Scene) -> None:
    before, after = _addresses_around_a_change(scene)
    assert before == after


def a_change_moves_the_address(scene: Scene) -> None:
    before, _ = _addresses_around_a_change(scene)
    scene.user.eventually(lambda: scene.load_balancer_ip("changing") != before, "it has moved")


# -- lb-cleanup-stuck -------------------------------------------------------------------------


def _deleted(scene: Scene) -> tuple[str, str]:
    """A Service that is deleted, and the address that it had."""
    name = _new_name(scene)
    address = _frontend(scene, name)
    scene.user.eventually(lambda: scene.tcp(_VM, address, 80, seconds=_QUICK).ok, "it serves")
    scene.user.core.delete_namespaced_service(name, scene.user.namespace)
    return name, address


def _names(scene: Scene) -> list[str]:
    found = scene.user.core.list_namespaced_service(scene.user.namespace).items
    return [one.metadata.name for one in found]


def a_deleted_service_is_gone(scene: Scene) -> None:
    name, address = _deleted(scene)
    scene.user.eventually(lambda: name not in _names(scene), "it is gone")
    assert not scene.tcp(_VM, address, 80, seconds=_QUICK).ok


def a_deleted_service_is_served(scene: Scene) -> None:
    name, address = _deleted(scene)
    assert name in _names(scene)
    assert scene.tcp(_VM, address, 80, seconds=_QUICK).ok


# -- source-ranges-ignored --------------------------------------------------------------------


def who_is_not_listed_stays_out(scene: Scene) -> None:
    fenced = _frontend(scene, "fenced", loadBalancerSourceRanges=_STRANGERS)
    assert scene.tcp(_VM, _frontend(scene, "open"), 80).ok
    assert scene.tcp(_VM, fenced, 80, seconds=_QUICK).outcome == "timeout"


def who_is_not_listed_gets_in(scene: Scene) -> None:
    assert scene.tcp(_VM, _frontend(scene, "fenced"), 80, seconds=_QUICK).ok


# -- health-check-stuck -----------------------------------------------------------------------


def _health(scene: Scene) -> list[int]:
    """What the first and the last node say of a Service whose pod is on the first."""
    scene.pod(0, "first", app="first")
    core, namespace = scene.user.core, scene.user.namespace
    if "checked" not in _names(scene):
        scene.service("checked", app="first", kind="LoadBalancer", externalTrafficPolicy="Local")
    port = core.read_namespaced_service("checked", namespace).spec.health_check_node_port
    said = []
    for index in (0, _LAST):
        url = f"http://{scene.ip(scene.node(index))}:{port}/healthz"
        done = scene.run(scene.node(0), "curl", "-s", "-m", "2", url)
        said.append(int(json.loads(done.stdout)["localEndpoints"]))
    return said


def health_is_told_as_it_is(scene: Scene) -> None:
    assert _health(scene) == [1, 0]


def the_last_node_says_that_it_serves(scene: Scene) -> None:
    assert _health(scene) == [1, 1]


ROWS = (
    FaultRow(
        fault="lb-internal-ignored", healthy=internal_is_of_the_vnet, broken=internal_is_public
    ),
    FaultRow(
        fault="lb-address-moves",
        healthy=a_change_keeps_the_address,
        broken=a_change_moves_the_address,
    ),
    FaultRow(
        fault="lb-cleanup-stuck",
        healthy=a_deleted_service_is_gone,
        broken=a_deleted_service_is_served,
    ),
    FaultRow(
        fault="source-ranges-ignored",
        healthy=who_is_not_listed_stays_out,
        broken=who_is_not_listed_gets_in,
    ),
    FaultRow(
        fault="health-check-stuck@LAST",
        healthy=health_is_told_as_it_is,
        broken=the_last_node_says_that_it_serves,
    ),
)
