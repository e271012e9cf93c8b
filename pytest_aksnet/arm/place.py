"""Finds the managed cluster in ARM: by its id, or from the nodes' providerID.

A node's resource group says in managedBy which managed cluster it belongs to (AKS docs: faq, node
resource group). Several clusters never share one, but an id may be wrong, and nodes of a
self-made cluster have no such group.
"""

import re
from collections.abc import Callable, Iterable

from pytest_aksnet.arm.client import Door
from pytest_aksnet.arm.reader import Place
from pytest_aksnet.arm.refusals import Refused
from pytest_aksnet.model.arm import Refusal, Sort

_NODE = re.compile(r"^azure:///subscriptions/([^/]+)/resourceGroups/([^/]+)/", re.IGNORECASE)
_CLUSTER = re.compile(
    r"^/subscriptions/([^/]+)/resourceGroups/([^/]+)"
    r"/providers/Microsoft\.ContainerService/managedClusters/([^/]+)/?$",
    re.IGNORECASE,
)
_GROUP_VERSION = "2021-04-01"


def find_cluster(
    provider_ids: Iterable[str], resource_id: str | None, door_of: Callable[[str], Door]
) -> Place:
    """The managed cluster of these nodes, or the named one.

    Raises Refused where nothing says which it is, or AzureError where that cannot be read.
    """
    if resource_id:
        named = _CLUSTER.match(resource_id)
        if named is None:
            raise _unnamed(
                f"--aksnet-resource-id={resource_id} is no id of a managed cluster "
                "(/subscriptions/S/resourceGroups/G/providers/Microsoft.ContainerService/"
                "managedClusters/NAME)"
            )
        return _place(named)
    subscription, group = _node_group(provider_ids)
    path = f"/subscriptions/{subscription}/resourceGroups/{group}"
    found = door_of(subscription).get(path, _GROUP_VERSION)
    named = _CLUSTER.match(str(found.get("managedBy") or ""))
    if named is None:
        raise _unnamed(
            f"resource group {group} of the nodes does not say which managed cluster it belongs "
            "to; name it with --aksnet-resource-id"
        )
    return _place(named)


def _node_group(provider_ids: Iterable[str]) -> tuple[str, str]:
    groups = {
        (found[1].lower(), found[2].lower()): (found[1], found[2])
        for text in provider_ids
        if (found := _NODE.match(text))
    }
    if not groups:
        raise _unnamed(
            "no node has a providerID of Azure; name the cluster with --aksnet-resource-id"
        )
    if len(groups) > 1:
        names = ", ".join(sorted(group for _, group in groups.values()))
        raise _unnamed(
            f"the nodes are in several resource groups ({names}); name the cluster with "
            "--aksnet-resource-id"
        )
    return next(iter(groups.values()))


def _place(named: "re.Match[str]") -> Place:
    return Place(
        id=named.group(0).rstrip("/"),
        subscription=named.group(1),
        group=named.group(2),
        name=named.group(3),
    )


def _unnamed(why: str) -> Refused:
    return Refused(Refusal(sort=Sort.UNNAMED, why=why))
