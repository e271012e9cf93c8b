"""The conditions of a terminating namespace: what is left in it, and what keeps that. Pure.

Texts as recorded, and of k8s.io/kubernetes pkg/controller/namespace/deletion.
"""

from collections.abc import Sequence

from pytest_aksnet.lab.api.journal import Revision
from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.api.resources import PODS

_Wanted = tuple[str, bool, str, str]  # type, status, reason, message


def of_content(left: Sequence[Revision]) -> list[_Wanted]:
    """The conditions of a namespace with these objects left, all of them being deleted.

    Pods in their grace are no content that remains: they will go by themselves.
    """
    resources: dict[str, int] = {}
    finalizers: dict[str, int] = {}
    for revision in left:
        names = revision.value["metadata"].get("finalizers") or []
        if revision.resource is PODS and not names:
            continue
        place = f"{revision.resource.plural}.{revision.resource.group}"
        resources[place] = resources.get(place, 0) + 1
        for name in names:
            finalizers[name] = finalizers.get(name, 0) + 1
    found: list[_Wanted] = [
        (
            "NamespaceDeletionDiscoveryFailure",
            False,
            "ResourcesDiscovered",
            "All resources successfully discovered",
        ),
        (
            "NamespaceDeletionGroupVersionParsingFailure",
            False,
            "ParsedGroupVersions",
            "All legacy kube types successfully parsed",
        ),
        (
            "NamespaceDeletionContentFailure",
            False,
            "ContentDeleted",
            "All content successfully deleted, may be waiting on finalization",
        ),
    ]
    if resources:
        texts = [f"{name} has {count} resource instances" for name, count in resources.items()]
        message = f"Some resources are remaining: {', '.join(sorted(texts))}"
        found.append(("NamespaceContentRemaining", True, "SomeResourcesRemain", message))
    else:
        message = "All content successfully removed"
        found.append(("NamespaceContentRemaining", False, "ContentRemoved", message))
    if finalizers:
        texts = [f"{name} in {count} resource instances" for name, count in finalizers.items()]
        message = (
            f"Some content in the namespace has finalizers remaining: {', '.join(sorted(texts))}"
        )
        found.append(("NamespaceFinalizersRemaining", True, "SomeFinalizersRemain", message))
    else:
        message = "All content-preserving finalizers finished"
        found.append(("NamespaceFinalizersRemaining", False, "ContentHasNoFinalizers", message))
    return found


def merge(old: Sequence[JsonObject], wanted: Sequence[_Wanted]) -> list[JsonObject]:
    """The conditions of an object; what has not changed keeps its time."""
    before = {item["type"]: item for item in old}
    result = []
    for kind, holds, reason, message in wanted:
        condition = {
            "type": kind,
            "status": str(holds),
            "lastTransitionTime": timestamp(),
            "reason": reason,
            "message": message,
        }
        known = before.get(kind, {})
        if {**condition, "lastTransitionTime": known.get("lastTransitionTime")} == known:
            condition = known
        result.append(condition)
    return result
