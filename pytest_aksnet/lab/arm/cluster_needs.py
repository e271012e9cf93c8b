"""Microsoft.ContainerService: where a cluster can be upgraded to, and what it needs outside.

An upgrade goes to the next minor version, whose patch level is made up: a facade, as the lab cannot
be upgraded.
"""

from collections import Counter
from collections.abc import Iterable

from pytest_aksnet.lab.api.resources import NODES
from pytest_aksnet.lab.arm.compute import pools_of
from pytest_aksnet.lab.arm.documents import Document
from pytest_aksnet.lab.arm.endpoints import CLUSTERS, private_api_server
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.spec import REGION

POOLS = f"{CLUSTERS}/agentPools"


def version_of(world: World) -> str:
    """The cluster's Kubernetes version, without its v: what most nodes have, as ARM put them there.

    A node that has another one is what an upgrade passed by.
    """
    found = [world.store.find(NODES, node.name) for node in world.spec.nodes]
    versions = [one["status"]["nodeInfo"]["kubeletVersion"] for one in found if one is not None]
    [(version, _)] = Counter(versions or [world.spec.kubernetes_version]).most_common(1)
    return str(version).removeprefix("v")


def _upgrades(world: World) -> list[Document]:
    major, minor, _ = version_of(world).split(".")
    return [{"kubernetesVersion": f"{major}.{int(minor) + 1}.0"}]


def upgrade_profiles(world: World, parent: Document) -> Iterable[Document]:
    """Where the cluster can go."""
    version, upgrades = version_of(world), _upgrades(world)
    yield {
        "id": f"{parent['id']}/upgradeprofiles/default",
        "name": "default",
        "type": f"{CLUSTERS}/upgradeprofiles",
        "properties": {
            "controlPlaneProfile": {
                "name": "master",
                "kubernetesVersion": version,
                "osType": "Linux",
                "upgrades": upgrades,
            },
            "agentPoolProfiles": [
                {
                    "name": pool.name,
                    "kubernetesVersion": version,
                    "osType": "Linux",
                    "upgrades": upgrades,
                }
                for pool, _ in pools_of(world)
            ],
        },
    }


def pool_upgrade_profiles(world: World, parent: Document) -> Iterable[Document]:
    """Where an agent pool can go."""
    yield {
        "id": f"{parent['id']}/upgradeProfiles/default",
        "name": "default",
        "type": f"{POOLS}/upgradeProfiles",
        "properties": {
            "kubernetesVersion": version_of(world),
            "osType": "Linux",
            "latestNodeImageVersion": parent["properties"].get("nodeImageVersion", ""),
            "upgrades": _upgrades(world),
        },
    }


# "AKS docs: outbound-rules-control-egress": required for every cluster with public endpoints.
_REQUIRED = (
    ("azure-resource-management", ("management.azure.com", "login.microsoftonline.com")),
    ("images", ("mcr.microsoft.com", "*.data.mcr.microsoft.com", "mcr-0001.mcr-msedge.net")),
    ("artifacts", ("packages.microsoft.com", "acs-mirror.azureedge.net", "packages.aks.azure.com")),
)


def dependencies(_world: World, _parent: Document) -> Iterable[Document]:
    """What must be reached from the nodes."""
    yield _category("apiServer", (f"*.hcp.{REGION}.azmk8s.io",))
    for category, names in _REQUIRED:
        yield _category(category, names)


def _category(category: str, names: Iterable[str]) -> Document:
    https = [{"port": 443, "protocol": "Https"}]
    return {
        "category": category,
        "endpoints": [{"domainName": name, "endpointDetails": https} for name in names],
    }


def private_link(world: World, parent: Document) -> Iterable[Document]:
    """What a private endpoint can be made for: the API server of a private cluster."""
    if private_api_server(world.spec) is not None:
        yield {
            "id": f"{parent['id']}/privateLinkResources/management",
            "name": "management",
            "type": f"{CLUSTERS}/privateLinkResources",
            "groupId": "management",
            "requiredMembers": ["management"],
        }
