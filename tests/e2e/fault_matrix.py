"""Which checks each fault must fail, and the words by which the message names its cause.

Node faults hit the last node of the lab. `N` stands for the names of its nodes in sorted order:
0 system, 1 and 2 user; a pair is `source..target`, as in the ids of the tests.
"""

from dataclasses import dataclass, field

NODES = (
    "aks-system-26541870-vmss000000",
    "aks-user-31337042-vmss000000",
    "aks-user-31337042-vmss000001",
)


def on(check: str, *nodes: int) -> set[str]:
    """The variants of a check for these nodes."""
    return {f"{check}[{NODES[node]}]" for node in nodes}


def between(check: str, *pairs: tuple[int, int]) -> set[str]:
    """The variants of a check for these pairs of nodes."""
    return {f"{check}[{NODES[source]}..{NODES[target]}]" for source, target in pairs}


RING = ((0, 1), (1, 2), (2, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault in one mode. `names_cause` are words of which each failure must have one."""

    fault: str
    mode: str
    fails: set[str]
    names_cause: tuple[str, ...] = field(default=())


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


MATRIX = tuple(
    Row(fault=fault, mode=mode, fails=fails(mode), names_cause=words)
    for mode in _BOTH_MODES
    for fault, fails, words in (
        ("private-zone-unlinked", _private_zone_unlinked, ("not linked",)),
        ("masquerade-inside-vnet", _masquerade_inside_vnet, ("masquerade", "SNAT", "drops")),
        ("policy-not-enforced-on-node", _policy_not_enforced, ("not enforced on node",)),
        ("nic-without-vf", _nic_without_vf, ("virtual function", "accelerated networking")),
        ("kube-proxy-rules-missing", _kube_proxy_rules_missing, ("service proxy",)),
        ("local-policy-loses-source", _local_policy_loses_source, ("masqueraded",)),
    )
)
