"""Rows of the faults of pods' own interfaces, ports of nodes, and the way to a kubelet."""

import ipaddress

from kubernetes.client import ApiException

from tests.lab.fault_rows import FaultRow, Scene
from tests.lab.scene import script

_LAST = -1
_QUIET = 0.4
_HOST_PORT, _LOW_PORT, _HIGH_PORT, _UDP_PORT = 28088, 39000, 45000, 45001
_LEFT_OVER = ipaddress.ip_network("10.88.0.0/16")
_MSS = """
import socket, struct, sys
with socket.create_connection((sys.argv[1], 8080), 3) as connection:
    info = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 104)
    print(struct.unpack_from("=I", info, 16)[0] + (12 if info[5] & 1 else 0))
"""


def _new_pod_on_the_last_node(scene: Scene) -> str:
    if "new" in scene.pod_names():
        scene.delete_pod("new")
    return scene.pod(_LAST, "new")


def a_new_pod_is_reached(scene: Scene) -> None:
    new = _new_pod_on_the_last_node(scene)
    assert ipaddress.ip_address(scene.ip(new)) not in _LEFT_OVER
    assert scene.tcp(scene.pod(0), scene.ip(new)).ok


def a_new_pod_has_an_address_that_nothing_routes(scene: Scene) -> None:
    new = _new_pod_on_the_last_node(scene)
    assert ipaddress.ip_address(scene.ip(new)) in _LEFT_OVER
    assert scene.tcp(scene.node(_LAST), scene.ip(new)).ok
    assert not scene.tcp(scene.pod(0), scene.ip(new), seconds=_QUIET).ok


def _twice(scene: Scene) -> list[str]:
    """Addresses of the last node that are a pod's."""
    pods = scene.user.core.list_pod_for_all_namespaces().items
    own = {pod.status.pod_ip for pod in pods if not pod.spec.host_network}
    node = scene.user.core.read_node(scene.nodes[_LAST])
    return [one.address for one in node.status.addresses if one.address in own]


def nodes_list_their_own_addresses(scene: Scene) -> None:
    assert _twice(scene) == []


def the_last_node_lists_one_of_a_pod(scene: Scene) -> None:
    assert len(_twice(scene)) == 1


def _mtu(scene: Scene, place: str) -> int:
    return int(scene.run(place, "cat", "/sys/class/net/eth0/mtu").stdout)


def links_are_equally_wide(scene: Scene) -> None:
    assert [_mtu(scene, scene.pod(index)) for index in (0, _LAST)] == [1500, 1500]


def links_of_the_last_node_are_narrow(scene: Scene) -> None:
    assert [_mtu(scene, scene.pod(index)) for index in (0, _LAST)] == [1500, 1400]
    assert scene.tcp(scene.pod(0), scene.ip(scene.pod(_LAST))).ok


def pods_reach_themselves(scene: Scene) -> None:
    last = scene.pod(_LAST)
    assert scene.tcp(last, "127.0.0.1").ok
    assert scene.tcp(last, scene.ip(last)).ok


def pods_of_the_last_node_do_not_reach_themselves(scene: Scene) -> None:
    last = scene.pod(_LAST)
    assert not scene.tcp(last, "127.0.0.1", seconds=_QUIET).ok
    assert not scene.tcp(last, scene.ip(last), seconds=_QUIET).ok
    assert scene.tcp(last, scene.ip(scene.pod(0))).ok
    assert scene.tcp(scene.pod(0), "127.0.0.1").ok


def _mss(scene: Scene, source: str, target: str) -> int:
    return int(scene.run(source, "python3", "-c", _MSS, scene.ip(target)).stdout)


def segments_are_as_long_as_links_take(scene: Scene) -> None:
    assert _mss(scene, scene.pod(0), scene.pod(_LAST)) == 1460


def segments_to_the_last_node_are_short(scene: Scene) -> None:
    assert _mss(scene, scene.pod(0), scene.pod(_LAST)) == 1200
    assert _mss(scene, scene.pod(_LAST), scene.pod(0)) == 1200
    assert _mss(scene, scene.pod(0), scene.pod(1)) == 1460


def _published(scene: Scene) -> None:
    """A pod on the last node whose port is the node's, too."""
    if "published" not in scene.pod_names():
        scene.user.create_pod(
            "published",
            command=["python3", "-c", script("reflect_script")],
            node=scene.nodes[_LAST],
            container={"ports": [{"containerPort": 8080, "hostPort": _HOST_PORT}]},
        )
    scene.user.ready("published")


def _host_port(scene: Scene, source: str, node: int) -> str:
    ip = scene.ip(scene.node(node))
    return scene.tcp(source, ip, _HOST_PORT, seconds=_QUIET).outcome


def the_nodes_port_is_the_pods(scene: Scene) -> None:
    _published(scene)
    for source in (scene.pod(0), scene.pod(_LAST), scene.node(0), scene.node(_LAST)):
        assert _host_port(scene, source, _LAST) == "ok"
    assert _host_port(scene, scene.pod(_LAST), 0) == "refused"


def the_nodes_port_is_nobodys(scene: Scene) -> None:
    _published(scene)
    for source in (scene.pod(0), scene.node(0), scene.node(_LAST)):
        assert _host_port(scene, source, _LAST) == "refused"
    assert scene.tcp(scene.pod(0), scene.user.pod_ip("published")).ok


def _problem(scene: Scene, index: int) -> str:
    """Status and answer of reading the log of a node's pod; empty where it could be read."""
    name = scene.pod(index).rsplit("/", 1)[1]
    try:
        scene.user.core.read_namespaced_pod_log(name, scene.user.namespace)
    except ApiException as refused:
        return f"{refused.status} {refused.body}"
    return ""


def logs_come_from_all_nodes(scene: Scene) -> None:
    assert [_problem(scene, 0), _problem(scene, _LAST)] == ["", ""]


def no_log_comes_from_the_last_node(scene: Scene) -> None:
    assert _problem(scene, 0) == ""
    problem = _problem(scene, _LAST)
    assert problem.startswith("500 ")
    assert "10250: i/o timeout" in problem
    assert scene.tcp(scene.pod(0), scene.ip(scene.pod(_LAST))).ok


def all_ports_are_open(scene: Scene) -> None:
    _ports(scene, high=True)


def only_low_ports_are_open(scene: Scene) -> None:
    _ports(scene, high=False)


def _ports(scene: Scene, *, high: bool) -> None:
    first, last = scene.pod(0), scene.pod(_LAST)
    with (
        scene.served(last, _LOW_PORT, _UDP_PORT),
        scene.served(last, _HIGH_PORT, _UDP_PORT + 1),
    ):
        assert scene.tcp(first, scene.ip(last), _LOW_PORT).ok
        assert scene.tcp(first, scene.ip(last), _HIGH_PORT, seconds=_QUIET).ok == high
        neighbour = scene.pod(_LAST, "neighbour")
        assert scene.tcp(neighbour, scene.ip(last), _HIGH_PORT).ok


ROWS = (
    FaultRow(
        fault="cni-config-left-over@LAST",
        healthy=a_new_pod_is_reached,
        broken=a_new_pod_has_an_address_that_nothing_routes,
        modes=("overlay", "node-subnet", "pod-subnet"),
    ),
    FaultRow(
        fault="node-has-pod-address@LAST",
        healthy=nodes_list_their_own_addresses,
        broken=the_last_node_lists_one_of_a_pod,
    ),
    FaultRow(
        fault="pod-mtu-lowered@LAST",
        healthy=links_are_equally_wide,
        broken=links_of_the_last_node_are_narrow,
    ),
    FaultRow(
        fault="pod-loopback-down@LAST",
        healthy=pods_reach_themselves,
        broken=pods_of_the_last_node_do_not_reach_themselves,
    ),
    FaultRow(
        fault="mss-clamped@LAST",
        healthy=segments_are_as_long_as_links_take,
        broken=segments_to_the_last_node_are_short,
    ),
    FaultRow(
        fault="host-port-unmapped@LAST",
        healthy=the_nodes_port_is_the_pods,
        broken=the_nodes_port_is_nobodys,
        modes=("kubenet", "overlay", "node-subnet", "pod-subnet"),
    ),
    FaultRow(
        fault="kubelet-tunnel-down@LAST",
        healthy=logs_come_from_all_nodes,
        broken=no_log_comes_from_the_last_node,
        modes=("overlay",),
    ),
    FaultRow(
        fault="nsg-blocks-high-ports",
        healthy=all_ports_are_open,
        broken=only_low_ports_are_open,
        modes=("overlay", "node-subnet", "kubenet"),
    ),
)
