"""What a request to delete an object writes into it, and how long the object then stays.

Pure functions on objects; the store decides when to use them.
"""

from pytest_aksnet.lab.api.objects import JsonObject, clone, timestamp
from pytest_aksnet.lab.api.resources import NAMESPACES, PODS, Resource

FOREGROUND = "foregroundDeletion"
"""The finalizer of an object that goes after its dependents."""


def marked(
    resource: Resource, value: JsonObject, grace_seconds: int | None, *, foreground: bool
) -> tuple[JsonObject, bool]:
    """A copy of an object that is marked for deletion, and whether it waits for something."""
    result = clone(value)
    metadata = result["metadata"]
    if foreground and FOREGROUND not in metadata.get("finalizers", []):
        metadata["finalizers"] = [*metadata.get("finalizers", []), FOREGROUND]
    grace = _grace(resource, result, grace_seconds)
    waits = grace > 0 or metadata.get("finalizers") or result.get("spec", {}).get("finalizers")
    already = "deletionTimestamp" in metadata
    shorter = not already or grace < metadata.get("deletionGracePeriodSeconds", 0)
    if shorter:
        metadata["deletionTimestamp"] = timestamp(grace)
        if resource is not NAMESPACES:
            metadata["deletionGracePeriodSeconds"] = grace
        if resource.counts_generation and not already:
            metadata["generation"] = metadata.get("generation", 0) + 1
    if resource is NAMESPACES:
        result.setdefault("status", {})["phase"] = "Terminating"
    return result, bool(waits)


def may_go(value: JsonObject) -> bool:
    """Whether a marked object has nothing left that keeps it."""
    metadata = value["metadata"]
    return (
        "deletionTimestamp" in metadata
        and not metadata.get("finalizers")
        and not value.get("spec", {}).get("finalizers")
        and metadata.get("deletionGracePeriodSeconds", 0) == 0
    )


def without_owner(value: JsonObject, uid: str) -> JsonObject:
    """A copy that does not name the object with this uid as an owner."""
    result = clone(value)
    owners = value["metadata"].get("ownerReferences") or []
    result["metadata"]["ownerReferences"] = [owner for owner in owners if owner["uid"] != uid]
    return result


def _grace(resource: Resource, value: JsonObject, asked: int | None) -> int:
    """The seconds a pod gets to end: none without a node or after its end; others never."""
    if resource is not PODS:
        return 0
    spec = value["spec"]
    if not spec.get("nodeName") or value.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    if asked is not None:
        return max(asked, 0)
    return int(spec.get("terminationGracePeriodSeconds", 30))
