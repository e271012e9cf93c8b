"""The parts of an object that requests may and may not write, and when an object may go.

Pure functions on objects; the store decides when to use them.
"""

from pytest_aksnet.lab.api import defaults
from pytest_aksnet.lab.api.objects import JsonObject, clone
from pytest_aksnet.lab.api.resources import PODS, Resource

FOREGROUND = "foregroundDeletion"
"""The finalizer of an object that goes after its dependents."""


def normal_form(resource: Resource, value: JsonObject) -> JsonObject:
    """A copy with kind, apiVersion and metadata first, and without nulls in metadata."""
    metadata = {
        key: item for key, item in (value.get("metadata") or {}).items() if item is not None
    }
    rest = {
        key: item for key, item in value.items() if key not in ("kind", "apiVersion", "metadata")
    }
    return clone(
        {
            "kind": resource.kind,
            "apiVersion": resource.api_version,
            "metadata": metadata,
            **rest,
        }
    )


def with_part(old: JsonObject, new: JsonObject, subresource: str) -> JsonObject:
    """The stored object with one part taken from the new one."""
    result = clone(old)
    if subresource == "ephemeralcontainers":
        wanted = (new.get("spec") or {}).get("ephemeralContainers") or []
        result["spec"]["ephemeralContainers"] = wanted
        defaults.ephemeral_containers(result["spec"])
    elif subresource == "finalize":
        result.setdefault("spec", {})["finalizers"] = (new.get("spec") or {}).get("finalizers", [])
        if not result["spec"]["finalizers"]:
            result["spec"] = {}
    else:
        result["status"] = new.get("status", {})
    return result


def grace(resource: Resource, value: JsonObject, asked: int | None) -> int:
    """The seconds a pod gets to end: none without a node or after its end; others never."""
    if resource is not PODS:
        return 0
    spec = value["spec"]
    if not spec.get("nodeName") or value.get("status", {}).get("phase") in ("Succeeded", "Failed"):
        return 0
    if asked is not None:
        return max(asked, 0)
    return int(spec.get("terminationGracePeriodSeconds", 30))


def may_go(resource: Resource, value: JsonObject) -> bool:
    """Whether a marked object has nothing left that keeps it."""
    metadata = value["metadata"]
    return (
        "deletionTimestamp" in metadata
        and not metadata.get("finalizers")
        and not value.get("spec", {}).get("finalizers")
        and metadata.get("deletionGracePeriodSeconds", 0) == 0
    )
