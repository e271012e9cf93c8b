"""Finds the managed cluster in ARM: by its id, or from the nodes' providerID.

A node's resource group says in managedBy which managed cluster it belongs to (AKS docs: faq, node
resource group), and the managed cluster says in nodeResourceGroup where its nodes are. Both must
agree: an id may be another cluster's, and machines of a self-made cluster may be in any group.
"""

import re
from collections.abc import Callable, Iterable

from pytest_aksnet.arm.client import Door
from pytest_aksnet.arm.refusals import Refused
from pytest_aksnet.model.arm import Place, Refusal, Sort

# Of a scale set's instance, or of a virtual machine alone (Cloud Provider Azure: providerID).
_NODE = re.compile(
    r"^azure:///subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.Compute/",
    re.IGNORECASE,
)
_CLUSTER = re.compile(
    r"^/subscriptions/([^/]+)/resourceGroups/([^/]+)"
    r"/providers/Microsoft\.ContainerService/managedClusters/([^/]+)/?$",
    re.IGNORECASE,
)
_GROUP_VERSION = "2021-04-01"
_NAME_IT = "name the cluster with --aksnet-resource-id"


def find_cluster(
    provider_ids: Iterable[str], resource_id: str | None, door_of: Callable[[str], Door]
) -> Place:
    """The managed cluster of these nodes, or the named one.

    Raises Refused where nothing says which it is, or AzureError where that cannot be read.
    """
    groups = _node_groups(provider_ids)
    folded = tuple(sorted(_group_id(*group).lower() for group in groups))
    if resource_id:
        named = _CLUSTER.match(resource_id.strip())
        if named is None:
            raise _unnamed(
                f"--aksnet-resource-id={resource_id} is no id of a managed cluster "
                "(/subscriptions/S/resourceGroups/G/providers/Microsoft.ContainerService/"
                "managedClusters/NAME)"
            )
        return _place(named, folded)
    if not groups:
        raise _unnamed(f"no node has a providerID of Azure; {_NAME_IT}")
    if len(groups) > 1:
        names = ", ".join(sorted(group for _, group in groups))
        raise _unnamed(f"the nodes are in several resource groups ({names}); {_NAME_IT}")
    [(subscription, group)] = groups
    found = door_of(subscription).get(_group_id(subscription, group), _GROUP_VERSION)
    manager = str(found.get("managedBy") or "")
    named = _CLUSTER.match(manager)
    if named is None:
        what = f"is managed by {manager}" if manager else "is managed by nothing"
        raise _unnamed(
            f"resource group {group} of the nodes {what}, so it is not that of a managed cluster; "
            f"if the nodes are those of one, {_NAME_IT}"
        )
    return _place(named, folded)


def check_nodes(place: Place, node_group: str) -> None:
    """Raise Refused where a managed cluster with nodes in this group is not that of our nodes."""
    expected = _group_id(place.subscription, node_group)
    if not node_group or not place.node_groups or expected.lower() in place.node_groups:
        return
    raise _unnamed(
        f"the nodes of {place.id} are in {expected}, but the nodes here are in "
        f"{', '.join(place.node_groups)}: it is another cluster; {_NAME_IT}"
    )


def _group_id(subscription: str, group: str) -> str:
    return f"/subscriptions/{subscription}/resourceGroups/{group}"


def _node_groups(provider_ids: Iterable[str]) -> list[tuple[str, str]]:
    """Subscriptions and groups, each once, whatever their case."""
    found = (_NODE.match(text) for text in provider_ids)
    pairs = [(one[1], one[2]) for one in found if one]
    return list({(one.lower(), two.lower()): (one, two) for one, two in pairs}.values())


def _place(named: "re.Match[str]", node_groups: tuple[str, ...]) -> Place:
    return Place(
        id=named.group(0).rstrip("/"),
        subscription=named.group(1),
        group=named.group(2),
        name=named.group(3),
        node_groups=node_groups,
    )


def _unnamed(why: str) -> Refused:
    return Refused(Refusal(sort=Sort.UNNAMED, why=why))
