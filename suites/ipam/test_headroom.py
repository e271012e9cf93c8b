"""Address space: there is room for nodes, pods and Services, now and during an upgrade."""

import pytest

from pytest_aksnet.inventory import Inventory


@pytest.mark.aksnet(
    id="ipam.node-subnet-headroom",
    feature="ipam",
    severity="major",
    needs=("all-pods",),
)
def test_node_subnet_headroom(inventory: Inventory) -> None:
    """The nodes' subnets have the addresses that one more node takes.

    Why: A full subnet stops scaling, repair and upgrades of the cluster with SubnetIsFull or
    InsufficientSubnetSize, and in node-subnet mode each node takes its pods' addresses too.

    Remedy: `az network vnet list-usage --ids VNET` shows what is used. Add a pool in a new subnet,
    lower max pods in a new pool, or move to Azure CNI overlay.
    """
    inventory.assert_node_subnet_has_room()


@pytest.mark.aksnet(
    id="ipam.pod-subnet-headroom",
    feature="ipam",
    severity="major",
    needs=("all-pods",),
)
def test_pod_subnet_headroom(inventory: Inventory) -> None:
    """The pods' subnets have the addresses that one more node takes for its pods.

    Why: With a subnet for pods, nodes take addresses in batches of 16; without a free batch, new
    pods stay ContainerCreating while nodes look healthy.

    Remedy: `az network vnet list-usage --ids VNET` shows what is used. Give new pools another pod
    subnet, or larger ones.
    """
    inventory.assert_pod_subnet_has_room()


@pytest.mark.aksnet(
    id="ipam.pod-range-headroom", feature="ipam", severity="major", needs=("all-pods",)
)
def test_pod_range_headroom(inventory: Inventory) -> None:
    """The pods' range has a block, and with kubenet the route table a route, for one more node.

    Why: Each node takes a whole /24 of the pod range, whatever runs there; when none is left, new
    nodes stay NotReady. A route table of kubenet has 400 routes.

    Remedy: The pod range of an overlay cluster can be enlarged:
    `az aks update --pod-cidr LARGER`. With kubenet, move to overlay.
    """
    inventory.assert_pod_range_has_room()


@pytest.mark.aksnet(
    id="ipam.upgrade-headroom", feature="ipam", severity="major", needs=("all-pods",)
)
def test_upgrade_headroom(inventory: Inventory) -> None:
    """Subnets and ranges have room for the nodes that an upgrade adds to each pool for a while.

    Why: An upgrade adds max surge nodes per pool, which need addresses before old nodes go; without
    them it stops halfway.

    Remedy: Lower the surge (`az aks nodepool update --max-surge 1`), use maxUnavailable with a
    surge of 0, upgrade one pool after the other, or free addresses.
    """
    inventory.assert_room_for_upgrade()


@pytest.mark.aksnet(id="ipam.pods-per-node", feature="ipam", severity="minor", needs=("all-pods",))
def test_pods_per_node(inventory: Inventory) -> None:
    """No node runs as many pods as its kubelet takes.

    Why: On a full node no further DaemonSet pod starts, and a drain of another node finds no place
    there; max pods cannot be changed after a pool was made.

    Remedy: `kubectl describe node NODE` lists its pods. Add nodes, or a pool with a higher
    `--max-pods`.
    """
    inventory.assert_pods_fit_nodes()


@pytest.mark.aksnet(
    id="ipam.service-range-headroom",
    feature="ipam",
    severity="minor",
    needs=("all-services",),
)
def test_service_range_headroom(inventory: Inventory) -> None:
    """The range of cluster IPs has an address for a new Service.

    Why: Without a free cluster IP, creating a Service fails, and with it every rollout that brings
    one.

    Remedy: Remove unused Services or make them headless; from Kubernetes 1.33 on a ServiceCIDR
    object can add a range.
    """
    inventory.assert_service_range_has_room()
