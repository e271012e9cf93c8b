"""ControllerRevisions of DaemonSets and StatefulSets: their templates of before, numbered.

`kubectl rollout history` and `undo` read them. Source: k8s.io/kubernetes pkg/controller/history.
"""

import dataclasses
from collections.abc import Callable, Collection

from pytest_aksnet.lab.api.objects import JsonObject, clone
from pytest_aksnet.lab.api.resources import CONTROLLER_REVISIONS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.workloads import pods

HASH_LABEL = "controller-revision-hash"


@dataclasses.dataclass(frozen=True, slots=True)
class History:
    """The revisions of one object, the oldest first; the last is that of its template now."""

    store: Store
    owner: JsonObject
    revisions: list[JsonObject]

    @property
    def newest(self) -> JsonObject:
        """The revision of the template as it is."""
        return self.revisions[-1]

    def named(self, name: str) -> JsonObject | None:
        """The revision of that name, where it is still there."""
        return next((one for one in self.revisions if one["metadata"]["name"] == name), None)

    def forget(self, used: Collection[str]) -> None:
        """Delete those beyond revisionHistoryLimit that no pod has (names in `used`)."""
        idle = [item for item in self.revisions[:-1] if item["metadata"]["name"] not in used]
        surplus = len(idle) - self.owner["spec"].get("revisionHistoryLimit", 10)
        for item in idle[: max(0, surplus)]:
            metadata = item["metadata"]
            self.store.delete(CONTROLLER_REVISIONS, metadata["name"], metadata["namespace"])


def template_of(revision: JsonObject) -> JsonObject:
    """The pod template that a revision holds."""
    template = clone(revision["data"]["spec"]["template"])
    template.pop("$patch", None)
    return template


def history(store: Store, owner: JsonObject) -> History:
    """The history of an object, with a revision of its template as it is now."""
    metadata = owner["metadata"]
    found = [
        item.value
        for item in store.controlled(CONTROLLER_REVISIONS, metadata["uid"], metadata["namespace"])
    ]
    found.sort(key=lambda item: int(item["revision"]))
    digest = pods.template_hash(owner["spec"]["template"])
    name = f"{metadata['name']}-{digest}"
    number = int(found[-1]["revision"]) + 1 if found else 1
    same = next((item for item in found if item["metadata"]["name"] == name), None)
    if same is None:
        return History(store, owner, [*found, _create(store, owner, name, digest, number)])
    if same is not found[-1]:
        found.remove(same)
        found.append(_change(store, same, lambda value: value.update(revision=number)))
    return History(store, owner, found)


def _create(store: Store, owner: JsonObject, name: str, digest: str, number: int) -> JsonObject:
    template = clone(owner["spec"]["template"])
    labels = dict((template.get("metadata") or {}).get("labels") or {})
    return store.create(
        CONTROLLER_REVISIONS,
        {
            "metadata": {
                "name": name,
                "labels": {**labels, HASH_LABEL: digest},
                "ownerReferences": [pods.owner_reference(owner)],
            },
            "data": {"spec": {"template": {"$patch": "replace", **template}}},
            "revision": number,
        },
        owner["metadata"]["namespace"],
    )


def _change(store: Store, value: JsonObject, change: Callable[[JsonObject], None]) -> JsonObject:
    metadata = value["metadata"]
    return store.mutate(
        CONTROLLER_REVISIONS, metadata["name"], metadata["namespace"], change=change
    )
