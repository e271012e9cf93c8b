"""Whether there is anything that enforces NetworkPolicies."""

import pytest

from pytest_aksnet.inventory import Inventory


@pytest.mark.aksnet(
    id="network-policy.engine-present",
    feature="network-policy",
    severity="critical",
)
def test_engine_present(inventory: Inventory) -> None:
    """A policy engine that enforces NetworkPolicies runs in the cluster.

    Why: without an engine the API server accepts every NetworkPolicy and nothing happens.

    Remedy: give the cluster an engine, such as `az aks update --network-policy cilium` or calico
    (AKS docs: use-network-policies); the other policy checks are skipped until then.
    """
    inventory.assert_policy_engine()
