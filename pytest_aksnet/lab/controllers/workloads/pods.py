"""What the workload controllers share: owned pods, pods from templates, hashes of templates."""

import datetime
import hashlib
import json
import math
import time

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.objects import JsonObject, clone
from pytest_aksnet.lab.api.resources import PODS, Resource
from pytest_aksnet.lab.api.selectors import matches_label_selector
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.endpoints import is_ready
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


def all_pods(store: Store, owner: JsonObject) -> list[JsonObject]:
    """The pods that an object controls, by name; not to be changed."""
    metadata = owner["metadata"]
    found = store.controlled(PODS, metadata["uid"], metadata["namespace"])
    return [revision.value for revision in found]


def owned_pods(store: Store, owner: JsonObject) -> list[JsonObject]:
    """Those of `all_pods` that are neither over nor going."""
    return [pod for pod in all_pods(store, owner) if not is_going(pod) and not is_over(pod)]


def is_going(pod: JsonObject) -> bool:
    """Whether a pod is being deleted."""
    return "deletionTimestamp" in pod["metadata"]


def is_over(pod: JsonObject) -> bool:
    """Whether a pod has ended for good."""
    return (pod.get("status") or {}).get("phase") in _ENDED


def moment(written: str) -> float:
    """A moment as metav1.Time writes it, in seconds since 1970."""
    return datetime.datetime.fromisoformat(written).timestamp()


def age_seconds(since: str) -> float:
    """Seconds since a moment as metav1.Time writes it."""
    return time.time() - moment(since)


def seconds_to_available(pod: JsonObject, min_ready_seconds: float) -> float:
    """How long a pod must stay ready to count as available: 0 or less where it is; inf unready."""
    if not is_ready(pod):
        return math.inf
    if not min_ready_seconds:
        return 0.0
    ready = next(item for item in pod["status"]["conditions"] if item["type"] == "Ready")
    return min_ready_seconds - age_seconds(ready["lastTransitionTime"])


def scaled(wanted: int | str, total: int, *, up: bool) -> int:
    """A number, or a percentage of a total rounded up or down."""
    if isinstance(wanted, int):
        return wanted
    if not wanted.endswith("%"):
        return int(wanted)
    share = int(wanted.rstrip("%")) * total / 100
    return math.ceil(share) if up else math.floor(share)


def adopt(store: Store, owner: JsonObject, resource: Resource) -> None:
    """Make an object the controller of what its selector matches and nobody controls."""
    selector = owner["spec"]["selector"]
    place = owner["metadata"]["namespace"]
    for revision in store.controlled(resource, "", place):
        orphan = revision.value
        labels = orphan["metadata"].get("labels") or {}
        if is_going(orphan) or is_over(orphan) or not matches_label_selector(selector, labels):
            continue
        adopted = clone(orphan)
        adopted["metadata"].setdefault("ownerReferences", []).append(owner_reference(owner))
        store.update(resource, adopted, place)


def create_pod(
    store: Store,
    events: EventRecorder,
    owner: JsonObject,
    *,
    labels: dict[str, str],
    spec: JsonObject,
    name: str = "",
    template: JsonObject | None = None,
    verb: str = "",
) -> None:
    """Create a pod from the owner's template (or another) with more labels and another spec.

    Raises ApiError after an event that says why. `verb` replaces "Created pod: NAME".
    """
    template = clone(template or owner["spec"]["template"])
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
    text = verb or f"Created pod: {created['metadata']['name']}"
    events.record(owner, NORMAL, "SuccessfulCreate", text)


def delete_pod(
    store: Store, events: EventRecorder, owner: JsonObject, pod: JsonObject, verb: str = ""
) -> None:
    """Delete a pod with its own grace; harmless where it is gone."""
    metadata = pod["metadata"]
    try:
        store.delete(PODS, metadata["name"], metadata["namespace"], uid=metadata["uid"])
    except ApiError as error:
        if error.code not in (404, 409):
            raise
        return
    text = verb or f"Deleted pod: {metadata['name']}"
    events.record(owner, NORMAL, "SuccessfulDelete", text)
