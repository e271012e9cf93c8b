"""Rows of the faults of service proxies: Services that are served wrongly."""

import secrets
from dataclasses import replace
from typing import Any

from tests.lab.fault_rows import FaultRow, Scene

_LAST = -1
_TELLS_ITS_NAME = """
import socket, socketserver
class Tell(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.recv(99)
        self.request.sendall(socket.gethostname().encode())
socketserver.ThreadingTCPServer(("", 8080), Tell).serve_forever()
"""


def _service(scene: Scene, name: str, *, app: str = "", **options: Any) -> str:
    """The cluster IP of a Service, which is made when it is first asked for."""
    found = scene.user.core.list_namespaced_service(scene.user.namespace).items
    for one in found:
        if one.metadata.name == name:
            return str(one.spec.cluster_ip)
    return str(scene.service(name, app=app, **options).spec.cluster_ip)


def _outcomes(scene: Scene, place: str, ip: str, count: int = 24, port: int = 80) -> set[str]:
    return {look.outcome for look in scene.tcps(place, ip, port, count=count, seconds=0.15)}


# -- stale-endpoint ---------------------------------------------------------------------------


def two_endpoints_serve(scene: Scene) -> None:
    scene.pod(0, "stays", app="two")
    scene.pod(1, "goes", app="two")
    ip = _service(scene, "two")
    assert len(scene.endpoints("two")) == 2
    assert _outcomes(scene, scene.pod(_LAST), ip) == {"ok"}


def an_endpoint_that_went_is_still_used_on_the_last_node(scene: Scene) -> None:
    if "goes" in scene.pod_names():
        scene.delete_pod("goes")
    assert len(scene.endpoints("two")) == 1
    ip = _service(scene, "two")
    assert _outcomes(scene, scene.pod(0), ip) == {"ok"}
    # None of 24 goes to the one of two that went: once in 2^24.
    seen = _outcomes(scene, scene.pod(_LAST), ip)
    assert "ok" in seen
    assert len(seen) > 1


# -- stale-udp-conntrack ----------------------------------------------------------------------


def _send_to(scene: Scene, pod: str) -> None:
    """Have the Service "datagrams" sent to the UDP server of one pod."""
    namespace, discovery = scene.user.namespace, scene.user.discovery
    body = {
        "metadata": {"name": "datagrams-1", "labels": {"kubernetes.io/service-name": "datagrams"}},
        "addressType": "IPv4",
        "ports": [{"name": "", "protocol": "UDP", "port": 8081}],
        "endpoints": [{"addresses": [scene.ip(pod)]}],
    }
    names = [one.metadata.name for one in discovery.list_namespaced_endpoint_slice(namespace).items]
    if "datagrams-1" in names:
        discovery.replace_namespaced_endpoint_slice("datagrams-1", namespace, body)
    else:
        discovery.create_namespaced_endpoint_slice(namespace, body)


def _datagrams_of_a_steady_client(scene: Scene) -> tuple[str, str]:
    """What it gets after its first endpoint, which refuses, was replaced; and a new client."""
    names = [
        one.metadata.name
        for one in scene.user.core.list_namespaced_service(scene.user.namespace).items
    ]
    if "datagrams" not in names:
        body = {
            "metadata": {"name": "datagrams"},
            "spec": {"ports": [{"port": 53, "protocol": "UDP"}]},
        }
        scene.user.core.create_namespaced_service(scene.user.namespace, body)
        scene.user.create_pod("deaf", node=scene.nodes[0])
    scene.user.ready("deaf")
    ip = _service(scene, "datagrams")
    deaf, server = f"pod/{scene.user.namespace}/deaf", scene.pod(1)
    client = scene.pod(_LAST)
    port = 20000 + secrets.randbelow(10000)  # no flow of an earlier look is met
    _send_to(scene, deaf)
    scene.user.eventually(
        lambda: scene.udp(client, ip, 53, seconds=0.3, source_port=port).outcome == "refused",
        "the deaf pod refuses",
    )
    _send_to(scene, server)
    scene.user.eventually(
        lambda: scene.udp(scene.pod(0), ip, 53, seconds=0.3).ok, "the other endpoint serves"
    )
    steady = scene.udp(client, ip, 53, seconds=0.3, source_port=port).outcome
    return steady, scene.udp(client, ip, 53, seconds=0.3).outcome


def a_steady_udp_client_follows_the_endpoints(scene: Scene) -> None:
    assert _datagrams_of_a_steady_client(scene) == ("ok", "ok")


def a_steady_udp_client_keeps_the_old_endpoint(scene: Scene) -> None:
    assert _datagrams_of_a_steady_client(scene) == ("refused", "ok")


# -- hairpin-broken ---------------------------------------------------------------------------


def _of_itself(scene: Scene) -> tuple[str, str]:
    itself = scene.pod(_LAST)
    ip = _service(scene, "itself", app=itself.rpartition("/")[2])
    others = scene.tcp(scene.pod(0), ip, 80, seconds=0.5).outcome
    return scene.tcp(itself, ip, 80, seconds=0.5).outcome, others


def a_pod_reaches_itself(scene: Scene) -> None:
    assert _of_itself(scene) == ("ok", "ok")


def a_pod_does_not_reach_itself(scene: Scene) -> None:
    assert _of_itself(scene) == ("timeout", "ok")


# -- session-affinity-lost --------------------------------------------------------------------


def _servers_of_a_client(scene: Scene, client: str) -> set[str]:
    names = scene.pod_names()
    for number, name in enumerate(("first", "second")):
        if name not in names:
            scene.user.create_pod(
                name,
                command=["python3", "-c", _TELLS_ITS_NAME],
                node=scene.nodes[number],
                labels={"app": "sticky"},
                container={"readinessProbe": {"tcpSocket": {"port": 8080}, "periodSeconds": 1}},
            )
    scene.user.ready("first", "second")
    ip = _service(scene, "sticky", sessionAffinity="ClientIP")
    assert len(scene.endpoints("sticky")) == 2
    looks = scene.tcps(client, ip, 80, count=20, message="who?")
    assert all(look.ok for look in looks)
    return {look.text for look in looks}


def a_client_keeps_its_endpoint(scene: Scene) -> None:
    assert len(_servers_of_a_client(scene, scene.pod(0))) == 1
    assert len(_servers_of_a_client(scene, scene.pod(_LAST))) == 1


def a_client_of_the_last_node_meets_every_endpoint(scene: Scene) -> None:
    assert len(_servers_of_a_client(scene, scene.pod(0))) == 1
    assert len(_servers_of_a_client(scene, scene.pod(_LAST))) == 2


# -- endpoint-slice-empty ---------------------------------------------------------------------


def a_ready_pod_is_an_endpoint(scene: Scene) -> None:
    scene.pod(1, "listed", app="listed")
    ip = _service(scene, "listed", wait=False)
    assert scene.endpoints("listed") == [scene.ip(scene.pod(1, "listed"))]
    assert scene.tcp(scene.pod(0), ip, 80).ok


def a_ready_pod_is_no_endpoint(scene: Scene) -> None:
    ip = _service(scene, "listed", wait=False)
    assert scene.endpoints("listed") == []
    assert scene.tcp(scene.pod(0), ip, 80).outcome == "refused"
    assert scene.tcp(scene.pod(0), scene.ip(scene.pod(1, "listed"))).ok


# -- kube-proxy-stale -------------------------------------------------------------------------


def _of_a_new_service(scene: Scene) -> tuple[str, str]:
    """From the first and the last node."""
    scene.pod(1)
    _service(scene, "old", app="pod1")
    number = len(scene.user.core.list_namespaced_service(scene.user.namespace).items)
    ip = _service(scene, f"new-{number}", app="pod1")
    scene.user.eventually(lambda: scene.tcp(scene.pod(0), ip, 80, seconds=0.3).ok, "it is served")
    assert scene.tcp(scene.pod(_LAST), _service(scene, "old"), 80).ok
    first, last = scene.pod(0), scene.pod(_LAST)
    return scene.tcp(first, ip, 80).outcome, scene.tcp(last, ip, 80, seconds=0.3).outcome


def a_new_service_is_known_everywhere(scene: Scene) -> None:
    assert _of_a_new_service(scene) == ("ok", "ok")


def a_new_service_is_unknown_on_the_last_node(scene: Scene) -> None:
    first, last = _of_a_new_service(scene)
    assert first == "ok"
    # In nftables mode addresses of Services that are not known are dropped as well.
    assert last == "timeout"


# -- conntrack-full ---------------------------------------------------------------------------


def _new_flows(scene: Scene, place: str) -> set[str]:
    looks = scene.udps(place, scene.ip(scene.pod(1)), count=130, seconds=0.02)
    return {look.outcome for look in looks}


def _shown_limit(scene: Scene) -> int:
    done = scene.run(scene.node(_LAST), "cat", "/proc/sys/net/netfilter/nf_conntrack_max")
    return int(done.stdout)


def many_flows_begin(scene: Scene) -> None:
    assert _new_flows(scene, scene.pod(_LAST)) == {"ok"}
    assert _shown_limit(scene) != 100


def no_more_flows_begin_than_the_table_holds(scene: Scene) -> None:
    assert "timeout" in _new_flows(scene, scene.pod(_LAST))
    assert _new_flows(scene, scene.pod(0)) == {"ok"}
    assert _shown_limit(scene) == 100


# -- node-port-not-opened ---------------------------------------------------------------------


def _of_node_ports(scene: Scene) -> tuple[str, str]:
    """At the first and the last node, from a machine in the VNet."""
    scene.pod(1)
    _service(scene, "port", app="pod1", kind="NodePort")
    service = scene.user.core.read_namespaced_service("port", scene.user.namespace)
    port = service.spec.ports[0].node_port
    vm = scene.host("vm")
    first, last = (scene.ip(scene.node(index)) for index in (0, _LAST))
    return scene.tcp(vm, first, port).outcome, scene.tcp(vm, last, port).outcome


def every_node_serves_the_node_port(scene: Scene) -> None:
    assert _of_node_ports(scene) == ("ok", "ok")


def the_last_node_refuses_the_node_port(scene: Scene) -> None:
    assert _of_node_ports(scene) == ("ok", "refused")


# -- internal-policy-ignored ------------------------------------------------------------------


def _of_the_first_nodes_pod(scene: Scene) -> tuple[str, str]:
    """A Service with internalTrafficPolicy Local, asked from the first and the last node."""
    scene.pod(0, "near", app="near")
    ip = _service(scene, "near", internalTrafficPolicy="Local")
    first, last = scene.pod(0), scene.pod(_LAST)
    return scene.tcp(first, ip, 80).outcome, scene.tcp(last, ip, 80, seconds=0.3).outcome


def an_internal_policy_keeps_to_the_node(scene: Scene) -> None:
    assert _of_the_first_nodes_pod(scene) == ("ok", "timeout")


def an_internal_policy_does_not_keep_to_the_node(scene: Scene) -> None:
    assert _of_the_first_nodes_pod(scene) == ("ok", "ok")


# -- masquerade-all ---------------------------------------------------------------------------


def _seen_as(scene: Scene) -> tuple[str, str]:
    """What a pod behind a Service sees of another pod, and that pod's address."""
    scene.pod(1)
    ip = _service(scene, "seen", app="pod1")
    return scene.seen(scene.pod(_LAST), ip, 80), scene.ip(scene.pod(_LAST))


def a_service_shows_the_pod(scene: Scene) -> None:
    seen, own = _seen_as(scene)
    assert seen == own


def a_service_hides_the_pod(scene: Scene) -> None:
    seen, own = _seen_as(scene)
    assert seen == scene.ip(scene.node(_LAST)) != own


# -- faults that have tests of their own, with every proxy ------------------------------------


def the_last_node_serves(scene: Scene) -> None:
    scene.pod(0)
    ip = _service(scene, "served", app="pod0")
    assert scene.tcp(scene.pod(_LAST), ip, 80).ok
    assert scene.tcp(scene.pod(1), ip, 80).ok


def the_last_node_does_not_serve(scene: Scene) -> None:
    ip = _service(scene, "served", app="pod0")
    assert scene.tcp(scene.pod(_LAST), ip, 80, seconds=0.5).outcome == "timeout"
    assert scene.tcp(scene.pod(1), ip, 80).ok


def _client_of_a_local_node_port(scene: Scene) -> str:
    scene.pod(1)
    _service(scene, "local", app="pod1", kind="NodePort", externalTrafficPolicy="Local")
    service = scene.user.core.read_namespaced_service("local", scene.user.namespace)
    node = scene.ip(scene.node(1))
    return scene.seen(scene.host("vm"), node, service.spec.ports[0].node_port)


def a_local_policy_shows_the_client(scene: Scene) -> None:
    assert _client_of_a_local_node_port(scene) == scene.ip(scene.host("vm"))


def a_local_policy_hides_the_client(scene: Scene) -> None:
    seen = _client_of_a_local_node_port(scene)
    assert seen not in (scene.ip(scene.host("vm")), "timeout", "refused")


def _health_check(scene: Scene) -> str:
    scene.pod(_LAST)
    app = f"pod{len(scene.nodes) - 1}"
    _service(scene, "checked", app=app, kind="LoadBalancer", externalTrafficPolicy="Local")
    service = scene.user.core.read_namespaced_service("checked", scene.user.namespace)
    node, port = scene.ip(scene.node(_LAST)), service.spec.health_check_node_port
    return scene.http(scene.host("vm"), f"http://{node}:{port}/healthz").outcome


def the_health_check_port_answers(scene: Scene) -> None:
    assert _health_check(scene) == "ok"


def the_health_check_port_is_dead(scene: Scene) -> None:
    assert _health_check(scene) == "refused"


_CATALOGUE = (
    FaultRow(
        fault="stale-endpoint@LAST",
        healthy=two_endpoints_serve,
        broken=an_endpoint_that_went_is_still_used_on_the_last_node,
    ),
    FaultRow(
        fault="stale-udp-conntrack@LAST",
        healthy=a_steady_udp_client_follows_the_endpoints,
        broken=a_steady_udp_client_keeps_the_old_endpoint,
    ),
    FaultRow(
        fault="hairpin-broken@LAST",
        healthy=a_pod_reaches_itself,
        broken=a_pod_does_not_reach_itself,
    ),
    FaultRow(
        fault="session-affinity-lost@LAST",
        healthy=a_client_keeps_its_endpoint,
        broken=a_client_of_the_last_node_meets_every_endpoint,
    ),
    FaultRow(
        fault="endpoint-slice-empty",
        healthy=a_ready_pod_is_an_endpoint,
        broken=a_ready_pod_is_no_endpoint,
    ),
    FaultRow(
        fault="kube-proxy-stale@LAST",
        healthy=a_new_service_is_known_everywhere,
        broken=a_new_service_is_unknown_on_the_last_node,
    ),
    FaultRow(
        fault="conntrack-full=100@LAST",
        healthy=many_flows_begin,
        broken=no_more_flows_begin_than_the_table_holds,
    ),
    FaultRow(
        fault="node-port-not-opened@LAST",
        healthy=every_node_serves_the_node_port,
        broken=the_last_node_refuses_the_node_port,
    ),
    FaultRow(
        fault="internal-policy-ignored@LAST",
        healthy=an_internal_policy_keeps_to_the_node,
        broken=an_internal_policy_does_not_keep_to_the_node,
    ),
    FaultRow(
        fault="masquerade-all",
        healthy=a_service_shows_the_pod,
        broken=a_service_hides_the_pod,
    ),
)
_ALSO = (
    FaultRow(
        fault="kube-proxy-rules-missing@LAST",
        healthy=the_last_node_serves,
        broken=the_last_node_does_not_serve,
    ),
    FaultRow(
        fault="local-policy-loses-source",
        healthy=a_local_policy_shows_the_client,
        broken=a_local_policy_hides_the_client,
    ),
    FaultRow(
        fault="health-check-port-dead@LAST",
        healthy=the_health_check_port_answers,
        broken=the_health_check_port_is_dead,
    ),
)


def _with_other_proxies(row: FaultRow) -> list[FaultRow]:
    nftables = replace(row, settings=("service-proxy=nftables",), modes=("node-subnet",), slow=True)
    cilium = replace(row, engine="cilium", modes=("overlay",), slow=True)
    return [nftables] if row.fault == "masquerade-all" else [nftables, cilium]


ROWS = (
    *_CATALOGUE,
    *(other for row in (*_CATALOGUE, *_ALSO) for other in _with_other_proxies(row)),
)
