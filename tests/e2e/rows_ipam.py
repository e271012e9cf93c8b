"""Faults of address space, and the checks of ipam that they fail."""

from tests.e2e.fault_matrix import NODES, Row

_WITH_ARM = ("--aksnet-lab-arm",)

ROWS = (
    Row(
        fault="subnet-full",
        starves=True,
        mode="node-subnet",
        engine="azure",
        options=_WITH_ARM,
        fails={"ipam.node-subnet-headroom", "ipam.upgrade-headroom"},
        names_cause=("addresses of subnet aks-nodes (10.224.0.0/16): 65531 of 65531 used",),
    ),
    Row(
        fault="subnet-full",
        starves=True,
        mode="pod-subnet",
        options=_WITH_ARM,
        fails={"ipam.pod-subnet-headroom", "ipam.upgrade-headroom"},
        names_cause=("addresses of subnet aks-pods (10.232.0.0/16): 65531 of 65531 used",),
    ),
    Row(
        fault="pod-range-full",
        fails={"ipam.pod-range-headroom", "ipam.upgrade-headroom"},
        names_cause=("blocks /24 of the pod range 10.244.0.0/23,10.244.2.0/24: 3 of 3 used",),
        quick=True,
    ),
    Row(
        fault="pod-range-full",
        mode="kubenet",
        fails={"ipam.pod-range-headroom", "ipam.upgrade-headroom"},
        names_cause=("blocks /24 of the pod range",),
    ),
    Row(
        fault="node-full-of-pods",
        starves=True,
        fails={"ipam.pods-per-node"},
        names_cause=(f"{NODES[2]} has ",),
    ),
    Row(
        fault="pods-without-address",
        starves=True,
        fails={"ipam.pressure-events"},
        names_cause=("default/checkout-",),
    ),
    Row(
        fault="pods-without-address",
        starves=True,
        mode="kubenet",
        fails={"ipam.pressure-events"},
        names_cause=("no IP addresses available in range set",),
    ),
    Row(
        fault="service-range-overlaps",
        fails={"ipam.ranges-disjoint"},
        names_cause=("10.225.0.0/24 of Services and 10.224.0.0/12 of the virtual network overlap",),
    ),
    Row(
        fault="service-range-full",
        starves=True,
        fails={"ipam.service-range-headroom"},
        names_cause=("cluster IPs of 10.0.0.0/28: 14 of 14 used",),
    ),
    Row(
        fault="pod-cidr-twice",
        mode="kubenet",
        fails={"ipam.node-ranges-distinct"},
        names_cause=(NODES[2],),
    ),
    Row(
        fault="pod-cidr-twice",
        mode="kubenet",
        fails={"pod-network.addresses-in-range"},
        names_cause=("outside of the ranges",),
    ),
    # An empty list names no pod range either.
    Row(
        fault="masquerade-inside-vnet",
        fails=set(),
        cannot_judge={"ipam.pod-range-headroom", "ipam.upgrade-headroom"},
        names_why=("the fact 'pod-cidrs'",),
    ),
)
