"""Rows of load_balancer/: frontends, backends, probes, and who configures them."""

from tests.e2e.fault_matrix import Row, between

_BOTH_MODES = ("overlay", "node-subnet")
# What asks an internal frontend from outside; the public one has a check of its own.
_OUTSIDE = {
    f"load-balancer.{check}"
    for check in (
        *("internal", "several-ports", "udp", "every-node-enters", "local-source"),
        *("every-backend-serves", "source-ranges", "address-kept", "drain", "released"),
    )
}
_SHARES = {
    f"load-balancer.{check}"
    for check in ("every-node-enters", "every-backend-serves", "drain", "local-source")
}

ROWS = (
    Row(
        fault="lb-frontend-missing",
        fails={*_OUTSIDE, "load-balancer.public"},
        names_cause=("no rule for the frontend",),
    ),
    Row(
        fault="lb-frontend-missing",
        settings=("dual-stack=true",),
        fails={*_OUTSIDE, "load-balancer.public", "load-balancer.ipv6"},
        names_cause=("no rule for the frontend",),
    ),
    Row(
        fault="lb-internal-ignored",
        fails={"load-balancer.internal"},
        cannot_judge=_OUTSIDE - {"load-balancer.internal"},
        names_why=("the load balancer has the public address",),
        names_cause=("annotation was not honoured",),
        quick=True,
    ),
    Row(
        fault="lb-address-moves",
        fails={"load-balancer.address-kept"},
        names_cause=("another address now",),
    ),
    Row(
        fault="lb-cleanup-stuck",
        fails={"load-balancer.released"},
        names_cause=("its Service is deleted",),
    ),
    Row(
        fault="source-ranges-ignored",
        fails={"load-balancer.source-ranges"},
        names_cause=("source ranges do not have this client",),
    ),
    Row(
        fault="health-check-stuck",
        fails={
            "load-balancer.drain",
            *between("traffic-policy.health-check-port", (2, 0)),
        },
        names_cause=("answers 200 at the health check port", "answered 200"),
    ),
    Row(
        fault="lb-backend-missing",
        fails=_SHARES,
        names_cause=("backend pool",),
    ),
    Row(
        fault="lb-probe-fails",
        fails=_SHARES,
        names_cause=("168.63.129.16",),
    ),
    *(
        Row(
            fault="local-policy-loses-source",
            mode=mode,
            fails={"load-balancer.local-source"},
            names_cause=("masqueraded",),
        )
        for mode in _BOTH_MODES
    ),
    *(
        Row(
            fault="health-check-port-dead",
            mode=mode,
            fails=_SHARES - {"load-balancer.every-node-enters"},
            names_cause=("does not answer the port",),
        )
        for mode in _BOTH_MODES
    ),
    *(
        Row(
            fault="kube-proxy-rules-missing",
            mode=mode,
            # UDP is not probed, so the node gets its share of that.
            fails={*_SHARES, "load-balancer.udp", "load-balancer.hairpin"},
            names_cause=("the service proxy",),
        )
        for mode in _BOTH_MODES
    ),
    Row(
        # Without rules of its own a node's pods get through by the load balancer, if that serves.
        fault="lb-frontend-missing kube-proxy-rules-missing",
        fails={
            *_OUTSIDE,
            *("load-balancer.public", "load-balancer.from-pods", "load-balancer.hairpin"),
        },
        names_cause=("service proxy", "no rule for the frontend"),
    ),
    Row(
        fault="masquerade-inside-vnet",
        fails={"load-balancer.local-source", "load-balancer.every-node-enters"},
        names_cause=("masqueraded", "got none"),
    ),
    *(
        Row(
            fault="pod-route-missing",
            mode=mode,
            fails={"load-balancer.hairpin"},
            names_cause=("directly either",),
        )
        for mode in _BOTH_MODES
    ),
    Row(
        fault="hairpin-broken",
        fails={"load-balancer.hairpin"},
        names_cause=("does not reach itself",),
    ),
    Row(
        fault="node-port-not-opened",
        fails={"load-balancer.every-node-enters"},
        names_cause=("does not answer the port",),
    ),
)
