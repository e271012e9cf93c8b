"""Rows of the faults of ingress controllers."""

from tests.e2e.fault_matrix import Row

_ROUTED = {
    "ingress.host-routing",
    "ingress.path-routing",
    "ingress.unknown-host",
    "ingress.unready-backend",
    "ingress.no-backend",
    "ingress.change-converges",
    "ingress.status-address",
    "ingress.forwarded-for",
    "ingress.canary-weight",
    "ingress.gateway-routing",
    "ingress.gateway-weights",
}

ROWS = (
    Row(
        fault="ingress-controller-down",
        fails=_ROUTED | {"ingress.tls-sni", "ingress.https-redirect"},
        names_cause=("nothing listens", "there is none"),
    ),
    Row(fault="ingress-stale-endpoints", fails=_ROUTED, names_cause=("503",)),
    Row(
        fault="ingress-wrong-backend",
        fails={"ingress.host-routing", "ingress.no-backend"},
        names_cause=("should be answered by",),
    ),
    Row(
        fault="ingress-path-order",
        fails={"ingress.path-routing", "ingress.gateway-routing"},
        names_cause=("/shop",),
    ),
    Row(
        fault="ingress-catch-all", fails={"ingress.unknown-host"}, names_cause=("404",), quick=True
    ),
    Row(fault="ingress-wrong-certificate", fails={"ingress.tls-sni"}, names_cause=("certificate",)),
    Row(fault="ingress-no-redirect", fails={"ingress.https-redirect"}, names_cause=("redirected",)),
    Row(
        fault="ingress-weights-ignored",
        fails={"ingress.canary-weight", "ingress.gateway-weights"},
        names_cause=("weight",),
    ),
    Row(
        fault="ingress-forwarded-for-dropped",
        fails={"ingress.forwarded-for"},
        names_cause=("X-Forwarded-For",),
    ),
    Row(
        fault="ingress-unready-endpoints",
        fails={"ingress.unready-backend"},
        names_cause=("by pod",),
    ),
    Row(
        fault="ingress-change-ignored", fails={"ingress.change-converges"}, names_cause=("by pod",)
    ),
    Row(
        fault="ingress-no-status",
        fails={"ingress.status-address", "ingress.gateway-routing", "ingress.gateway-weights"},
        names_cause=("status.",),
    ),
    Row(
        fault="ingress-hangs-without-endpoints",
        fails={"ingress.no-backend"},
        names_cause=("nothing came",),
    ),
)
