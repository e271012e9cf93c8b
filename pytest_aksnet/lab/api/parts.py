"""The parts of an object that requests may and may not write.

Pure functions on objects; the store decides when to use them.
"""

import uuid

from pytest_aksnet.lab.api import defaults
from pytest_aksnet.lab.api.objects import JsonObject, clone, timestamp
from pytest_aksnet.lab.api.resources import Resource

_KEPT_ON_UPDATE = (
    "uid",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
    "generateName",
)
_STATUS_OWNED_BY_CREATOR = ("nodes", "namespaces", "services")


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


def begin(resource: Resource, new: JsonObject) -> None:
    """Write what only the API server says of a new object, instead of what the request said."""
    metadata = new["metadata"]
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = timestamp()
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink"):
        metadata.pop(field, None)
    if resource.counts_generation:
        metadata["generation"] = 1
    if "status" in resource.subresources and resource.plural not in _STATUS_OWNED_BY_CREATOR:
        new.pop("status", None)


def keep(resource: Resource, old: JsonObject, new: JsonObject) -> None:
    """Write those parts of the stored object into the new one that an update cannot change."""
    metadata = new["metadata"]
    for field in _KEPT_ON_UPDATE:
        if field in old["metadata"]:
            metadata[field] = old["metadata"][field]
        else:
            metadata.pop(field, None)
    if resource.namespaced:
        metadata["namespace"] = old["metadata"]["namespace"]
    if "status" in resource.subresources:
        new.pop("status", None)
        if "status" in old:
            new["status"] = clone({"status": old["status"]})["status"]
    if "managedFields" in old["metadata"]:
        metadata.setdefault("managedFields", old["metadata"]["managedFields"])


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


def bound(pod: JsonObject, node: str) -> JsonObject:
    """A copy of a pod that is assigned to a node."""
    result = clone(pod)
    result["spec"]["nodeName"] = node
    conditions = result.setdefault("status", {}).setdefault("conditions", [])
    conditions[:] = [item for item in conditions if item["type"] != "PodScheduled"]
    conditions.append(
        {
            "type": "PodScheduled",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": timestamp(),
        }
    )
    return result
