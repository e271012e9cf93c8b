"""Rows of what is wrong with the nodes' machines and interfaces in Azure."""

from collections.abc import Iterable
from dataclasses import replace

from tests.e2e import (
    rows_accelerated_networking,
    rows_dns,
    rows_egress,
    rows_known,
    rows_load_balancer,
    rows_node_health,
    rows_pod_network,
    rows_policy_paths,
    rows_private_link,
    rows_traffic_policy,
)
from tests.e2e.fault_matrix import NODES, Row, on

_LAST = 2
_WITH_ARM = ("--aksnet-lab-arm",)
_NIC = "virtualmachinescalesets/aks-user-31337042-vmss/virtualmachines/1/networkinterfaces"


def _of(fault: str, *files: Iterable[Row]) -> tuple[Row, ...]:
    """What a fault fails beside the checks here, in the usual lab, whether ARM is asked or not."""
    return tuple(
        replace(row, options=_WITH_ARM, quick=False)
        for rows in files
        for row in rows
        if row.lab == (fault, "overlay", "calico", (), ())
    )


_NO_WAY_TO_PODS = (
    rows_dns.ROWS,
    rows_egress.ROWS,
    rows_known.ROWS,
    rows_load_balancer.ROWS,
    rows_pod_network.ROWS,
    rows_policy_paths.ROWS,
    rows_private_link.ROWS,
    rows_traffic_policy.ROWS,
)

ROWS = (
    Row(
        fault="nic-without-vf",
        options=_WITH_ARM,
        fails=on("azure.accelerated-networking-shows", _LAST),
        names_cause=(_NIC,),
        quick=True,
    ),
    *_of("nic-without-vf", rows_accelerated_networking.ROWS, rows_known.ROWS),
    Row(
        fault="accelerated-networking-off",
        options=_WITH_ARM,
        fails={"azure.accelerated-networking-on"},
        names_cause=(f"of the interface of node {NODES[_LAST]}",),
        skips=on("azure.accelerated-networking-shows", _LAST),
    ),
    *_of("accelerated-networking-off", rows_accelerated_networking.ROWS),
    Row(
        fault="nic-ip-forwarding-off",
        mode="kubenet",
        options=_WITH_ARM,
        fails={"azure.ip-forwarding"},
        names_cause=(f"the interface of node {NODES[_LAST]} has IP forwarding off",),
    ),
    # For pods it is as if the route to those of the node were gone.
    *(
        replace(row, fault="nic-ip-forwarding-off", mode="kubenet")
        for row in _of("pod-route-missing", *_NO_WAY_TO_PODS)
    ),
    Row(
        fault="node-address-twice",
        options=_WITH_ARM,
        fails={"azure.node-addresses-are-interfaces"},
        names_cause=(f"that node {NODES[_LAST]} lists",),
        quick=True,
    ),
    *_of("node-address-twice", rows_node_health.ROWS),
    Row(
        fault="nic-in-other-subnet",
        options=_WITH_ARM,
        fails={"azure.interfaces-in-pool-subnets"},
        names_cause=(f"the interface of node {NODES[_LAST]} is in vnet-aksnet-lab/vms",),
    ),
    Row(
        fault="nodes-public",
        options=_WITH_ARM,
        fails={"azure.no-public-node-addresses"},
        names_cause=("node-public-ip",),
        skips={"azure.egress-address-is-outbound"},
    ),
    Row(
        fault="machine-failed",
        options=_WITH_ARM,
        fails={"azure.machines-healthy"},
        names_cause=(f"{NODES[_LAST]} is Ready",),
        quick=True,
    ),
    Row(
        fault="machine-never-joined",
        options=_WITH_ARM,
        fails={"azure.machines-are-nodes"},
        names_cause=("(aks-user-31337042-vmss000002) of pool user runs",),
    ),
)
