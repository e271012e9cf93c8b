"""What faults do to policies towards nodes, Services and platform addresses, and in time."""

from tests.e2e.fault_matrix import Row, between, on

_LAST = 2
_PLATFORM = {
    "network-policy.api-server",
    "network-policy.private-endpoint",
    "network-policy.imds",
    "network-policy.wireserver",
}
_OUT = _PLATFORM | {"network-policy.nodes-under-egress-deny", "network-policy.new-pods"}
_THROUGH_SERVICES = {
    "network-policy.node-port-cluster",
    "network-policy.node-port-local",
    "network-policy.load-balancer-cluster",
    "network-policy.load-balancer-local",
    "network-policy.load-balancer-allow-list",
}
_CONNECTIONS = {
    "network-policy.established-connections",
    "network-policy.allowed-connections-kept",
}
_WITHOUT_POLICIES = (
    _OUT
    | _THROUGH_SERVICES
    | {"network-policy.udp", "network-policy.convergence"}
    | {"network-policy.host-network-sources", "network-policy.host-network-targets"}
)
_NO_RULE = "no rule allows"

ROWS = (
    # Where a deny never holds, nothing can be said of connections that were there before it.
    *(
        Row(
            fault="policy-not-enforced-on-node",
            mode=mode,
            fails=_WITHOUT_POLICIES,
            names_cause=(_NO_RULE, "not closed"),
            cannot_judge=_CONNECTIONS,
            names_why=("the policy did not hold",),
        )
        for mode in ("overlay", "node-subnet")
    ),
    # Later than policies are waited for, with each change or with each new pod.
    *(
        Row(
            fault=fault,
            fails=_WITHOUT_POLICIES
            | on("network-policy.default-deny-ingress", _LAST)
            | on("network-policy.default-deny-egress", _LAST)
            | on("network-policy.dns-under-egress-deny", _LAST)
            | between("network-policy.allow-by-pod", (1, _LAST))
            | between("network-policy.allow-by-namespace", (1, _LAST)),
            names_cause=(_NO_RULE, "not closed", "not enforced on node"),
            cannot_judge=_CONNECTIONS,
            names_why=("the policy did not hold",),
        )
        for fault in ("policy-lag=30", "policy-unprotected-window=60")
    ),
    Row(
        fault="policy-egress-not-enforced",
        fails=_OUT
        | on("network-policy.default-deny-egress", _LAST)
        | on("network-policy.dns-under-egress-deny", _LAST),
        names_cause=(_NO_RULE, "not enforced on node"),
    ),
    # Calico's egress policies hold towards the own node, and with it towards LocalDNS.
    Row(
        fault="policy-own-node-open",
        fails={"network-policy.nodes-under-egress-deny"},
        names_cause=(_NO_RULE,),
        quick=True,
    ),
    Row(
        fault="policy-own-node-open",
        settings=("local-dns=true",),
        fails={"network-policy.nodes-under-egress-deny", "network-policy.local-dns"},
        names_cause=(_NO_RULE,),
    ),
    Row(
        fault="policy-own-node-open",
        engine="cilium",
        fails={"network-policy.nodes-under-egress-deny"},
        names_cause=(_NO_RULE,),
    ),
    # In overlay mode a pod of another node comes to a node's port with its node's address.
    Row(
        fault="policy-lets-nodes-in",
        fails={
            "network-policy.host-network-sources",
            "network-policy.node-port-cluster",
            "network-policy.node-port-local",
            "network-policy.load-balancer-cluster",
        },
        names_cause=(_NO_RULE,),
    ),
    Row(
        fault="policy-holds-host-network",
        fails={"network-policy.host-network-targets"},
        names_cause=("should be open",),
    ),
    Row(
        fault="policy-spares-connections",
        engine="cilium",
        fails={"network-policy.established-connections"},
        names_cause=("went on after the deny",),
    ),
    Row(
        fault="policy-update-gap=4",
        fails={"network-policy.allowed-connections-kept"},
        names_cause=("were lost when policies changed",),
    ),
    # A way that is broken without any policy says nothing about policies.
    *(
        Row(
            fault="pod-route-missing",
            mode=mode,
            fails=set(),
            cannot_judge=_CONNECTIONS
            | {"network-policy.udp", "network-policy.convergence", "network-policy.new-pods"}
            | {"network-policy.host-network-sources", "network-policy.host-network-targets"}
            | {"network-policy.api-server", "network-policy.private-endpoint"}
            | {"network-policy.nodes-under-egress-deny"}
            | {"network-policy.node-port-cluster", "network-policy.load-balancer-cluster"}
            | {"network-policy.load-balancer-allow-list"},
        )
        for mode in ("overlay", "node-subnet")
    ),
    *(
        Row(
            fault="kube-proxy-rules-missing",
            mode=mode,
            fails=set(),
            cannot_judge={
                "network-policy.api-server",
                "network-policy.node-port-local",
                "network-policy.load-balancer-local",
                "network-policy.load-balancer-allow-list",
            },
        )
        for mode in ("overlay", "node-subnet")
    ),
    Row(
        fault="local-policy-loses-source",
        fails=set(),
        cannot_judge={"network-policy.node-port-local"},
    ),
    # The target's own node masquerades too, so that it is not known whom policies are asked about.
    Row(
        fault="masquerade-inside-vnet",
        fails=set(),
        cannot_judge={"network-policy.node-port-cluster", "network-policy.node-port-local"},
    ),
    Row(
        fault="policy-ipv6-not-enforced",
        settings=("dual-stack=true",),
        fails=on("network-policy.dual-stack-deny", _LAST) | {"network-policy.dual-stack-allow"},
        names_cause=(_NO_RULE,),
    ),
)
