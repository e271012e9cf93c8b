"""Rows of private_link/: zones, records, endpoints, and who is asked for them."""

from tests.e2e.fault_matrix import Row, on

_ALL, _LAST = (0, 1, 2), 2
_MODES = ("overlay", "node-subnet")
_NO_WAY_OUT = ("egress=none",)
# What does not look from each node in a test of its own.
_LISTS = {
    f"private-link.{check}"
    for check in ("pods-agree", "replicas-agree", "nodes-resolve", "nodes-connect", "certificates")
}
_EVERYTHING = (
    on("private-link.resolves-private", *_ALL) | on("private-link.connects", *_ALL) | _LISTS
)

ROWS = (
    *(
        Row(
            fault="private-zone-unlinked", mode=mode, fails=_EVERYTHING, names_cause=("not linked",)
        )
        for mode in _MODES
    ),
    *(
        Row(
            fault="coredns-servfail",
            mode=mode,
            fails=_LISTS - {"private-link.nodes-resolve"},
            names_cause=("SERVFAIL", "does not resolve"),
        )
        for mode in _MODES
    ),
    *(
        Row(
            fault="kube-proxy-rules-missing",
            mode=mode,
            fails=_LISTS - {"private-link.nodes-resolve", "private-link.replicas-agree"},
            names_cause=("no DNS server answered",),
        )
        for mode in _MODES
    ),
    *(
        Row(
            fault="pod-route-missing",
            mode=mode,
            fails={"private-link.pods-agree", "private-link.certificates"},
            names_cause=("no DNS server answered", "does not resolve"),
        )
        for mode in _MODES
    ),
    Row(
        fault="private-endpoint-pending",
        fails={
            *on("private-link.connects", *_ALL),
            *("private-link.nodes-connect", "private-link.certificates"),
        },
        names_cause=("nothing answered",),
    ),
    Row(
        fault="private-endpoint-intercepted",
        fails={"private-link.certificates"},
        names_cause=("CN=aksnet-lab TLS inspection",),
        quick=True,
    ),
    Row(
        fault="private-record-stale",
        fails=_EVERYTHING,
        names_cause=("a stale or a foreign record", "10.226.0.250"),
    ),
    Row(
        fault="private-record-missing",
        fails=_EVERYTHING,
        names_cause=("has no record", "does not resolve"),
    ),
    Row(
        fault="private-record-missing",
        settings=("custom-dns=true",),
        fails={*_EVERYTHING, "private-link.vnet-servers-agree"},
        names_cause=("has no record", "does not resolve"),
    ),
    Row(
        fault="private-record-missing",
        settings=_NO_WAY_OUT,
        fails={*_EVERYTHING, "private-link.api-server"},
        names_cause=("has no record", "does not exist", "does not resolve"),
    ),
)
