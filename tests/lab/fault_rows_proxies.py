"""Rows of the faults of service proxies about what a node serves, to whom, and when."""

import time
from dataclasses import replace
from typing import Any

from tests.lab.fault_rows import FaultRow, Scene

_LAST = -1
_SECONDS = 0.4


def _made(scene: Scene, name: str, **options: Any) -> Any:
    """A Service, which is made when it is first asked for."""
    found = scene.user.core.list_namespaced_service(scene.user.namespace).items
    for one in found:
        if one.metadata.name == name:
            return one
    return scene.service(name, **options)


def _first_and_last(scene: Scene, ip: str, port: int = 80) -> tuple[str, str]:
    """What comes of a connection from pods of the first and the last node."""
    places = (scene.pod(0), scene.pod(_LAST))
    first, last = (scene.tcp(place, ip, port, seconds=_SECONDS).outcome for place in places)
    return first, last


# -- udp-services-unserved --------------------------------------------------------------------


def _datagrams(scene: Scene) -> tuple[str, str]:
    scene.pod(1)
    ports = [{"port": 53, "targetPort": 8081, "protocol": "UDP"}]
    ip = _made(scene, "by-udp", app="pod1", ports=ports).spec.cluster_ip
    places = (scene.pod(0), scene.pod(_LAST))
    first, last = (scene.udp(place, ip, 53, seconds=_SECONDS).outcome for place in places)
    return first, last


def udp_is_served_everywhere(scene: Scene) -> None:
    assert _datagrams(scene) == ("ok", "ok")


def udp_is_not_served_on_the_last_node(scene: Scene) -> None:
    assert _datagrams(scene) == ("ok", "timeout")


# -- endpoint-preferred -----------------------------------------------------------------------


def _met(scene: Scene, place: str) -> set[str]:
    """How connections to a Service end of whose two endpoints one refuses."""
    scene.pod(1, "hears", app="hears-or-not")
    if "deaf" not in scene.pod_names():
        labels = {"app": "hears-or-not"}
        scene.user.create_pod("deaf", node=scene.nodes[0], labels=labels)
    scene.user.ready("deaf")
    ip = _made(scene, "hears-or-not").spec.cluster_ip
    assert len(scene.endpoints("hears-or-not")) == 2
    return {look.outcome for look in scene.tcps(place, ip, 80, count=24, seconds=_SECONDS)}


def both_endpoints_are_met(scene: Scene) -> None:
    # Only one of two is met by 24 connections once in 2^23.
    assert len(_met(scene, scene.pod(0))) == len(_met(scene, scene.pod(_LAST))) == 2


def only_one_endpoint_is_met_from_the_last_node(scene: Scene) -> None:
    assert len(_met(scene, scene.pod(0))) == 2
    assert len(_met(scene, scene.pod(_LAST))) == 1


# -- deleted-service-served -------------------------------------------------------------------


def _of_a_deleted_service(scene: Scene) -> tuple[str, str]:
    scene.pod(1)
    ip = _made(scene, "deleted", app="pod1").spec.cluster_ip
    scene.user.eventually(lambda: _first_and_last(scene, ip) == ("ok", "ok"), "it is served")
    scene.user.core.delete_namespaced_service("deleted", scene.user.namespace)
    scene.user.eventually(lambda: _first_and_last(scene, ip)[0] != "ok", "it is gone")
    return _first_and_last(scene, ip)


def a_deleted_service_is_gone(scene: Scene) -> None:
    assert "ok" not in _of_a_deleted_service(scene)


def a_deleted_service_is_served_on_the_last_node(scene: Scene) -> None:
    first, last = _of_a_deleted_service(scene)
    assert first != "ok"
    assert last == "ok"


# -- cluster-ip-open-ports --------------------------------------------------------------------


def _of_other_ports(scene: Scene) -> list[tuple[str, str]]:
    scene.pod(1)
    service = _made(scene, "ports", app="pod1", kind="NodePort")
    ports = (80, 81, service.spec.ports[0].node_port)
    return [_first_and_last(scene, service.spec.cluster_ip, port) for port in ports]


def only_its_port_is_served(scene: Scene) -> None:
    served, *others = _of_other_ports(scene)
    assert served == ("ok", "ok")
    assert all("ok" not in other for other in others)


def other_ports_are_served_on_the_last_node(scene: Scene) -> None:
    served, *others = _of_other_ports(scene)
    assert served == ("ok", "ok")
    assert [last for _, last in others] == ["ok", "ok"]
    assert all(first != "ok" for first, _ in others)


# -- unserved-service-silent ------------------------------------------------------------------


def _of_nobody(scene: Scene) -> tuple[str, str]:
    ip = _made(scene, "nobody", wait=False).spec.cluster_ip
    return _first_and_last(scene, ip)


def a_service_of_nobody_refuses(scene: Scene) -> None:
    assert _of_nobody(scene) == ("refused", "refused")


def a_service_of_nobody_is_silent_on_the_last_node(scene: Scene) -> None:
    assert _of_nobody(scene) == ("refused", "timeout")


# -- second-port-unserved ---------------------------------------------------------------------


def _of_the_second_port(scene: Scene) -> tuple[tuple[str, str], tuple[str, str]]:
    scene.pod(1)
    ports = [
        {"name": name, "port": port, "targetPort": 8080} for name, port in (("a", 80), ("b", 90))
    ]
    ip = _made(scene, "two-ports", app="pod1", ports=ports).spec.cluster_ip
    return _first_and_last(scene, ip), _first_and_last(scene, ip, 90)


def both_ports_are_served(scene: Scene) -> None:
    assert _of_the_second_port(scene) == (("ok", "ok"), ("ok", "ok"))


def the_second_port_is_not_served_on_the_last_node(scene: Scene) -> None:
    first_port, (elsewhere, here) = _of_the_second_port(scene)
    assert first_port == ("ok", "ok")
    assert elsewhere == "ok"
    assert here != "ok"


# -- topology-hints-strict --------------------------------------------------------------------


def _of_the_first_zone(scene: Scene) -> tuple[str, str]:
    """A Service whose only endpoint is in the zone of the first node."""
    scene.pod(0)
    service = _made(scene, "zonal", app="pod0", trafficDistribution="PreferClose")
    return _first_and_last(scene, service.spec.cluster_ip)


def a_zone_without_endpoint_is_served(scene: Scene) -> None:
    assert _of_the_first_zone(scene) == ("ok", "ok")


def the_last_zone_is_not_served(scene: Scene) -> None:
    first, last = _of_the_first_zone(scene)
    assert first == "ok"
    assert last != "ok"


# -- kube-proxy-stopped -----------------------------------------------------------------------


def _of_the_proxy(scene: Scene) -> tuple[str, str]:
    """What it says of itself, and a Service that comes later, on the last node."""
    scene.pod(1)
    node, vm = scene.ip(scene.node(_LAST)), scene.host("vm")
    number = len(scene.user.core.list_namespaced_service(scene.user.namespace).items)
    ip = scene.service(f"later-{number}", app="pod1").spec.cluster_ip
    scene.user.eventually(
        lambda: scene.tcp(scene.pod(0), ip, 80, seconds=_SECONDS).ok, "it is served"
    )
    later = scene.tcp(scene.pod(_LAST), ip, 80, seconds=_SECONDS).outcome
    return scene.http(vm, f"http://{node}:10256/healthz").outcome, later


def the_proxy_is_alive(scene: Scene) -> None:
    assert _of_the_proxy(scene) == ("ok", "ok")


def the_proxy_is_not_there(scene: Scene) -> None:
    healthz, later = _of_the_proxy(scene)
    assert healthz == "refused"
    assert later != "ok"


# -- unready-endpoints-kept -------------------------------------------------------------------


def _listed_after_it_was_ready(scene: Scene) -> bool:
    """Whether a pod is an endpoint that was ready for a moment."""
    pods = scene.pod_names()
    name = f"once-{len(pods)}"
    once = {"readinessProbe": {"exec": {"command": ["mkdir", "/tmp/once"]}, "periodSeconds": 1}}
    once["readinessProbe"]["failureThreshold"] = 1
    volumes = [{"name": "tmp", "emptyDir": {}}]
    scene.service(name, wait=False)
    scene.user.create_pod(
        name,
        node=scene.nodes[0],
        labels={"app": name},
        container={**once, "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}]},
        volumes=volumes,
    )
    scene.user.eventually(lambda: bool(scene.endpoints(name)), "it is ready")

    def unready() -> bool:
        found = scene.user.core.read_namespaced_pod(name, scene.user.namespace)
        return any(one.type == "Ready" and one.status == "False" for one in found.status.conditions)

    scene.user.eventually(unready, "it is ready no more")
    deadline = time.monotonic() + 2.0
    while scene.endpoints(name) and time.monotonic() < deadline:
        time.sleep(0.1)
    return bool(scene.endpoints(name))


def a_pod_that_is_ready_no_more_is_no_endpoint(scene: Scene) -> None:
    assert not _listed_after_it_was_ready(scene)


def a_pod_that_is_ready_no_more_is_an_endpoint(scene: Scene) -> None:
    assert _listed_after_it_was_ready(scene)


_UNREADY = FaultRow(
    fault="unready-endpoints-kept",
    healthy=a_pod_that_is_ready_no_more_is_no_endpoint,
    broken=a_pod_that_is_ready_no_more_is_an_endpoint,
)
_CATALOGUE = tuple(
    FaultRow(
        fault=f"{fault}@LAST",
        healthy=healthy,
        broken=broken,
        slow=fault not in ("udp-services-unserved", "kube-proxy-stopped"),
    )
    for fault, healthy, broken in (
        ("udp-services-unserved", udp_is_served_everywhere, udp_is_not_served_on_the_last_node),
        ("endpoint-preferred", both_endpoints_are_met, only_one_endpoint_is_met_from_the_last_node),
        (
            "deleted-service-served",
            a_deleted_service_is_gone,
            a_deleted_service_is_served_on_the_last_node,
        ),
        ("cluster-ip-open-ports", only_its_port_is_served, other_ports_are_served_on_the_last_node),
        (
            "unserved-service-silent",
            a_service_of_nobody_refuses,
            a_service_of_nobody_is_silent_on_the_last_node,
        ),
        (
            "second-port-unserved",
            both_ports_are_served,
            the_second_port_is_not_served_on_the_last_node,
        ),
        ("topology-hints-strict", a_zone_without_endpoint_is_served, the_last_zone_is_not_served),
        ("kube-proxy-stopped", the_proxy_is_alive, the_proxy_is_not_there),
    )
)


def _with_other_proxies(row: FaultRow) -> tuple[FaultRow, FaultRow]:
    nftables = replace(row, settings=("service-proxy=nftables",), modes=("node-subnet",), slow=True)
    return nftables, replace(row, engine="cilium", modes=("overlay",), slow=True)


ROWS = (
    _UNREADY,
    *_CATALOGUE,
    *(other for row in _CATALOGUE for other in _with_other_proxies(row)),
)
