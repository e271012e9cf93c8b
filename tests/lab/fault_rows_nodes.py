"""Rows of the faults of a node's side: wires of pods, their addresses, and masquerade."""

import json
from typing import Any

from tests.lab.fault_rows import FaultRow, Scene

_LAST = -1
_QUIET = 0.4
_ANY_TAINT = [{"operator": "Exists"}]
_SERVED, _SERVED_UDP = 9000, 9001


# -- masquerade ------------------------------------------------------------------------------


def outside_sees_the_egress_address(scene: Scene) -> None:
    assert scene.seen(scene.pod(0), _internet(scene), 80) == scene.spec.egress_ip
    assert scene.tcp(scene.pod(0), scene.ip(scene.host("vm")), 80).ok


def nothing_outside_answers_pods(scene: Scene) -> None:
    assert scene.tcp(scene.pod(0), _internet(scene), 80, seconds=_QUIET).outcome == "timeout"
    vm = scene.tcp(scene.pod(0), scene.ip(scene.host("vm")), 80, seconds=_QUIET)
    assert vm.outcome == ("timeout" if scene.spec.pods_have_cidr else "ok")
    assert scene.tcp(scene.pod(0), scene.ip(scene.pod(1))).ok
    assert scene.seen(scene.node(0), _internet(scene), 80) == scene.spec.egress_ip


def _internet(scene: Scene) -> str:
    return scene.ip(scene.host("internet"))


# -- the wires of one node's pods ------------------------------------------------------------


def pods_reach_each_other(scene: Scene) -> None:
    first, last = scene.pod(0), scene.pod(_LAST)
    assert scene.tcp(first, scene.ip(last)).ok
    assert scene.tcp(last, scene.ip(first)).ok
    assert scene.tcp(last, scene.ip(scene.pod(_LAST, "neighbour"))).ok
    assert scene.tcp(scene.node(_LAST), scene.ip(last)).ok


def _others_are_as_before(scene: Scene) -> None:
    assert scene.tcp(scene.pod(0), scene.ip(scene.pod(1))).ok
    assert scene.seen(scene.node(_LAST), _internet(scene), 80) == scene.spec.egress_ip


def pods_of_the_node_are_cut_off(scene: Scene) -> None:
    last = scene.pod(_LAST)
    assert not scene.tcp(scene.pod(0), scene.ip(last), seconds=_QUIET).ok
    assert not scene.tcp(last, scene.ip(scene.pod(0)), seconds=_QUIET).ok
    assert not scene.tcp(last, scene.ip(scene.pod(_LAST, "neighbour")), seconds=_QUIET).ok
    assert not scene.tcp(scene.node(_LAST), scene.ip(last), seconds=_QUIET).ok
    _others_are_as_before(scene)


def pods_find_no_gateway(scene: Scene) -> None:
    last = scene.pod(_LAST)
    assert scene.tcp(scene.pod(0), scene.ip(last), seconds=_QUIET).outcome == "timeout"
    assert scene.tcp(last, scene.ip(scene.pod(0)), seconds=_QUIET).outcome == "timeout"
    neighbours = scene.run(last, "ip", "neigh", "show", "dev", "eth0").stdout
    assert "PERMANENT" in neighbours
    assert "aa:aa:aa:00:00:01" in neighbours
    _others_are_as_before(scene)


def the_node_does_not_forward(scene: Scene) -> None:
    last = scene.pod(_LAST)
    assert scene.tcp(scene.pod(0), scene.ip(last), seconds=_QUIET).outcome == "timeout"
    assert not scene.tcp(last, scene.ip(scene.pod(0)), seconds=_QUIET).ok
    assert scene.tcp(scene.node(_LAST), scene.ip(last)).ok
    neighbour = scene.tcp(last, scene.ip(scene.pod(_LAST, "neighbour")), seconds=_QUIET)
    # Pods of a bridge are neighbours: nothing is forwarded between them.
    assert neighbour.ok == (scene.spec.mode == "kubenet")
    _others_are_as_before(scene)


# -- the addresses of pods -------------------------------------------------------------------


def every_pod_has_an_address_of_its_own(scene: Scene) -> None:
    original, twin = scene.pod(0, "original"), _new_pod(scene, "twin")
    assert scene.ip(original) != scene.ip(twin)
    with scene.served(twin, _SERVED, _SERVED_UDP):
        for place in (scene.pod(0), scene.node(_LAST)):
            assert scene.tcp(place, scene.ip(twin), _SERVED).ok


def who_answers_depends_on_where_one_asks(scene: Scene) -> None:
    original, twin = scene.pod(0, "original"), _new_pod(scene, "twin")
    assert scene.ip(original) == scene.ip(twin)
    with scene.served(twin, _SERVED, _SERVED_UDP):
        assert scene.tcp(scene.pod(0), scene.ip(twin), _SERVED).outcome == "refused"
        assert scene.tcp(scene.node(_LAST), scene.ip(twin), _SERVED).ok


def _new_pod(scene: Scene, name: str) -> str:
    """A pod of that name on the last node that was made just now."""
    if name in scene.pod_names():
        scene.delete_pod(name)
    return scene.pod(_LAST, name)


def a_deleted_pods_address_is_free(scene: Scene) -> None:
    ip = _address_of_a_deleted_pod(scene)
    scene.user.eventually(lambda: ip not in _allocated(scene), f"{ip} is free")


def a_deleted_pods_address_stays_allocated(scene: Scene) -> None:
    ip = _address_of_a_deleted_pod(scene)
    # The next pod's entry is written after the deletion of this one.
    other = scene.ip(_new_pod(scene, "next"))
    scene.user.eventually(lambda: other in _allocated(scene), f"{other} is allocated")
    assert ip in _allocated(scene)
    assert not scene.tcp(scene.pod(0), ip, seconds=_QUIET).ok


def _address_of_a_deleted_pod(scene: Scene) -> str:
    ip = scene.ip(_new_pod(scene, "short"))
    scene.user.eventually(lambda: ip in _allocated(scene), f"{ip} is allocated")
    scene.delete_pod("short")
    return ip


def _allocated(scene: Scene) -> set[str]:
    """What the IPAM store on the last node has as allocated."""
    if scene.spec.mode == "kubenet":
        listed = scene.run(scene.node(_LAST), "ls", "/var/lib/cni/networks/kubenet")
        return set(listed.stdout.split())
    shown = scene.run(scene.node(_LAST), "cat", "/var/run/azure-vnet-ipam.json").stdout
    pools = json.loads(shown)["IPAM"]["AddressSpaces"]["local"]["Pools"]
    return {
        ip
        for pool in pools.values()
        for ip, entry in pool["Addresses"].items()
        if entry["InUse"] and entry["ID"]
    }


def a_new_pod_starts(scene: Scene) -> None:
    assert scene.tcp(scene.pod(0), scene.ip(scene.pod(1))).ok
    assert scene.tcp(scene.pod(0), scene.ip(scene.pod(_LAST, "late"))).ok


def a_new_pod_gets_no_address(scene: Scene) -> None:
    words = {
        "node-subnet": "Failed to allocate address: No available addresses",
        "pod-subnet": "waiting on Azure CNS to allocate more",
    }
    _late_pod_waits(scene, "FailedCreatePodSandBox", words[scene.spec.mode])
    assert scene.tcp(scene.pod(0), scene.ip(scene.pod(1))).ok


def _late_pod_waits(scene: Scene, reason: str, words: str) -> None:
    """The pod `late`, made anew, has no address, and an event says why."""
    if "late" in scene.pod_names() and scene.user.pod("late").status.pod_ip:
        scene.delete_pod("late")
    scene.pod(_LAST, "late", wait=False, tolerations=_ANY_TAINT)
    pod = scene.user.pod("late")
    assert pod.status.phase == "Pending"
    assert not pod.status.pod_ip
    events = scene.user.core.list_namespaced_event(
        scene.user.namespace, field_selector=f"involvedObject.uid={pod.metadata.uid}"
    ).items
    assert [one.message for one in events if one.reason == reason and words in one.message]


# -- the plugin's configuration --------------------------------------------------------------


def the_node_is_ready(scene: Scene) -> None:
    assert _ready(scene).status == "True"
    assert scene.run(scene.node(_LAST), "ls", "/etc/cni/net.d").stdout.strip()
    a_new_pod_starts(scene)


def the_node_starts_no_pods(scene: Scene) -> None:
    ready = _ready(scene)
    assert ready.status == "False"
    assert "cni plugin not initialized" in ready.message
    assert scene.run(scene.node(_LAST), "ls", "/etc/cni/net.d").stdout == ""
    _late_pod_waits(scene, "NetworkNotReady", "cni plugin not initialized")
    _others_are_as_before(scene)


def _ready(scene: Scene) -> Any:
    node = scene.user.core.read_node(scene.nodes[_LAST])
    return next(one for one in node.status.conditions if one.type == "Ready")


ROWS = (
    FaultRow(
        fault="masquerade-outside-missing",
        healthy=outside_sees_the_egress_address,
        broken=nothing_outside_answers_pods,
        modes=("overlay", "node-subnet", "kubenet"),
    ),
    FaultRow(
        fault="pod-veth-down@LAST",
        healthy=pods_reach_each_other,
        broken=pods_of_the_node_are_cut_off,
        modes=("node-subnet", "kubenet", "overlay", "pod-subnet"),
    ),
    FaultRow(
        fault="arp-entry-wrong@LAST",
        healthy=pods_reach_each_other,
        broken=pods_find_no_gateway,
    ),
    FaultRow(
        fault="ip-forwarding-off@LAST",
        healthy=pods_reach_each_other,
        broken=the_node_does_not_forward,
        modes=("kubenet", "overlay", "node-subnet", "pod-subnet"),
    ),
    FaultRow(
        fault="duplicate-pod-ip@LAST",
        healthy=every_pod_has_an_address_of_its_own,
        broken=who_answers_depends_on_where_one_asks,
        modes=("node-subnet", "pod-subnet"),
    ),
    FaultRow(
        fault="leaked-pod-ip@LAST",
        healthy=a_deleted_pods_address_is_free,
        broken=a_deleted_pods_address_stays_allocated,
        modes=("node-subnet", "kubenet"),
    ),
    FaultRow(
        fault="subnet-full",
        healthy=a_new_pod_starts,
        broken=a_new_pod_gets_no_address,
        modes=("pod-subnet", "node-subnet"),
    ),
    FaultRow(
        fault="cni-config-missing@LAST",
        healthy=the_node_is_ready,
        broken=the_node_starts_no_pods,
        modes=("overlay", "kubenet", "node-subnet", "pod-subnet"),
    ),
)
