"""Rows of the checks of pods and nodes: what faults of the pod network fail."""

from tests.e2e.fault_matrix import Row, between, on

_ALL = (0, 1, 2)
_LAST = 2
_TOUCH_LAST = ((1, _LAST), (_LAST, 0))
_DUAL_STACK = ("dual-stack=true",)
# Of those that ask from or to pods of every node: one answer of the last node is wrong.
_WHOLE = {
    "pod-network.icmp-echo",
    "pod-network.ports",
    "pod-network.received-mss",
}


def _pods_of_the_last_node_unreached() -> set[str]:
    """What needs the way between pods of the last node and pods of other nodes."""
    return (
        between("pod-network.other-node", *_TOUCH_LAST)
        | between("pod-network.source-kept", *_TOUCH_LAST)
        | between("pod-network.node-to-pod", (1, _LAST))
        | between("pod-network.loss", *_TOUCH_LAST)
        | between("pod-network.many-connections", *_TOUCH_LAST)
        | on("pod-network.mesh-tcp", *_ALL)
        | on("pod-network.mesh-udp", *_ALL)
        | on("pod-network.path-mtu", *_ALL)
        | on("pod-network.default-route", _LAST)
        | _WHOLE
    )


def _asked_from_the_last_node() -> set[str]:
    """What looks from pods of the last node, or from those of every node."""
    return (
        on("pod-network.mesh-tcp", _LAST)
        | on("pod-network.mesh-udp", _LAST)
        | on("pod-network.path-mtu", _LAST)
        | on("pod-network.default-route", _LAST)
        | on("pod-network.api-server", _LAST)
        | on("pod-network.node-to-node", _LAST)
        | on("pod-network.pod-to-node", _LAST)
        | on("pod-network.same-node", _LAST)
        | between("pod-network.other-node", (_LAST, 0))
        | between("pod-network.source-kept", (_LAST, 0))
        | between("pod-network.node-to-pod", (_LAST, 0))
        | between("pod-network.pod-to-other-node", (_LAST, 0))
        | between("pod-network.loss", (_LAST, 0))
        | between("pod-network.many-connections", (_LAST, 0))
        | between("pod-network.host-port", (_LAST, 0))
        | {
            "pod-network.host-network-pod",
            "pod-network.interface-mtu",
            "pod-network.loopback",
            "pod-network.path-mtu-node",
        }
        | _WHOLE
    )


def _pod_route_missing(mode: str) -> set[str]:
    """What the rows over all topics do not have yet."""
    fails = (
        between("pod-network.loss", *_TOUCH_LAST)
        | between("pod-network.many-connections", *_TOUCH_LAST)
        | on("pod-network.default-route", _LAST)
        | _WHOLE
    )
    if mode == "node-subnet":
        # Pods keep their addresses towards nodes, so answers of nodes have to find them as well.
        fails |= {"pod-network.host-network-pod", "pod-network.path-mtu-node"} | between(
            "pod-network.host-port", (_LAST, 0)
        )
    return fails


def _nsg_blocks_node_ports(_mode: str) -> set[str]:
    return (
        {"pod-network.host-network-pod"}
        | on("pod-network.node-to-node", 0, 1)
        | between("pod-network.host-port", (1, _LAST))
    )


def _node_drops_pod_traffic(_mode: str) -> set[str]:
    return {"pod-network.host-network-pod"}


def _long_packets_lost(_mode: str) -> set[str]:
    return {"pod-network.path-mtu-node"}


def _kube_proxy_rules_missing(_mode: str) -> set[str]:
    return on("pod-network.api-server", _LAST)


_OF_ALL_TOPICS = tuple(
    Row(
        fault=fault,
        mode=mode,
        fails=fails(mode),
        names_cause=words,
        quick=(mode, fault) == ("overlay", "kube-proxy-rules-missing"),
    )
    for mode in ("overlay", "node-subnet")
    for fault, fails, words in (
        ("pod-route-missing", _pod_route_missing, ("is broken",)),
        ("nsg-blocks-node-ports", _nsg_blocks_node_ports, ("network security group",)),
        ("node-drops-pod-traffic", _node_drops_pod_traffic, ("to its own address",)),
        ("long-packets-lost", _long_packets_lost, ("path MTU black hole",)),
        ("kube-proxy-rules-missing", _kube_proxy_rules_missing, ("service proxy",)),
    )
)


ROWS = (
    *_OF_ALL_TOPICS,
    Row(
        fault="cni-config-left-over",
        fails=_pods_of_the_last_node_unreached()
        | {"pod-network.addresses-in-range"}
        | on("pod-network.same-node", _LAST),
        names_cause=("outside of the ranges", "is broken", "SNAT"),
    ),
    Row(
        fault="node-has-pod-address",
        fails={"pod-network.addresses-unique"},
        names_cause=("in use twice",),
    ),
    # An empty list of the masquerade agent names no pod range.
    Row(
        fault="masquerade-inside-vnet",
        fails=set(),
        cannot_judge={"pod-network.addresses-in-range"},
        names_why=("the fact 'pod-cidrs'",),
    ),
    Row(
        fault="leaked-pod-ip",
        mode="node-subnet",
        fails={"pod-network.addresses-given-again"},
        names_cause=("not given again",),
        # That check has used up what the node had: further pods do not start there.
        cannot_judge={"pod-network.ports"}
        | between("pod-network.host-port", (1, _LAST))
        | on("pod-network.same-node", _LAST),
        names_why=("does not start",),
    ),
    Row(
        fault="ip-forwarding-off",
        fails=_pods_of_the_last_node_unreached()
        | {"pod-network.host-network-pod", "pod-network.path-mtu-node"}
        | on("pod-network.api-server", _LAST)
        | on("pod-network.same-node", _LAST)
        | between("pod-network.pod-to-other-node", (_LAST, 0))
        | between("pod-network.host-port", *_TOUCH_LAST),
    ),
    Row(
        fault="nsg-blocks-high-ports",
        fails={"pod-network.ports"},
        names_cause=("65535",),
        quick=True,
    ),
    Row(
        fault="host-port-unmapped",
        fails=between("pod-network.host-port", (1, _LAST)),
        names_cause=("portmap",),
    ),
    Row(
        fault="pod-mtu-lowered",
        fails={"pod-network.interface-mtu"},
        names_cause=("1400",),
    ),
    Row(
        fault="pod-loopback-down",
        fails={"pod-network.loopback"},
        names_cause=("127.0.0.1",),
        # Who does not reach itself proves nothing by what else it does not reach.
        cannot_judge={"pod-network.host-network-pod", "pod-network.path-mtu-node"}
        | on("pod-network.mesh-tcp", _LAST)
        | on("pod-network.mesh-udp", _LAST)
        | on("pod-network.path-mtu", _LAST),
    ),
    Row(
        fault="mss-clamped",
        fails={"pod-network.received-mss"},
        names_cause=("a middlebox",),
    ),
    Row(
        fault="mtu-blackhole",
        fails=on("pod-network.path-mtu", *_ALL) | {"pod-network.path-mtu-node"},
        names_cause=("path MTU black hole",),
    ),
    Row(
        fault="conntrack-full=150",
        fails=between("pod-network.many-connections", *_TOUCH_LAST),
        names_cause=("200 connections at once",),
    ),
    Row(
        fault="packet-loss=0.03@aks-user-31337042-vmss000001",
        fails=between("pod-network.loss", *_TOUCH_LAST),
        names_cause=("more than chance explains",),
    ),
    Row(
        fault="icmp-blocked",
        fails={"pod-network.icmp-echo"},
        names_cause=("ICMP",),
    ),
    Row(
        fault="ipv6-half-broken",
        settings=_DUAL_STACK,
        fails={
            "pod-network.ipv6-mesh",
            "pod-network.ipv6-source-kept",
            "pod-network.ipv6-path-mtu",
        },
        names_cause=("is broken",),
    ),
    Row(
        fault="kubelet-tunnel-down",
        fails=on("pod-network.exec-tunnel", _LAST) | on("pod-network.log-tunnel", _LAST),
        names_cause=("10250",),
        cannot_judge=_asked_from_the_last_node(),
        names_why=("no answer of the agent", "10250"),
    ),
)
