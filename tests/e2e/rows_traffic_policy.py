"""Rows of the checks of Services: what faults of service proxies, kubelets and slices fail.

All faults of a node hit the last one, so checks that look from every node fail there.
"""

from tests.e2e.fault_matrix import Row, between, on

_ALL = (0, 1, 2)
_LAST = 2
_TO_LAST = (1, _LAST)  # the pair whose target is the last node
_TOUCH_LAST = (_TO_LAST, (_LAST, 0))


def _ids(*claims: str) -> set[str]:
    return {f"traffic-policy.{claim}" for claim in claims}


# Checks that look from all nodes and fail where one of them does not know a new Service.
_ON_EVERY_NODE = _ids(
    *("cluster-ip-udp", "cluster-ip-from-node", "node-port", "node-port-udp", "multi-port"),
    *("manual-endpoints", "unserved", "unknown-port", "spread", "session-affinity"),
    *("traffic-distribution", "new-service", "deleted-service", "unready-pod"),
    *("stale-endpoints", "stale-udp-flow", "rolling-update"),
)
_AT_THE_LAST_NODE_PORT = (
    on("traffic-policy.external-cluster", _LAST)
    | on("traffic-policy.external-local-source", _LAST)
    | on("traffic-policy.external-local-drops", _LAST)
)
_ON_THE_LAST_NODE = (
    _AT_THE_LAST_NODE_PORT
    | on("traffic-policy.cluster-ip", _LAST)
    | on("traffic-policy.hairpin", _LAST)
    | between("traffic-policy.internal-local", _TO_LAST)
)
_RULES = ("service proxy",)
_SOURCE = ("masqueraded",)

ROWS = (
    Row(
        fault="udp-services-unserved",
        fails=_ids("cluster-ip-udp", "node-port-udp", "stale-udp-flow"),
        names_cause=_RULES,
    ),
    Row(
        fault="endpoint-preferred", fails=_ids("spread"), names_cause=("prefers some",), quick=True
    ),
    Row(
        fault="deleted-service-served",
        fails=_ids("deleted-service"),
        names_cause=("that are gone",),
    ),
    Row(
        fault="cluster-ip-open-ports",
        fails=_ids("unknown-port", "node-port-on-nodes-only"),
        names_cause=("not asked to serve",),
        quick=True,
    ),
    Row(
        fault="unserved-service-silent",
        fails=_ids("unserved"),
        names_cause=("no rule that rejects",),
    ),
    Row(
        fault="second-port-unserved",
        fails=_ids("multi-port", "cluster-ip-udp", "stale-udp-flow"),
        names_cause=_RULES,
    ),
    Row(
        fault="topology-hints-strict",
        fails=_ids("traffic-distribution"),
        names_cause=_RULES,
    ),
    Row(
        fault="kube-proxy-stopped",
        fails=_ON_EVERY_NODE
        | _ON_THE_LAST_NODE
        | _ids("proxy-healthy", "health-check-nodes")
        | between("traffic-policy.health-check-port", *_TOUCH_LAST),
        names_cause=_RULES,
    ),
    Row(
        fault="kube-proxy-stale",
        fails=_ON_EVERY_NODE | _ON_THE_LAST_NODE,
        names_cause=_RULES,
    ),
    Row(
        fault="unready-endpoints-kept",
        fails=_ids("endpoints-follow-pods", "unready-pod"),
        names_cause=("does not follow the pods",),
    ),
    Row(
        fault="kubelet-slow-probes",
        fails=_ids("unready-pod"),
        names_cause=("kubelet is late",),
    ),
    Row(
        fault="ipv6-half-broken",
        fails=_ids("dual-stack"),
        names_cause=("nothing answered",),
        settings=("dual-stack=true",),
    ),
    Row(
        fault="session-affinity-lost",
        fails=_ids("session-affinity"),
        names_cause=("affinity is lost",),
    ),
    Row(
        fault="stale-endpoint",
        fails=_ids("stale-endpoints", "stale-udp-flow", "unready-pod", "rolling-update"),
        names_cause=_RULES,
    ),
    Row(fault="stale-udp-conntrack", fails=_ids("stale-udp-flow"), names_cause=_RULES),
    Row(
        fault="node-port-not-opened",
        fails=_AT_THE_LAST_NODE_PORT | _ids("node-port", "node-port-udp"),
        names_cause=_RULES,
    ),
    Row(
        fault="health-check-stuck",
        fails=between("traffic-policy.health-check-port", (_LAST, 0)),
        names_cause=("should answer 503",),
    ),
    Row(
        fault="masquerade-inside-vnet",
        fails=_ids("cluster-ip-udp", "external-local-udp"),
        names_cause=_SOURCE,
    ),
    Row(
        fault="pod-route-missing",
        fails=_ON_EVERY_NODE - _ids("cluster-ip-from-node", "node-port", "node-port-udp"),
        names_cause=("the way to them", "nothing answered"),
    ),
    Row(
        fault="pod-route-missing",
        mode="node-subnet",
        # Pods keep their addresses towards nodes, whose answers have to find them as well.
        fails=_ON_EVERY_NODE - _ids("cluster-ip-from-node") | _ids("node-port-on-nodes-only"),
        names_cause=("the way to them", "nothing answered"),
    ),
    # Those that fail more than this in rows_known, in both modes.
    *(
        Row(fault=fault, mode=mode, fails=fails, names_cause=words)
        for mode in ("overlay", "node-subnet")
        for fault, fails, words in (
            ("kube-proxy-rules-missing", _ON_EVERY_NODE, _RULES),
            ("local-policy-loses-source", _ids("external-local-udp"), _SOURCE),
            ("health-check-port-dead", _ids("health-check-nodes"), _RULES),
        )
    ),
)
