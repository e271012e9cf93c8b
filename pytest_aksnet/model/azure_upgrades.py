"""What Azure Resource Manager says of upgrades, and of what a cluster must reach: data only.

What ARM's answer lacks is None, or empty where it is text.
"""

from dataclasses import dataclass

from pytest_aksnet.model.arm import Topic

_CLUSTERS = "Microsoft.ContainerService/managedClusters"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A version of Kubernetes that an upgrade can go to."""

    version: str
    is_preview: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class UpgradeProfile:
    """What a control plane or an agent pool has, and what it can be upgraded to.

    `pool` is empty for the control plane. `targets` is None where ARM told none at all: that is how
    it also says that there is no newer version. `newest_image` is that of nodes, of pools only.
    """

    pool: str
    version: str
    targets: tuple[Target, ...] | None
    newest_image: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequiredEndpoint:
    """Something outside that the nodes must reach, as ARM lists it for this cluster.

    `domain` is a name, or a pattern with an asterisk; `protocol` is in ARM's words, such as Https,
    TCP or UDP; `port` is None where none is told.
    """

    category: str
    domain: str
    protocol: str
    port: int | None


UPGRADE_PROFILE: Topic[UpgradeProfile] = Topic(
    "upgrade-profile", (f"{_CLUSTERS}/upgradeProfiles/read",)
)
POOL_UPGRADE_PROFILES: Topic[tuple[UpgradeProfile, ...]] = Topic(
    "pool-upgrade-profiles", (f"{_CLUSTERS}/agentPools/upgradeProfiles/read",)
)
EGRESS_ENDPOINTS: Topic[tuple[RequiredEndpoint, ...]] = Topic(
    "egress-endpoints", (f"{_CLUSTERS}/outboundNetworkDependenciesEndpoints/read",)
)
