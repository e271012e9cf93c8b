"""The managed cluster in Azure Resource Manager, and the cluster that pods see, are the same."""

import pytest

from pytest_aksnet.azure_inventory import Arm


@pytest.mark.aksnet(
    id="azure.network-profile-agrees",
    feature="azure",
    severity="major",
)
def test_network_profile_agrees(arm: Arm) -> None:
    """networkProfile in Azure is what runs: mode, data plane, policy engine, ranges, DNS address.

    Why: Upgrades and support go by what Azure has; an engine that it does not know of is neither
    upgraded nor enforced on new nodes, and a range that it does not know of is given out again.

    Remedy: `az aks show --query networkProfile`; repeat the update that was cut off (`az aks update
    --network-policy`), or remove what was installed beside it.
    """
    arm.assert_network_profile_agrees()


@pytest.mark.aksnet(id="azure.versions-agree", feature="azure", severity="major")
def test_versions_agree(arm: Arm) -> None:
    """The API server and the kubelets of each pool have the versions that Azure names.

    Why: A node that an upgrade passed by keeps old defects, and stands against the next upgrade.

    Remedy: `az aks nodepool show --query currentOrchestratorVersion`; `az aks nodepool upgrade` to
    the same version, or reimage the node (`az vmss reimage`).
    """
    arm.assert_versions_agree()


@pytest.mark.aksnet(id="azure.upgrade-possible", feature="azure", severity="major")
def test_upgrade_possible(arm: Arm) -> None:
    """Cluster and pools are in a state in which AKS upgrades them, and no pool is too far behind.

    Why: A cluster in a failed state refuses upgrades, scaling and new settings; that is found out
    when one of them is urgent.

    Remedy: `az aks nodepool show --query provisioningState`; repeat the last operation, or `az
    resource update --ids`, which has Azure try again; `az aks get-upgrades` has the versions.
    """
    arm.assert_upgrade_possible()


@pytest.mark.aksnet(id="azure.surge-settings", feature="azure", severity="major")
def test_surge_settings(arm: Arm) -> None:
    """Each pool can add a node or take one out while it is upgraded.

    Why: With neither of both no upgrade begins, node images and security patches included.

    Remedy: `az aks nodepool update --max-surge 33%`, or --max-surge 0 --max-unavailable 1 where no
    machine can be added.
    """
    arm.assert_surge_settings()


@pytest.mark.aksnet(id="azure.nothing-retired", feature="azure", severity="major")
def test_nothing_retired(arm: Arm) -> None:
    """Nothing that Azure or the nodes show has been retired by AKS.

    Why: What has been retired gets no patches, may not be scaled or upgraded any more, and takes
    the whole cluster out of support; what ends within a year is a warning.

    Remedy: The message names resource and way out; `az aks nodepool add --os-sku` and `az aks
    update --network-plugin-mode overlay` are the usual ones.
    """
    arm.assert_nothing_retired()
