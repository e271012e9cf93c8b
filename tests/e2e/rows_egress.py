"""What faults do to the checks of the ways out of the cluster."""

from tests.e2e.fault_matrix import Row, between, on

_ALL = (0, 1, 2)
_ADDRESS = {"egress.address-promised", "egress.address-over-udp"}
_REQUIRED = {"egress.required-from-nodes", "egress.required-from-pods"}
_NEEDS_INTERNET = (
    _REQUIRED | on("egress.source-at-internet", *_ALL) | on("egress.node-source-at-internet", *_ALL)
)
# Without any connection to the internet nothing can be said of many or of silent ones.
_NO_CONNECTION = {"egress.snat-burst", "egress.idle-connection", "egress.tls-not-intercepted"}
# What says so where nothing is reached that could tell an address or show a certificate.
_UNSEEN = ("with which address is not known", "shows no certificate")

ROWS = (
    *(
        Row(
            fault="egress-address-changed",
            mode=mode,
            fails=_ADDRESS,
            names_cause=("egress address has changed",),
        )
        for mode in ("overlay", "node-subnet")
    ),
    Row(
        fault="egress-bypasses-firewall",
        settings=("egress=firewall",),
        fails=_ADDRESS
        | on("egress.source-at-internet", *_ALL)
        | on("egress.node-source-at-internet", *_ALL),
        names_cause=("firewall",),
    ),
    Row(
        fault="udr-blackhole",
        fails=_NEEDS_INTERNET,
        names_cause=("dropped on the way",),
        cannot_judge=_NO_CONNECTION | _ADDRESS,
        names_why=_UNSEEN,
    ),
    Row(
        fault="nat-gateway-detached",
        settings=("egress=nat-gateway",),
        fails=_NEEDS_INTERNET,
        names_cause=("dropped on the way",),
        cannot_judge=_NO_CONNECTION | _ADDRESS,
        names_why=_UNSEEN,
    ),
    Row(
        fault="snat-ports-exhausted",
        fails={"egress.snat-burst"},
        names_cause=("SNAT ports are exhausted",),
    ),
    Row(
        fault="idle-timeout-short",
        fails={"egress.idle-connection"},
        names_cause=("forgets flows",),
    ),
    Row(
        fault="isolation-broken",
        settings=("egress=none",),
        fails={"egress.no-way-out", "egress.unreachable"},
        names_cause=("has a way out", "lets it through"),
    ),
    Row(
        fault="wireserver-exposed",
        fails={"egress.unreachable"},
        names_cause=("must not be reached, but a connection was made",),
        quick=True,
    ),
    Row(
        fault="wireserver-blocked",
        fails={"egress.wireserver"},
        names_cause=("168.63.129.16",),
    ),
    Row(
        fault="nsg-blocks-dns",
        fails={"egress.azure-dns"} | _REQUIRED,
        names_cause=("Azure DNS", "could not be resolved"),
        cannot_judge={"egress.tls-not-intercepted"} | _ADDRESS,
        names_why=_UNSEEN,
    ),
    # One node asks a resolver that does not answer.
    Row(
        fault="node-resolver-stub",
        fails=_REQUIRED,
        names_cause=("could not be resolved",),
    ),
    Row(
        fault="localdns-down",
        settings=("local-dns=true",),
        fails=_REQUIRED,
        names_cause=("could not be resolved",),
    ),
    *(
        Row(
            fault="node-drops-pod-traffic",
            mode=mode,
            fails={"egress.source-at-own-node"},
            names_cause=("dropped on the way",),
        )
        for mode in ("overlay", "node-subnet")
    ),
    # Pods of the node do not reach those of others, and in the VNet nobody finds their addresses.
    Row(
        fault="pod-route-missing",
        fails={"egress.source-at-pods"},
        names_cause=("dropped on the way",),
        cannot_judge={"egress.unreachable"},
    ),
    Row(
        fault="pod-route-missing",
        mode="node-subnet",
        fails={"egress.source-at-pods", "egress.reachable"},
        names_cause=("dropped on the way",),
        cannot_judge={"egress.unreachable"},
    ),
    Row(
        fault="masquerade-leftover",
        fails={"egress.masquerade-ranges"},
        names_cause=("host on premises",),
    ),
    # Certificates are long.
    *(
        Row(
            fault="long-packets-lost",
            mode=mode,
            fails={"egress.required-from-pods"},
            names_cause=("nothing came over it",),
        )
        for mode in ("overlay", "node-subnet")
    ),
    # Pods of the last node reach nobody but their node.
    Row(
        fault="ip-forwarding-off",
        fails={"egress.imds-as-intended", "egress.reachable", "egress.required-from-pods"}
        | {"egress.source-at-pods", "egress.source-at-peered-vm", "egress.source-at-on-prem"}
        | on("egress.source-at-internet", 2)
        | on("egress.source-at-vm", 2)
        | between("egress.source-at-other-node", (2, 0)),
        names_cause=("dropped on the way", "could not be resolved"),
        cannot_judge={"egress.unreachable"} | _ADDRESS,
        names_why=_UNSEEN,
    ),
    Row(
        fault="imds-exposed",
        settings=("imds-restricted=true",),
        fails={"egress.imds-as-intended"},
        names_cause=("IMDS restriction",),
    ),
    Row(
        fault="tls-interception",
        fails={"egress.tls-not-intercepted"},
        names_cause=("TLS inspection",),
    ),
    Row(
        fault="firewall-resets",
        fails=_REQUIRED
        | on("egress.source-at-internet", *_ALL)
        | on("egress.node-source-at-internet", *_ALL),
        names_cause=("refused",),
        cannot_judge=_NO_CONNECTION,
        names_why=_UNSEEN,
    ),
    Row(
        fault="peering-disconnected",
        fails={"egress.source-at-peered-vm", "egress.node-source-inside"},
        names_cause=("VM in a peered VNet",),
    ),
    Row(
        fault="on-prem-gateway-down",
        fails={"egress.source-at-on-prem", "egress.node-source-inside"},
        names_cause=("host on premises",),
    ),
    Row(
        fault="asymmetric-routing",
        settings=("egress=firewall",),
        fails={"egress.node-source-inside", "egress.reachable"} | on("egress.source-at-vm", *_ALL),
        names_cause=("dropped on the way",),
    ),
    Row(
        fault="masquerade-inside-vnet",
        fails={"egress.masquerade-ranges", "egress.source-at-pods"},
        names_cause=("nonMasqueradeCIDRs", "translated", "masqueraded"),
    ),
    Row(
        fault="masquerade-inside-vnet",
        mode="node-subnet",
        fails={"egress.masquerade-ranges"},
        names_cause=("nonMasqueradeCIDRs",),
    ),
    Row(
        fault="ipv6-half-broken",
        settings=("dual-stack=true",),
        fails={"egress.ipv6-way-out"},
        names_cause=("dropped on the way",),
    ),
)
