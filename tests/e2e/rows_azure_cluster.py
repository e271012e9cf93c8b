"""What faults do to the checks of the managed cluster in ARM."""

from dataclasses import replace

from tests.e2e import rows_egress, rows_node_health, rows_private_link, rows_upgrade
from tests.e2e.fault_matrix import NODES, Row, on

_ARM = ("--aksnet-lab-arm",)
_DRIFT = "azure.profile-drift"
_LABS = {
    ("kubelet-version-mixed", ()),
    ("node-image-retired", ()),
    ("udr-blackhole", ()),
    ("private-record-missing", ("egress=none",)),
}
# What faults do that are no faults of ARM, they do whether ARM is asked or not.
_AS_WITHOUT_ARM = tuple(
    replace(row, options=_ARM, quick=False)
    for topic in (rows_egress, rows_node_health, rows_private_link, rows_upgrade)
    for row in topic.ROWS
    if row.mode == "overlay" and (row.fault, row.settings) in _LABS
)

ROWS = (
    *_AS_WITHOUT_ARM,
    Row(
        fault="arm-policy-engine-differs",
        options=_ARM,
        fails={"azure.network-profile-agrees", _DRIFT},
        names_cause=("networkPolicy is azure in ARM, calico", "network_policy should be calico"),
        quick=True,
    ),
    Row(
        fault="api-ranges-lack-egress",
        settings=("egress=firewall",),
        options=_ARM,
        fails={"azure.api-server-ranges", "azure.required-egress", _DRIFT},
        names_cause=("lack 198.51.100.4", "hcp.westeurope.azmk8s.io:443", "authorized_ranges"),
        quick=True,
    ),
    # Pods come to the API server with the same address.
    Row(
        fault="api-ranges-lack-egress",
        settings=("egress=firewall",),
        options=_ARM,
        fails=on("pod-network.api-server", 0, 1, 2),
        names_cause=("10.0.0.1",),
    ),
    Row(
        fault="api-ranges-lack-egress",
        settings=("egress=firewall",),
        options=_ARM,
        fails=set(),
        cannot_judge={"network-policy.api-server", "node-health.service-rules"},
    ),
    Row(
        fault="api-ranges-removed",
        settings=("authorized-ranges=true",),
        options=_ARM,
        fails={"azure.api-server-restricted", _DRIFT},
        names_cause=("every address on the internet", "203.0.113.200/32, 198.51.100.1/32 and is"),
        skips={"azure.api-server-ranges"},
    ),
    Row(
        fault="private-record-missing",
        settings=("egress=none",),
        options=_ARM,
        fails={"azure.api-server-name"},
        names_cause=("privatelink.westeurope.azmk8s.io must resolve",),
    ),
    Row(
        fault="kubelet-version-mixed",
        options=_ARM,
        fails={"azure.versions-agree"},
        names_cause=(f"{NODES[2]} is v1.30.14",),
    ),
    Row(
        fault="pool-upgrade-failed",
        options=_ARM,
        fails={"azure.upgrade-possible"},
        names_cause=("pool user is in provisioning state Failed",),
    ),
    Row(
        fault="surge-zero",
        options=_ARM,
        fails={"azure.surge-settings", _DRIFT},
        names_cause=("pool user (maxSurge 0", "pools.user.max_surge should be 10% and is 0"),
    ),
    Row(
        fault="node-image-retired",
        options=_ARM,
        fails={"azure.nothing-retired"},
        names_cause=(f"CBL-Mariner/Linux' of node {NODES[2]}",),
    ),
    Row(
        fault="lb-sku-basic",
        options=_ARM,
        fails={"azure.nothing-retired", _DRIFT},
        names_cause=("loadBalancerSku basic", "load_balancer_sku should be standard"),
    ),
    Row(
        fault="lb-sku-basic",
        options=_ARM,
        fails={"upgrade.retirements"},
        names_cause=("the Basic load balancer ended",),
    ),
    Row(
        fault="udr-blackhole",
        options=_ARM,
        fails={"azure.required-egress"},
        names_cause=("mcr.microsoft.com:443 (images)",),
        quick=True,
    ),
)
