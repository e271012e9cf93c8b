"""The managed cluster in Azure Resource Manager, and the cluster that pods see, are the same."""

import pytest

from pytest_aksnet.azure_inventory import Arm


@pytest.mark.aksnet(id="azure.pools-have-their-nodes", feature="azure", severity="major")
def test_pools_have_their_nodes(arm: Arm) -> None:
    """Every machine that Azure counts in an agent pool is a node of the cluster.

    Why: A machine that never joined is paid for and serves nobody; mostly it could not reach what
    it needs for its bootstrap, and the next one will not either.

    Remedy: `az aks nodepool show` has the state of the pool; `az vmss run-command` can show
    /var/log/azure/cluster-provision.log of a machine that did not join.
    """
    arm.assert_pools_have_their_nodes()
