"""What the nodes are told to translate, as the objects of the cluster say."""

import pytest

from pytest_aksnet.inventory import Inventory


@pytest.mark.aksnet(
    id="egress.masquerade-ranges",
    feature="egress",
    severity="major",
    needs=("masquerade-config",),
)
def test_masquerade_ranges(inventory: Inventory) -> None:
    """nonMasqueradeCIDRs of azure-ip-masq-agent are those that the network mode needs.

    Why: with too few ranges pods show their node's address where their own is expected, with too
    many they leave with an address that nothing outside can answer.

    When: azure-ip-masq-agent runs (overlay, node subnet, kubenet), without eBPF host routing.

    Remedy: remove ranges of your own: `kubectl -n kube-system delete configmap
    azure-ip-masq-agent-config`; AKS restores azure-ip-masq-agent-config-reconciled itself.
    """
    inventory.assert_masquerade_ranges()
