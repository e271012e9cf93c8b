"""Rows of what is wrong with nodes, and with what runs on them for the network."""

from tests.e2e.fault_matrix import Row

_CILIUM = "cilium"
_FROM_PODS = {
    "node-health.clocks-agree",
    "node-health.cni-config",
    "node-health.cni-state",
    "node-health.conntrack-headroom",
    "node-health.interface-drops",
    "node-health.kernel-settings",
    "node-health.kubelet-credentials",
    "node-health.read-only-port-closed",
    "node-health.same-mtu",
    "node-health.service-proxy-mode",
    "node-health.service-rules",
    "node-health.tcp-retransmits",
}

ROWS = (
    Row(
        fault="kubelet-version-mixed",
        fails={"node-health.kubelet-versions"},
        names_cause=("v1.30.14",),
        quick=True,
    ),
    Row(
        fault="node-address-twice",
        fails={"node-health.addresses-unique"},
        names_cause=("have the same address",),
    ),
    Row(
        fault="agent-not-ready",
        fails={"node-health.agents-ready"},
        names_cause=("2 of 3 have",),
    ),
    Row(
        fault="agent-version-mixed",
        fails={"node-health.agents-same-version"},
        names_cause=("rolling update did not finish",),
    ),
    Row(
        fault="agent-not-ready",
        mode="pod-subnet",
        engine=_CILIUM,
        fails={"node-health.agents-ready"},
        names_cause=("azure-cns",),
    ),
    Row(
        fault="node-not-ready",
        fails={
            "node-health.nodes-ready",
            "node-health.leases-renewed",
            "node-health.agents-ready",
        },
        # It takes part, as it was ready when the run began, and no exec into its pods succeeds.
        cannot_judge=_FROM_PODS,
        names_why=("does not start",),
        names_cause=("Ready=Unknown", "should renew", "2 of 3 have"),
    ),
    Row(
        fault="cni-config-missing",
        fails={"node-health.nodes-ready"},
        names_cause=("cni plugin not initialized",),
    ),
    Row(
        fault="cni-config-leftover",
        fails={"node-health.cni-config"},
        names_cause=("a leftover comes before it",),
    ),
    Row(
        fault="cni-state-leaked",
        fails={"node-health.cni-state"},
        names_cause=("leaked",),
    ),
    Row(
        fault="kube-proxy-fell-back",
        fails={"node-health.service-proxy-mode"},
        names_cause=("fell back",),
    ),
    Row(
        fault="kube-proxy-rules-missing",
        fails={"node-health.service-rules"},
        names_cause=("has no rules",),
    ),
    Row(
        fault="kubelet-read-only-port",
        fails={"node-health.read-only-port-closed"},
        names_cause=("without credentials",),
    ),
    Row(
        fault="kubelet-anonymous",
        fails={"node-health.kubelet-credentials"},
        names_cause=("anonymous",),
    ),
    Row(
        fault="ip-forwarding-off",
        fails={"node-health.kernel-settings"},
        names_cause=("ip_forward",),
    ),
    Row(
        fault="rp-filter-strict",
        engine=_CILIUM,
        fails={"node-health.kernel-settings"},
        names_cause=("rp_filter",),
    ),
    Row(
        fault="node-clock-skew",
        fails={"node-health.clocks-agree"},
        names_cause=("ahead",),
    ),
    Row(
        fault="node-mtu-differs",
        fails={"node-health.same-mtu"},
        names_cause=("3900",),
    ),
    Row(
        fault="conntrack-full",
        fails={"node-health.conntrack-headroom", "node-health.kernel-settings"},
        names_cause=("tracks", "nf_conntrack_max"),
    ),
    Row(
        fault="rx-drops",
        fails={"node-health.interface-drops", "node-health.tcp-retransmits"},
        names_cause=("rx_dropped", "sent again"),
    ),
    Row(
        fault="packet-loss",
        fails={"node-health.tcp-retransmits"},
        names_cause=("packets are lost",),
    ),
)
