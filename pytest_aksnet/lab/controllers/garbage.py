"""The garbage collector: what only had owners that are gone goes too.

Source: Kubernetes docs, "Garbage Collection": background and foreground cascading deletion.
"""

from collections.abc import Iterator, Sequence

from pytest_aksnet.lab.api.deletion import FOREGROUND
from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.journal import DELETED, Change
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import EVENTS, EVENTS_V1, RESOURCES, Resource
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.loop import ControlLoop

_Place = tuple[Resource, str, str]


class GarbageCollector(ControlLoop):
    """Follows ownerReferences of everything but events."""

    watched = tuple(
        item for item in RESOURCES if "watch" in item.verbs and item not in (EVENTS, EVENTS_V1)
    )

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._alive: dict[str, _Place] = {}
        self._owners: dict[str, tuple[str, ...]] = {}
        self._dependents: dict[str, set[str]] = {}
        self._foreground: set[str] = set()

    def handle(self, changes: Sequence[Change]) -> None:
        """Take in the changes, then collect."""
        ownerless: set[str] = set()
        for change in changes:
            metadata = change.value["metadata"]
            uid = metadata["uid"]
            if change.kind == DELETED:
                self._forget(uid)
                ownerless |= self._dependents.get(uid, set())
                continue
            self._alive[uid] = (change.resource, metadata.get("namespace", ""), metadata["name"])
            self._note_owners(uid, metadata)
            if "deletionTimestamp" in metadata and FOREGROUND in metadata.get("finalizers", []):
                self._foreground.add(uid)
            owners = self._owners[uid]
            if owners and not any(owner in self._alive for owner in owners):
                ownerless.add(uid)
        for uid in ownerless:
            owners = self._owners.get(uid, ())
            if not any(owner in self._alive for owner in owners):
                self._delete(uid)
        for uid in tuple(self._foreground):
            self._go_on_foreground(uid)

    def _note_owners(self, uid: str, metadata: JsonObject) -> None:
        owners = tuple(item["uid"] for item in metadata.get("ownerReferences") or [])
        for owner in self._owners.get(uid, ()):
            self._dependents.get(owner, set()).discard(uid)
        self._owners[uid] = owners
        for owner in owners:
            self._dependents.setdefault(owner, set()).add(uid)

    def _forget(self, uid: str) -> None:
        self._alive.pop(uid, None)
        self._foreground.discard(uid)
        for owner in self._owners.pop(uid, ()):
            dependents = self._dependents.get(owner)
            if dependents is not None:
                dependents.discard(uid)
                if not dependents:
                    del self._dependents[owner]

    def _delete(self, uid: str) -> None:
        place = self._alive.get(uid)
        if place is None:
            return
        resource, namespace, name = place
        try:
            self.store.delete(resource, name, namespace, uid=uid)
        except ApiError as error:
            if error.code not in (404, 409):
                raise

    def _go_on_foreground(self, uid: str) -> None:
        """Delete the dependents of an object that waits for them; without any, let it go."""
        waiting = list(self._present_dependents(uid))
        for dependent in waiting:
            self._delete(dependent)
        if any(True for _ in self._present_dependents(uid)):
            return
        self._foreground.discard(uid)
        resource, namespace, name = self._alive[uid]

        def let_go(value: JsonObject) -> None:
            finalizers = value["metadata"].get("finalizers") or []
            value["metadata"]["finalizers"] = [one for one in finalizers if one != FOREGROUND]

        try:
            self.store.mutate(resource, name, namespace, change=let_go)
        except ApiError as error:
            if error.code != 404:
                raise

    def _present_dependents(self, uid: str) -> Iterator[str]:
        for dependent in self._dependents.get(uid, set()):
            resource, namespace, name = self._alive[dependent]
            found = self.store.find(resource, name, namespace)
            if found is not None and found["metadata"]["uid"] == dependent:
                yield dependent
