"""Rows of policy engines that spare or hold ways which are none between pods, and of their gaps."""

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from tests.lab.fault_rows import Condition, FaultRow, Scene
from tests.lab.scene import HTTP_PORT, Look, script

_SILENCE_S = 0.5
_KUBELET = 10250
_GAP_S = 600
_SERIAL = itertools.count(1)
_INGRESS = {"podSelector": {"matchLabels": {"app": "target"}}, "ingress": []}
_EGRESS = {"podSelector": {"matchLabels": {"app": "target"}}, "policyTypes": ["Egress"]}
_OPEN = {**_INGRESS, "ingress": [{}]}
_TALK = """
import socket, sys
client = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
client.settimeout(1)
print("connected", flush=True)
sys.stdin.readline()
try:
    client.sendall(b"GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
    print("answer" if client.recv(100) else "closed", flush=True)
except OSError as error:
    print(type(error).__name__, flush=True)
"""


def _target(scene: Scene, node: int = -1) -> str:
    return scene.pod(node, f"target{node}", app="target")


@contextlib.contextmanager
def _policy(scene: Scene, spec: Mapping[str, Any]) -> Iterator[None]:
    """As long as the block runs; each has a name of its own."""
    name, networking = f"row{next(_SERIAL)}", scene.user.networking
    scene.user.create_policy(name, spec)
    try:
        yield
    finally:
        networking.delete_namespaced_network_policy(name, scene.user.namespace)


def _tcp(scene: Scene, place: str, host: str, port: int = HTTP_PORT) -> Look:
    look = scene.tcp(place, host, port, seconds=_SILENCE_S)
    assert look.outcome in ("ok", "timeout"), look
    return look


def _into_target(*, node: bool, client6: bool | None = None) -> Condition:
    """Under a deny of ingress: a pod is kept out; the first node, and over IPv6 the pod, or not."""

    def condition(scene: Scene) -> None:
        client, target = scene.pod(0, "client"), _target(scene)
        with _policy(scene, _INGRESS):
            assert not _tcp(scene, client, scene.ip(target)).ok
            assert _tcp(scene, scene.node(0), scene.ip(target)).ok is node
            assert _tcp(scene, scene.node(-1), scene.ip(target)).ok
            if client6 is not None:
                assert _tcp(scene, client, scene.ip6(target)).ok is client6
        assert _tcp(scene, client, scene.ip(target)).ok

    return condition


def _out_to_own_node(*, is_open: bool) -> Condition:
    def condition(scene: Scene) -> None:
        target, own = _target(scene), scene.ip(scene.node(-1))
        assert _tcp(scene, target, own, _KUBELET).ok
        with _policy(scene, _EGRESS):
            assert not _tcp(scene, target, scene.ip(scene.node(0)), _KUBELET).ok
            assert _tcp(scene, target, own, _KUBELET).ok is is_open

    return condition


def _host_network_pod(*, is_open: bool) -> Condition:
    """A pod of the last node's network, by its port, under a deny that selects it."""

    def condition(scene: Scene) -> None:
        client, user = scene.pod(0, "client"), scene.user
        if "agent" not in scene.pod_names():
            user.create_pod(
                "agent",
                command=["python3", "-c", script("reflect_script"), "18999", "18999"],
                node=scene.nodes[-1],
                labels={"app": "target"},
                container={
                    "ports": [{"name": "http", "containerPort": 18999}],
                    "readinessProbe": {"tcpSocket": {"port": 18999}, "periodSeconds": 1},
                },
                hostNetwork=True,
            )
        user.ready("agent")
        with _policy(scene, _INGRESS):
            assert _tcp(scene, client, scene.ip(scene.node(-1)), 18999).ok is is_open

    return condition


def _connection_after_deny(said: str) -> Condition:
    """What becomes of a connection that is used after a deny that came later holds."""

    def condition(scene: Scene) -> None:
        client, target = scene.pod(0, "client"), _target(scene)
        arguments = (scene.ip(target), str(HTTP_PORT))
        with scene.talks(client, "python3", "-c", _TALK, *arguments) as stream:
            assert stream.next() == (1, b"connected\n")
            with _policy(scene, _INGRESS):
                assert not _tcp(scene, client, scene.ip(target)).ok
                stream.send(0, b"\n")
                assert stream.next() == (1, f"{said}\n".encode())

    return condition


def _after_change(*, is_open: bool) -> Condition:
    """A policy that allows everything has just come."""

    def condition(scene: Scene) -> None:
        client, target = scene.pod(0, "client"), _target(scene)
        with _policy(scene, _OPEN):
            assert _tcp(scene, client, scene.ip(target)).ok is is_open

    return condition


ROWS = (
    FaultRow(
        fault="policy-lets-nodes-in@LAST",
        healthy=_into_target(node=False),
        broken=_into_target(node=True),
        modes=("overlay",),
        slow=True,
    ),
    FaultRow(
        fault="policy-own-node-open@LAST",
        healthy=_out_to_own_node(is_open=False),
        broken=_out_to_own_node(is_open=True),
        modes=("overlay", "kubenet"),
        slow=True,
    ),
    FaultRow(
        fault="policy-holds-host-network@LAST",
        healthy=_host_network_pod(is_open=True),
        broken=_host_network_pod(is_open=False),
        modes=("overlay",),
        slow=True,
    ),
    FaultRow(
        fault="policy-spares-connections@LAST",
        healthy=_connection_after_deny("TimeoutError"),
        broken=_connection_after_deny("answer"),
        modes=("overlay",),
        engine="cilium",
        slow=True,
    ),
    FaultRow(
        fault=f"policy-update-gap={_GAP_S}@LAST",
        healthy=_after_change(is_open=True),
        broken=_after_change(is_open=False),
        modes=("overlay",),
        slow=True,
    ),
    FaultRow(
        fault="policy-ipv6-not-enforced@LAST",
        healthy=_into_target(node=False, client6=False),
        broken=_into_target(node=False, client6=True),
        settings=("dual-stack=true",),
        modes=("overlay",),
        slow=True,
    ),
)
