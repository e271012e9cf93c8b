"""Rows of faults that reach over many topics: what each fails in all of them."""

from tests.e2e.fault_matrix import RING, Row, between, on

_ALL = (0, 1, 2)
_LAST = 2
_BOTH_MODES = ("overlay", "node-subnet")


def _private_zone_unlinked(_mode: str) -> set[str]:
    return on("private-link.resolves-private", *_ALL) | on("private-link.connects", *_ALL)


def _masquerade_inside_vnet(mode: str) -> set[str]:
    if mode == "node-subnet":
        return on("egress.source-at-vm", *_ALL)
    # The node of the target masquerades as well: what it forwards to a pod is not local to it.
    return (
        on("pod-network.same-node", *_ALL)
        | between("pod-network.source-kept", *RING)
        | on("traffic-policy.cluster-ip", *_ALL)
        | between("traffic-policy.internal-local", *RING)
        | on("traffic-policy.external-cluster", *_ALL)
        | on("traffic-policy.external-local-source", *_ALL)
        | between("network-policy.allow-by-pod", *RING)
        | between("network-policy.allow-by-namespace", *RING)
    )


def _policy_not_enforced(_mode: str) -> set[str]:
    return (
        on("network-policy.default-deny-ingress", _LAST)
        | on("network-policy.default-deny-egress", _LAST)
        | on("network-policy.dns-under-egress-deny", _LAST)
        | between("network-policy.allow-by-pod", (1, _LAST))
        | between("network-policy.allow-by-namespace", (1, _LAST))
    )


def _nic_without_vf(_mode: str) -> set[str]:
    return (
        on("accelerated-networking.vf-present", _LAST)
        | between("accelerated-networking.vf-used", (_LAST, 0))
        | between("accelerated-networking.throughput-between-nodes", (1, _LAST), (_LAST, 0))
    )


def _kube_proxy_rules_missing(_mode: str) -> set[str]:
    return (
        on("dns.service-name", _LAST)
        | on("dns.search-path", _LAST)
        | on("dns.external-names", _LAST)
        | on("private-link.resolves-private", _LAST)
        | on("private-link.connects", _LAST)
        | on("network-policy.dns-under-egress-deny", _LAST)
        | on("traffic-policy.cluster-ip", _LAST)
        | on("traffic-policy.hairpin", _LAST)
        | between("traffic-policy.internal-local", (1, _LAST))
        | on("traffic-policy.external-cluster", _LAST)
        | on("traffic-policy.external-local-source", _LAST)
        | on("traffic-policy.external-local-drops", _LAST)
    )


def _local_policy_loses_source(_mode: str) -> set[str]:
    return on("traffic-policy.external-local-source", *_ALL)


def _coredns_servfail(_mode: str) -> set[str]:
    return (
        {"dns.headless-service", "dns.external-name", "dns.every-replica"}
        | on("dns.service-name", *_ALL)
        | on("dns.search-path", *_ALL)
        | on("dns.external-names", *_ALL)
        | on("private-link.resolves-private", *_ALL)
        | on("private-link.connects", *_ALL)
        | on("network-policy.dns-under-egress-deny", *_ALL)
    )


_TOUCH_LAST = ((1, _LAST), (_LAST, 0))


def _pod_route_missing(mode: str) -> set[str]:
    # CoreDNS runs on the other two nodes.
    fails = (
        between("pod-network.other-node", *_TOUCH_LAST)
        | between("pod-network.source-kept", *_TOUCH_LAST)
        | between("pod-network.node-to-pod", (1, _LAST))
        | on("pod-network.mesh-tcp", *_ALL)
        | on("pod-network.mesh-udp", *_ALL)
        | on("pod-network.path-mtu", *_ALL)
        | on("dns.service-name", _LAST)
        | on("dns.search-path", _LAST)
        | on("dns.external-names", _LAST)
        | on("private-link.resolves-private", _LAST)
        | on("private-link.connects", _LAST)
        | on("network-policy.default-deny-ingress", _LAST)
        | on("network-policy.default-deny-egress", _LAST)
        | on("network-policy.dns-under-egress-deny", _LAST)
        | between("network-policy.allow-by-pod", *_TOUCH_LAST)
        | between("network-policy.allow-by-namespace", *_TOUCH_LAST)
        | on("traffic-policy.cluster-ip", _LAST)
    )
    if mode == "node-subnet":
        # Pods keep their addresses towards the VNet, so answers have to find them there as well.
        fails |= (
            between("pod-network.pod-to-other-node", (_LAST, 0))
            | between("egress.source-at-other-node", (_LAST, 0))
            | on("egress.source-at-vm", _LAST)
        )
    return fails


def _nsg_blocks_node_ports(_mode: str) -> set[str]:
    pair = (1, _LAST)
    return between("pod-network.pod-to-other-node", pair) | between(
        "egress.source-at-other-node", pair
    )


def _node_drops_pod_traffic(_mode: str) -> set[str]:
    return on("pod-network.pod-to-node", _LAST)


def _long_packets_lost(_mode: str) -> set[str]:
    return on("pod-network.path-mtu", *_ALL)


def _egress_address_changed(_mode: str) -> set[str]:
    return on("egress.source-at-internet", *_ALL) | on("egress.node-source-at-internet", *_ALL)


def _health_check_port_dead(_mode: str) -> set[str]:
    return between("traffic-policy.health-check-port", *_TOUCH_LAST)


def _pod_bandwidth_capped(_mode: str) -> set[str]:
    # Limited is what pods receive, so only the pair that sends to the node is slow.
    return between("accelerated-networking.pod-like-host", (1, _LAST))


_CANNOT_JUDGE = {
    # Who does not serve can only be judged by a pod that reaches the endpoint itself.
    "pod-route-missing": between("traffic-policy.internal-local", *_TOUCH_LAST),
}

# A few in every run; the others are thorough.
_QUICK = {
    ("overlay", "private-zone-unlinked"),
    ("overlay", "policy-not-enforced-on-node"),
    ("node-subnet", "masquerade-inside-vnet"),
}

ROWS = tuple(
    Row(
        fault=fault,
        mode=mode,
        fails=fails(mode),
        names_cause=words,
        cannot_judge=_CANNOT_JUDGE.get(fault, set()),
        quick=(mode, fault) in _QUICK,
    )
    for mode in _BOTH_MODES
    for fault, fails, words in (
        ("private-zone-unlinked", _private_zone_unlinked, ("not linked",)),
        ("masquerade-inside-vnet", _masquerade_inside_vnet, ("masquerade", "SNAT", "drops")),
        ("policy-not-enforced-on-node", _policy_not_enforced, ("not enforced on node",)),
        ("nic-without-vf", _nic_without_vf, ("virtual function", "accelerated networking")),
        ("kube-proxy-rules-missing", _kube_proxy_rules_missing, ("service proxy",)),
        ("local-policy-loses-source", _local_policy_loses_source, ("masqueraded",)),
        ("coredns-servfail", _coredns_servfail, ("SERVFAIL",)),
        (
            "pod-route-missing",
            _pod_route_missing,
            ("is broken", "do not answer pods on node", "the way to them"),
        ),
        ("nsg-blocks-node-ports", _nsg_blocks_node_ports, ("network security group",)),
        ("node-drops-pod-traffic", _node_drops_pod_traffic, ("to its own address",)),
        ("long-packets-lost", _long_packets_lost, ("path MTU black hole",)),
        ("egress-address-changed", _egress_address_changed, ("egress address has changed",)),
        ("health-check-port-dead", _health_check_port_dead, ("does not serve the port",)),
        ("pod-bandwidth-capped", _pod_bandwidth_capped, ("the pods' interfaces",)),
    )
)
