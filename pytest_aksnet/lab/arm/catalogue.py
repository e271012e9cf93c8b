"""All resource types of the lab, and how a resource is found."""

from collections.abc import Mapping
from typing import TypeVar

from pytest_aksnet.lab.arm import (
    compute,
    containerservice,
    errors,
    network_addresses,
    network_balancers,
    network_effective,
    network_endpoints,
    network_gateways,
    network_interfaces,
    network_security,
    network_vnets,
    network_watchers,
    private_dns,
    skus,
    storage,
)
from pytest_aksnet.lab.arm.documents import Document
from pytest_aksnet.lab.arm.endpoints import CLUSTER_ID
from pytest_aksnet.lab.arm.ids import group_id, same, subscription_id
from pytest_aksnet.lab.arm.kinds import Answer, Parts, Top
from pytest_aksnet.lab.arm.requests import Target
from pytest_aksnet.lab.arm.roles import is_within
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.spec import NODE_RESOURCE_GROUP, REGION, RESOURCE_GROUP

WATCHER_GROUP = network_watchers.GROUP
_GROUPS = (RESOURCE_GROUP, NODE_RESOURCE_GROUP, WATCHER_GROUP)

_Entry = TypeVar("_Entry", Top, Parts, Answer)

_PROVIDERS = (
    compute.PROVIDER,
    containerservice.PROVIDER,
    network_addresses.PROVIDER,
    network_balancers.PROVIDER,
    network_effective.PROVIDER,
    network_endpoints.PROVIDER,
    network_gateways.PROVIDER,
    network_interfaces.PROVIDER,
    network_security.PROVIDER,
    network_vnets.PROVIDER,
    network_watchers.PROVIDER,
    private_dns.PROVIDER,
    skus.PROVIDER,
    storage.PROVIDER,
)


def _merged(*tables: Mapping[str, _Entry]) -> dict[str, _Entry]:
    return {kind.casefold(): entry for table in tables for kind, entry in table.items()}


_TOPS = _merged(*(one.tops for one in _PROVIDERS))
_PARTS = _merged(*(one.parts for one in _PROVIDERS))
READS = _merged(*(one.reads for one in _PROVIDERS))
ACTIONS = _merged(*(one.actions for one in _PROVIDERS))
PUTS = _merged(*(one.puts for one in _PROVIDERS))
DELETES = _merged(*(one.deletes for one in _PROVIDERS))

NAMESPACES = {
    namespace.casefold(): namespace
    for namespace in (
        "Microsoft.Authorization",
        "Microsoft.Compute",
        "Microsoft.ContainerService",
        "Microsoft.Insights",
        "Microsoft.Network",
        "Microsoft.Storage",
    )
}


def resource_groups() -> list[Document]:
    """The resource groups; the nodes' one is managed by the cluster."""
    managed = {"managedBy": CLUSTER_ID}
    return [
        {
            "id": group_id(group),
            "name": group,
            "type": "Microsoft.Resources/resourceGroups",
            "location": REGION,
            **(managed if group == NODE_RESOURCE_GROUP else {}),
            "tags": {},
            "properties": {"provisioningState": "Succeeded"},
        }
        for group in _GROUPS
    ]


def check_group(group: str) -> None:
    """Raises ArmError for a resource group that is not there."""
    if group and not any(same(group, one) for one in _GROUPS):
        raise errors.group_not_found(group)


def is_known(target: Target) -> bool:
    """Whether anything can be asked of such a type."""
    kind = target.kind.casefold()
    return any(kind in table for table in (_TOPS, _PARTS, READS, ACTIONS))


def listed(world: World, target: Target) -> list[Document] | None:
    """The resources or parts that a target lists; None where it lists nothing. Raises ArmError."""
    kind = target.kind.casefold()
    if kind in _TOPS:
        within = group_id(target.group) if target.group else subscription_id()
        # What is no resource has no id: sizes.
        return [one for one in _TOPS[kind](world) if is_within(one.get("id", within), within)]
    if kind in _PARTS:
        return list(_PARTS[kind](world, found(world, above(target))))
    return None


def found(world: World, target: Target) -> Document:
    """The resource that a target names. Raises ArmError where it is not there."""
    kind = target.kind.casefold()
    name = target.names[-1]
    if kind in _TOPS:
        candidates = listed(world, target) or []
    elif kind in _PARTS:
        candidates = list(_PARTS[kind](world, found(world, above(target))))
    else:
        raise errors.type_not_found(target.namespace, "/".join(target.types), "")
    for one in candidates:
        # An instance of a scale set is asked for by its number.
        if same(str(one.get("instanceId", one["name"])), name):
            return one
    if len(target.types) > 1 and same(target.namespace, "Microsoft.Network"):
        raise errors.part_not_found(f"{group_id(target.group)}/providers/{_path(target)}")
    raise errors.resource_not_found(*_names(target), target.group)


def above(target: Target) -> Target:
    """The resource that the named one is a part of."""
    return Target(
        subscription=target.subscription,
        group=target.group,
        namespace=target.namespace,
        types=target.types[:-1],
        names=target.names[: len(target.types) - 1],
    )


def _path(target: Target) -> str:
    pairs = zip(target.types, target.names, strict=False)
    return "/".join((target.namespace, *(f"{kind}/{name}" for kind, name in pairs)))


def _names(target: Target) -> tuple[str, str]:
    """What ResourceNotFound names: the full type, and the names."""
    return target.kind, "/".join(target.names)
