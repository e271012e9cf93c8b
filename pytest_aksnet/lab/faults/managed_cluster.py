"""Faults of the managed cluster in ARM: its settings and states."""

from pytest_aksnet.lab.azure.managed import administrator, authorized_at_first
from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.faults.of_azure import AzureFault
from pytest_aksnet.lab.spec import LabSpec

_OTHER_ENGINE = {"azure": "calico", "calico": "azure", "cilium": "calico", "none": "calico"}


class ApiRangesLackEgress(AzureFault):
    """Authorized ranges for administrators alone."""

    name = "api-ranges-lack-egress"
    describes = (
        "The authorized ranges of the API server have the administrators' address and not that of "
        "the firewall or NAT gateway which the cluster leaves by, so that nodes and pods make no "
        "new connection to it (AKS docs: api-server-authorized-ip-ranges)."
    )

    def unfit(self, spec: LabSpec) -> str:
        """A load balancer's outbound addresses are let in unlisted; a private one has no ranges."""
        if spec.options.egress in ("firewall", "nat-gateway"):
            return ""
        return "AKS lets the cluster's own load balancer in: set egress=firewall or nat-gateway"

    def breaks(self, azure: AzureState) -> None:
        """Authorize one host on the internet."""
        azure.managed.authorized_ranges = [f"{administrator(azure.spec)}/32"]

    def mends(self, azure: AzureState) -> None:
        """Authorize those of the start."""
        azure.managed.authorized_ranges = authorized_at_first(azure.spec)


class ApiRangesRemoved(AzureFault):
    """No authorized ranges any more."""

    name = "api-ranges-removed"
    describes = (
        "The authorized ranges of the API server were removed, as for a test, so that the whole "
        "internet may connect to it (AKS docs: api-server-authorized-ip-ranges; CIS AKS 5.4.1)."
    )

    def unfit(self, spec: LabSpec) -> str:
        """It takes ranges."""
        return "" if spec.options.authorized_ranges else "set authorized-ranges=true"

    def breaks(self, azure: AzureState) -> None:
        """Authorize all."""
        azure.managed.authorized_ranges = []

    def mends(self, azure: AzureState) -> None:
        """Authorize those of the start."""
        azure.managed.authorized_ranges = authorized_at_first(azure.spec)


class PolicyEngineOfArmDiffers(AzureFault):
    """Another policy engine in ARM than in the cluster."""

    name = "arm-policy-engine-differs"
    describes = (
        "networkProfile.networkPolicy names another engine than the one that runs, as after a "
        "change of it that was cut off (AKS docs: use-network-policies, change the policy engine)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Name another one."""
        azure.managed.network_policy = _OTHER_ENGINE[azure.spec.engine]

    def mends(self, azure: AzureState) -> None:
        """Name the one that runs."""
        azure.managed.network_policy = ""


class PoolUpgradeFailed(AzureFault):
    """An agent pool in a failed state."""

    name = "pool-upgrade-failed"
    describes = (
        "The provisioning state of the last agent pool is Failed, as after an upgrade that a "
        "PodDisruptionBudget or a quota stopped: AKS refuses further ones (AKS troubleshooting "
        "guide: failed clusters and node pools)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Have it so."""
        azure.managed.states[azure.spec.options.pools[-1].name] = "Failed"

    def mends(self, azure: AzureState) -> None:
        """Have it Succeeded."""
        azure.managed.states.clear()


class SurgeZero(AzureFault):
    """An agent pool that can neither grow nor shrink for an upgrade."""

    name = "surge-zero"
    describes = (
        "maxSurge and maxUnavailable of the last agent pool are both 0, so that no upgrade of it "
        "can begin (AKS docs: upgrade-aks-node-pools-rolling)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Set both."""
        azure.managed.surge[azure.spec.options.pools[-1].name] = ("0", "0")

    def mends(self, azure: AzureState) -> None:
        """Set both as they were."""
        azure.managed.surge.clear()


MANAGED_CLUSTER_FAULTS = (
    ApiRangesLackEgress,
    ApiRangesRemoved,
    PolicyEngineOfArmDiffers,
    PoolUpgradeFailed,
    SurgeZero,
)
