"""Rows of the faults of control plane and kubelets: what follows the pods no more."""

import secrets
import time

from tests.lab.fault_rows import FaultRow, Scene

_LAST = -1
_STILL_S = 2.5  # for so long nothing may follow what was changed


def _service_over_two_nodes(scene: Scene) -> str:
    """The cluster IP of a Service with a pod on the first and one on the last node."""
    scene.pod(0, "near", app="pair")
    scene.pod(_LAST, "far", app="pair")
    names = [
        one.metadata.name
        for one in scene.user.core.list_namespaced_service(scene.user.namespace).items
    ]
    if "pair" not in names:
        scene.service("pair", app="pair")
    found = scene.user.core.read_namespaced_service("pair", scene.user.namespace)
    return str(found.spec.cluster_ip)


def _is_ready(scene: Scene) -> str:
    """The status of the last node's Ready condition."""
    node = scene.user.core.read_node(scene.nodes[_LAST])
    return next(str(one.status) for one in node.status.conditions if one.type == "Ready")


# -- node-not-ready ---------------------------------------------------------------------------


def the_last_node_is_ready_and_serves(scene: Scene) -> None:
    ip = _service_over_two_nodes(scene)
    assert _is_ready(scene) == "True"
    assert len(scene.endpoints("pair")) == 2
    client = scene.pod(0)
    assert {look.outcome for look in scene.tcps(client, ip, 80, count=8)} == {"ok"}
    assert scene.tcp(client, scene.ip(scene.pod(_LAST, "far"))).ok


def its_pods_run_on_but_get_nothing_from_services(scene: Scene) -> None:
    assert _is_ready(scene) == "Unknown"
    ip = _service_over_two_nodes_now(scene)
    far = scene.ip(scene.pod(_LAST, "far", wait=False))
    assert far not in scene.endpoints("pair")
    client = scene.pod(0)
    assert {look.outcome for look in scene.tcps(client, ip, 80, count=8)} == {"ok"}
    assert scene.tcp(client, far).ok


def _service_over_two_nodes_now(scene: Scene) -> str:
    found = scene.user.core.read_namespaced_service("pair", scene.user.namespace)
    return str(found.spec.cluster_ip)


# -- scheduler-down ---------------------------------------------------------------------------


def a_new_pod_is_placed_and_reached(scene: Scene) -> None:
    fresh = scene.pod(0, f"new-{secrets.token_hex(3)}")
    assert scene.tcp(scene.pod(0), scene.ip(fresh)).ok
    assert scene.tcp(scene.pod(_LAST), scene.ip(fresh)).ok


def a_new_pod_stays_without_a_node(scene: Scene) -> None:
    name = f"new-{secrets.token_hex(3)}"
    scene.pod(0, name, wait=False)
    time.sleep(_STILL_S)
    found = scene.user.pod(name)
    assert (found.status.phase, found.spec.node_name) == ("Pending", None)
    assert not found.status.conditions
    # What runs goes on.
    assert scene.tcp(scene.pod(_LAST), scene.ip(scene.pod(0))).ok


# -- endpoint-controller-down -----------------------------------------------------------------


def _toggle(scene: Scene) -> bool:
    """Move a pod into its Service, or out of it; whether the endpoints follow."""
    scene.pod(_LAST, "moves")
    names = [
        one.metadata.name
        for one in scene.user.core.list_namespaced_service(scene.user.namespace).items
    ]
    if "moving" not in names:
        scene.service("moving", app="moving", wait=False)
    labels = scene.user.pod("moves").metadata.labels
    app = "moves" if labels["app"] == "moving" else "moving"
    body = {"metadata": {"labels": {"app": app}}}
    scene.user.core.patch_namespaced_pod("moves", scene.user.namespace, body)
    deadline = time.monotonic() + _STILL_S
    while time.monotonic() < deadline:
        if bool(scene.endpoints("moving")) == (app == "moving"):
            return True
        time.sleep(0.1)
    return False


def endpoints_follow_the_labels(scene: Scene) -> None:
    assert all(_toggle(scene) for _ in range(2))


def endpoints_stay_as_they_are(scene: Scene) -> None:
    followed = _toggle(scene)
    _toggle(scene)  # back again, for the next time
    assert not followed


# -- kubelet-slow-probes ----------------------------------------------------------------------


def _fail(scene: Scene) -> bool:
    """Let a pod's probe fail for a while; whether its Service noticed."""
    if "probed" not in scene.pod_names():
        probe = {"exec": {"command": ["test", "!", "-e", "/run/fails"]}, "periodSeconds": 1}
        scene.user.create_pod(
            "probed",
            node=scene.nodes[_LAST],
            container={"readinessProbe": {**probe, "failureThreshold": 1}},
        )
        scene.user.ready("probed")
        scene.service("probed")
    place = f"pod/{scene.user.namespace}/probed"
    scene.user.eventually(lambda: bool(scene.endpoints("probed")), "the pod is an endpoint")
    scene.run(place, "touch", "/run/fails")
    deadline = time.monotonic() + _STILL_S
    while noticed := bool(scene.endpoints("probed")):
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    scene.run(place, "rm", "/run/fails")
    scene.user.eventually(lambda: bool(scene.endpoints("probed")), "it is one again")
    return not noticed


def a_failing_probe_takes_the_endpoint_away(scene: Scene) -> None:
    assert _fail(scene)


def a_failing_probe_is_not_noticed(scene: Scene) -> None:
    assert not _fail(scene)


ROWS = (
    FaultRow(
        fault="node-not-ready@LAST",
        healthy=the_last_node_is_ready_and_serves,
        broken=its_pods_run_on_but_get_nothing_from_services,
    ),
    FaultRow(
        fault="scheduler-down",
        healthy=a_new_pod_is_placed_and_reached,
        broken=a_new_pod_stays_without_a_node,
    ),
    FaultRow(
        fault="endpoint-controller-down",
        healthy=endpoints_follow_the_labels,
        broken=endpoints_stay_as_they_are,
    ),
    FaultRow(
        fault="kubelet-slow-probes=30@LAST",
        healthy=a_failing_probe_takes_the_endpoint_away,
        broken=a_failing_probe_is_not_noticed,
    ),
)
