"""The cluster in Azure, beside what the site file wants of it."""

import pytest

from pytest_aksnet.azure_inventory import Arm


@pytest.mark.aksnet(id="azure.profile-drift", feature="azure", severity="major")
def test_profile_drift(arm: Arm) -> None:
    """Every setting of [azure_profile] in the site file is what Azure has.

    Why: What was changed by hand is lost with the next deployment, or the reason for the next
    outage; each setting that differs is named with both values.

    When: the site file has the section; the evidence of this check has it as of now, to be pasted.

    Remedy: `az aks show` and `az aks nodepool show` have the values: bring the named resource back
    to the wanted one, or change the site file.
    """
    arm.assert_profile_as_wanted()
