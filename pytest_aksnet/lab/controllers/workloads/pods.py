"""What the workload controllers share: owned pods, pods from templates, hashes of templates."""

import hashlib
import json

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.objects import JsonObject, clone
from pytest_aksnet.lab.api.resources import PODS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.events import NORMAL, WARNING, EventRecorder

_HASH_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"
_HASH_LENGTH = 10
_ENDED = ("Succeeded", "Failed")


def template_hash(template: JsonObject) -> str:
    """A short name of a pod template's content."""
    text = json.dumps(template, sort_keys=True).encode()
    digest = hashlib.sha256(text).digest()
    return "".join(_HASH_ALPHABET[byte % len(_HASH_ALPHABET)] for byte in digest[:_HASH_LENGTH])


def owner_reference(owner: JsonObject) -> JsonObject:
    """The reference by which an object says that `owner` controls it."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller_uid(value: JsonObject) -> str:
    """The uid of the object that controls this one; "" without one."""
    for owner in value["metadata"].get("ownerReferences") or []:
        if owner.get("controller"):
            return str(owner["uid"])
    return ""


def owned_pods(store: Store, owner: JsonObject) -> list[JsonObject]:
    """The pods that an object controls and that are neither over nor going."""
    metadata = owner["metadata"]
    return [
        revision.value
        for revision in store.revisions(PODS, metadata["namespace"])
        if controller_uid(revision.value) == metadata["uid"]
        and "deletionTimestamp" not in revision.value["metadata"]
        and (revision.value.get("status") or {}).get("phase") not in _ENDED
    ]


def create_pod(
    store: Store,
    events: EventRecorder,
    owner: JsonObject,
    *,
    labels: dict[str, str],
    spec: JsonObject,
    name: str = "",
) -> None:
    """Create a pod from the owner's template with more labels and another spec.

    Raises ApiError after an event that says why.
    """
    template = clone(owner["spec"]["template"])
    metadata = template.get("metadata") or {}
    metadata["labels"] = {**(metadata.get("labels") or {}), **labels}
    metadata["ownerReferences"] = [owner_reference(owner)]
    if name:
        metadata["name"] = name
    else:
        metadata["generateName"] = f"{owner['metadata']['name']}-"
    pod = {"metadata": metadata, "spec": spec}
    try:
        created = store.create(PODS, pod, owner["metadata"]["namespace"])
    except ApiError as error:
        events.record(owner, WARNING, "FailedCreate", f"Error creating: {error}")
        raise
    text = f"Created pod: {created['metadata']['name']}"
    events.record(owner, NORMAL, "SuccessfulCreate", text)


def delete_pod(store: Store, events: EventRecorder, owner: JsonObject, pod: JsonObject) -> None:
    """Delete a pod with its own grace; harmless where it is gone."""
    metadata = pod["metadata"]
    try:
        store.delete(PODS, metadata["name"], metadata["namespace"], uid=metadata["uid"])
    except ApiError as error:
        if error.code not in (404, 409):
            raise
        return
    events.record(owner, NORMAL, "SuccessfulDelete", f"Deleted pod: {metadata['name']}")
