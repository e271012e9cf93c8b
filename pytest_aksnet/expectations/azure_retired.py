"""What AKS retires, found in ARM and joined with the nodes: whose it is, and which resource. Pure.

Dates and remedies are those of `upgrade_retirements`; here is where ARM shows them.
"""

import datetime
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pytest_aksnet.expectations.azure_blame import Finding, open_
from pytest_aksnet.expectations.upgrade_retirements import (
    AVAILABILITY_SETS,
    BASIC_BALANCER,
    KUBENET,
    NPM_LINUX,
    NPM_WINDOWS,
    SERVICE_MESH_ADDON,
    WINDOWS_ANNUAL,
    Retirement,
    judge_retirements,
    retirements_of_images,
)
from pytest_aksnet.model.azure import AzurePool, ManagedCluster
from pytest_aksnet.model.verdict import Outcome

# osSKU and nodeImageVersion of a pool, by what its nodes call themselves ("REST API: Agent Pools",
# OSSKU; AKS docs: node-images).
_IMAGES: tuple[tuple[str, str], ...] = (
    ("cblmariner", "CBL-Mariner"),
    ("aksazurelinux-v2", "CBL-Mariner"),
    ("windows2019", "Windows Server 2019"),
    ("windows-2019", "Windows Server 2019"),
    ("windows2022", "Windows Server 2022"),
    ("windows-2022", "Windows Server 2022"),
    ("flatcar", "Flatcar"),
    ("ubuntu-2004", "Ubuntu 20.04"),
    ("ubuntu2204", "Ubuntu 22.04"),
    ("ubuntu-2204", "Ubuntu 22.04"),
)
_ANNUAL = ("windowsannual", "windows-23h2")
_MESH = "openServiceMesh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """Something that ends, and the id of the resource of Azure that has it."""

    what: Retirement
    resource: str


def retired_in(
    cluster: ManagedCluster, pools: Iterable[AzurePool], images: Mapping[str, Mapping[str, str]]
) -> dict[str, Seen]:
    """Everything that ends, by where it was seen. `images` are osImage by node by pool."""
    found = _of_cluster(cluster)
    pools = tuple(pools)
    plan = cluster.network
    for pool in pools:
        where = f"agent pool {pool.name}"
        if pool.kind == "AvailabilitySet":
            found[f"type {pool.kind} of {where}"] = Seen(what=AVAILABILITY_SETS, resource=pool.id)
        for text in filter(None, (pool.os_sku, pool.image_version)):
            if what := _of_image(text):
                found[f"{text} of {where}"] = Seen(what=what, resource=pool.id)
        for seen, what in retirements_of_images(images.get(pool.name, {})).items():
            found[seen] = Seen(what=what, resource=pool.id)
        if plan is not None and plan.policy == "azure" and pool.os_type:
            manager = NPM_WINDOWS if pool.os_type == "Windows" else NPM_LINUX
            found[f"networkPolicy azure for {where}"] = Seen(what=manager, resource=cluster.id)
    return found


def _of_cluster(cluster: ManagedCluster) -> dict[str, Seen]:
    plan = cluster.network
    found = {}
    if plan is not None and plan.balancer_sku == "basic":
        found["loadBalancerSku basic"] = BASIC_BALANCER
    if plan is not None and plan.plugin == "kubenet":
        found["networkPlugin kubenet"] = KUBENET
    if _MESH in cluster.addons:
        found[f"add-on {_MESH}"] = SERVICE_MESH_ADDON
    return {where: Seen(what=what, resource=cluster.id) for where, what in found.items()}


def _of_image(text: str) -> Retirement | None:
    lowered = text.lower()
    if any(word in lowered for word in _ANNUAL):
        return WINDOWS_ANNUAL
    image = next((image for word, image in _IMAGES if word in lowered), "")
    return retirements_of_images({text: image}).get(f"osImage {image!r} of node {text}")


def judge_retired(
    cluster: ManagedCluster,
    pools: Iterable[AzurePool],
    found: Mapping[str, Seen],
    today: datetime.date,
) -> Finding:
    """Whether nothing that ended by that day is in use; the first of it is to be changed."""
    verdict = judge_retirements({where: seen.what for where, seen in found.items()}, today)
    over = next((seen for seen in found.values() if seen.what.ends < today), None)
    if over is not None:
        return Finding(verdict=verdict, resource=over.resource, change=over.what.remedy)
    if verdict.outcome is Outcome.PASS and (untold := _untold(cluster, pools)):
        return open_(f"ARM does not tell {', '.join(untold)}, of which some are retired")
    return Finding(verdict=verdict)


def _untold(cluster: ManagedCluster, pools: Iterable[AzurePool]) -> list[str]:
    """What an answer lacks that may be something retired."""
    plan = cluster.network
    if plan is None:
        return ["networkProfile"]
    said = {"loadBalancerSku": plan.balancer_sku, "networkPlugin": plan.plugin}
    said |= {f"the type of pool {pool.name}": pool.kind for pool in pools}
    return [what for what, value in said.items() if not value]
