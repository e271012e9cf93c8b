"""Address ranges: they do not overlap, each node has its own, and nothing waits for an address."""

import pytest

from pytest_aksnet.inventory import Inventory


@pytest.mark.aksnet(
    id="ipam.ranges-disjoint",
    feature="ipam",
    severity="critical",
)
def test_ranges_disjoint(inventory: Inventory) -> None:
    """The ranges of pods, Services and the virtual network do not overlap, nor use reserved ones.

    Why: Packets to an address that two ranges have go to one of the two: parts of the network are
    then unreachable from pods, or answer in place of another.

    Remedy: `az aks show --query networkProfile` and `kubectl get servicecidrs` show the ranges; the
    range of Services and, outside of overlay, that of pods need a new cluster.
    """
    inventory.assert_ranges_disjoint()


@pytest.mark.aksnet(
    id="ipam.node-ranges-distinct", feature="ipam", severity="critical", needs=("all-pods",)
)
def test_node_ranges_distinct(inventory: Inventory) -> None:
    """No two nodes give their pods addresses of the same range.

    Why: Two nodes with one range hand out the same addresses twice, and the route leads to one of
    them only.

    When: With two nodes or more, where each has a range of its own for pods.

    Remedy: `kubectl get nodes -o custom-columns=NAME:.metadata.name,RANGE:.spec.podCIDRs` shows
    them. Drain and delete the younger node, so that it comes back with a range of its own.
    """
    inventory.assert_node_ranges_distinct()


@pytest.mark.aksnet(
    id="ipam.pressure-events", feature="ipam", severity="major", needs=("all-pods", "all-events")
)
def test_pressure_events(inventory: Inventory) -> None:
    """No pod waits because there is no address or no place for it.

    Why: Pods that wait for an address are the first sign of a full subnet, of a full node, or of
    addresses that leak on a node.

    Remedy: `kubectl get events -A --field-selector=type=Warning` names the pods. Compare the
    network plugin's state on their node with the pods that run there.
    """
    inventory.assert_no_address_pressure()
