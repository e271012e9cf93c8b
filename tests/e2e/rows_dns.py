"""Rows of the checks of DNS."""

from tests.e2e.fault_matrix import Row, on

_ALL, _LAST = (0, 1, 2), 2
# Names of the cluster that each check makes anew, or asks for.
_NEW_SERVICES = {
    "dns.headless-service",
    "dns.not-ready-addresses",
    "dns.pod-hostname",
    "dns.service-ports",
    "dns.external-name",
    "dns.service-comes-and-goes",
    "dns.long-answer",
}
_BY_NAME = {
    "dns.unknown-service",
    "dns.no-ipv6-record",
    "dns.any-case",
    "dns.tcp",
    "dns.burst",
    "dns.layers",
    "dns.replica-mesh",
}
# What fails where pods of the last node get no answer at all.
_NODE_WITHOUT_DNS = {
    "dns.layers",
    "dns.api-server-name",
    "dns.tcp",
    "dns.external-names-tcp",
    "dns.unknown-service",
    "dns.unknown-external",
    "dns.no-ipv6-record",
    "dns.burst",
    "dns.long-answer",
} | on("dns.latency", _LAST)
_NAMES_ON_LAST = (
    on("dns.service-name", _LAST) | on("dns.search-path", _LAST) | on("dns.external-names", _LAST)
)

ROWS = (
    *(
        Row(
            fault="coredns-servfail",
            mode=mode,
            fails=_NEW_SERVICES
            | _BY_NAME
            | {
                "dns.reverse-pod",
                "dns.reverse-service",
                "dns.pod-record",
                "dns.every-replica",
                "dns.external-names-tcp",
                "dns.api-server-name",
                "dns.unknown-external",
                "dns.short-denials",
            }
            | on("dns.latency", *_ALL),
            names_cause=("SERVFAIL",),
        )
        for mode in ("overlay", "node-subnet")
    ),
    Row(
        fault="coredns-no-upstream",
        fails={
            "dns.external-names-tcp",
            "dns.unknown-external",
            "dns.layers",
            "dns.api-server-name",
        }
        | on("dns.external-names", *_ALL),
        names_cause=("SERVFAIL", "forwards to", "silen", "no DNS server answered"),
    ),
    Row(
        fault="dns-slow",
        fails=on("dns.latency", *_ALL),
        names_cause=("later than 1 s",),
    ),
    Row(
        fault="ndots-one",
        fails={"dns.cluster-first", "dns.cluster-first-host-network"}
        | on("dns.search-path", *_ALL),
        names_cause=("ndots:1 instead of ndots:5", "the options ndots:1"),
        quick=True,
    ),
    Row(
        fault="search-domain-broken",
        fails={"dns.cluster-first", "dns.cluster-first-host-network"}
        | on("dns.search-path", *_ALL),
        names_cause=("search list", "kubernetes.default"),
    ),
    Row(
        fault="node-resolver-stub",
        fails={"dns.policy-default", "dns.layers", "dns.api-server-name"},
        names_cause=("127.0.0.53", "in its resolv.conf"),
    ),
    Row(
        fault="dns-config-ignored",
        fails={"dns.policy-none", "dns.search-counted"},
        names_cause=("instead of", "is not what was given"),
    ),
    Row(
        fault="dns-denials-kept",
        fails={"dns.short-denials"},
        names_cause=("says 3600 s",),
    ),
    Row(
        fault="coredns-view-stale",
        fails=_NEW_SERVICES | {"dns.reverse-pod", "dns.pod-record"},
        names_cause=("NXDOMAIN",),
    ),
    Row(
        fault="coredns-replica-pending",
        fails={"dns.replicas-ready"},
        names_cause=("is not",),
    ),
    Row(
        fault="coredns-custom-broken",
        fails={"dns.custom-corefile"},
        names_cause=("logs is no plugin", "never read"),
    ),
    Row(
        fault="coredns-aaaa-denied",
        fails={"dns.no-ipv6-record"},
        names_cause=("NXDOMAIN",),
    ),
    Row(
        fault="coredns-aaaa-denied",
        settings=("dual-stack=true",),
        fails={"dns.no-ipv6-record", "dns.dual-stack-service"},
        names_cause=("NXDOMAIN",),
    ),
    Row(
        fault="dns-truncated-tcp-blocked",
        fails={
            "dns.tcp",
            "dns.external-names-tcp",
            "dns.long-answer",
            "dns.replica-mesh",
            "dns.every-replica",
        },
        names_cause=("TCP",),
    ),
    Row(
        fault="localdns-down",
        settings=("local-dns=true",),
        fails={"dns.local-dns"} | _NODE_WITHOUT_DNS | _NAMES_ON_LAST,
        names_cause=("LocalDNS", "169.254.10.1"),
    ),
    Row(
        fault="custom-dns-down",
        settings=("custom-dns=true",),
        fails={"dns.custom-servers-agree", "dns.layers"},
        names_cause=("does not answer", "the virtual network's DNS server"),
    ),
    Row(
        fault="custom-dns-split-brain",
        settings=("custom-dns=true",),
        fails={"dns.custom-servers-agree"},
        names_cause=("they disagree about",),
    ),
    Row(
        fault="stub-domain-moved",
        settings=("custom-dns=true",),
        fails={"dns.stub-domains"},
        names_cause=("SERVFAIL", "what they forward it to"),
    ),
    Row(
        fault="dns-wrong-service-ip",
        fails={"dns.cluster-first", "dns.cluster-first-host-network"}
        | _NODE_WITHOUT_DNS
        | _NAMES_ON_LAST,
        names_cause=("clusterDNS",),
    ),
    *(
        Row(
            fault="kube-proxy-rules-missing",
            mode=mode,
            fails=_NODE_WITHOUT_DNS,
            names_cause=("service proxy",),
        )
        for mode in ("overlay", "node-subnet")
    ),
    *(
        Row(
            fault="pod-route-missing",
            mode=mode,
            fails=_NODE_WITHOUT_DNS | {"dns.replica-mesh"},
            names_cause=("do not answer pods on node", "CoreDNS replica"),
        )
        for mode in ("overlay", "node-subnet")
    ),
)
