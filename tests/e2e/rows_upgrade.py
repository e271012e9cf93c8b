"""What stands against an upgrade, and the checks of upgrade that it fails."""

from tests.e2e.fault_matrix import NODES, Row

ROWS = (
    Row(
        fault="budget-blocks-drain",
        fails={"upgrade.budgets"},
        names_cause=("kube-system/coredns-always allows none of its 2 pods",),
        quick=True,
    ),
    Row(
        fault="webhook-unanswered",
        fails={"upgrade.webhooks"},
        names_cause=("Service default/orders-policy has no ready endpoint",),
    ),
    Row(
        fault="lone-pod-serves",
        fails={"upgrade.lone-pods"},
        names_cause=("default/legacy is served by default/legacy only",),
    ),
    Row(
        fault="coredns-single",
        fails={"upgrade.dns-replicas"},
        names_cause=("1 of 1 replicas ready",),
    ),
    Row(
        fault="node-image-retired",
        fails={"upgrade.retirements", "upgrade.pools-alike"},
        names_cause=("Azure Linux 2.0 on nodes ended on 2025-11-30", "pool user has"),
    ),
    Row(
        fault="kubelet-version-mixed",
        fails={"upgrade.pools-alike", "upgrade.version-skew"},
        names_cause=("pool user has", "has v1.30.14"),
    ),
    Row(
        fault="snat-ports-for-nodes-only",
        options=("--aksnet-lab-arm",),
        fails={"upgrade.snat-ports"},
        names_cause=("1 addresses have them for 3 nodes, and there are 3 nodes, and 5 during",),
    ),
    Row(
        fault="kubelet-too-old",
        fails={"upgrade.version-skew", "upgrade.pools-alike"},
        names_cause=(f"{NODES[2]} has v1.29.15", "pool user has"),
    ),
    Row(
        fault="kubelet-too-old",
        fails={"node-health.kubelet-versions"},
        names_cause=(NODES[2],),
    ),
    Row(
        fault="kubernetes-unsupported",
        fails={"upgrade.kubernetes-supported"},
        names_cause=("support of 1.31 ended before",),
    ),
    Row(
        fault="cilium-too-old",
        mode="overlay",
        engine="cilium",
        fails={"upgrade.engine-and-version"},
        names_cause=("Cilium 1.14.19 runs",),
    ),
    Row(
        fault="deprecated-api-asked",
        fails={"upgrade.deprecated-apis"},
        names_cause=("volumeattributesclasses (removed in 1.35)",),
    ),
    Row(
        fault="masquerade-leftover",
        fails={"upgrade.leftovers"},
        names_cause=("keeps the addresses of pods towards 192.168.10.0/24",),
    ),
    Row(
        fault="masquerade-leftover",
        fails={"egress.source-at-on-prem"},
        names_cause=("host on premises",),
    ),
    Row(
        fault="policy-forgets-local-dns",
        settings=("local-dns=true",),
        fails={"upgrade.policies-allow-local-dns"},
        names_cause=("shop/policy-forgets-local-dns",),
    ),
    Row(
        fault="policy-names-nodes",
        mode="node-subnet",
        engine="azure",
        fails={"upgrade.policies-mean-the-same"},
        names_cause=("shop/policy-names-nodes names 10.224.0.4/32",),
    ),
)
