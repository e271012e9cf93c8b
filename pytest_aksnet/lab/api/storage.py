"""Where the states of all objects are kept: by place, by controller, each with its version.

Owns the resourceVersion and what the journal is told; what may be kept is the store's business.
"""

import random
from collections.abc import Iterator

from pytest_aksnet.lab.api.journal import ADDED, DELETED, MODIFIED, Change, Journal, Revision
from pytest_aksnet.lab.api.objects import JsonObject, clone, controller_uid
from pytest_aksnet.lab.api.resources import Resource

_FIRST_VERSION = 500  # so that "1" is too old for a watch, as on a cluster with a history
_SUFFIX_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # apimachinery util/rand
_SUFFIX_LENGTH = 5

_Place = tuple[str, str]


class Storage:
    """The current states, shared and not to be changed. A place is a namespace and a name.

    `version` is the resourceVersion of the newest change.
    """

    def __init__(self) -> None:
        self._objects: dict[str, dict[_Place, Revision]] = {}
        self._by_controller: dict[tuple[str, str], dict[_Place, Revision]] = {}
        self.version = _FIRST_VERSION
        self.journal = Journal(_FIRST_VERSION)

    # -- reading ---------------------------------------------------------------------------

    def find(self, resource: Resource, name: str, namespace: str) -> Revision | None:
        """The state of an object, or None."""
        return self._objects.get(resource.key, {}).get((namespace, name))

    def ordered(self, resource: Resource, namespace: str) -> Iterator[Revision]:
        """The states in one namespace, or with "" in all, by namespace and name."""
        table = self._objects.get(resource.key, {})
        for key in sorted(key for key in table if not namespace or key[0] == namespace):
            yield table[key]

    def controlled(self, resource: Resource, uid: str, namespace: str) -> list[Revision]:
        """The states of what the object with this uid controls, by name; "" is nobody's uid."""
        table = self._by_controller.get((resource.key, uid), {})
        return [table[key] for key in sorted(key for key in table if key[0] == namespace)]

    def owned(self, uid: str) -> Iterator[Revision]:
        """The states of all objects that name this uid as an owner, while they are replaced."""
        for table in list(self._objects.values()):
            for revision in list(table.values()):
                owners = revision.value["metadata"].get("ownerReferences") or []
                if any(owner["uid"] == uid for owner in owners):
                    yield revision

    def free_name(self, resource: Resource, prefix: str, namespace: str) -> str:
        """A name with a random end that no object has."""
        while True:
            name = prefix + "".join(random.choices(_SUFFIX_ALPHABET, k=_SUFFIX_LENGTH))
            if self.find(resource, name, namespace) is None:
                return name

    # -- writing ---------------------------------------------------------------------------

    def put(self, resource: Resource, new: JsonObject, current: Revision | None) -> Revision:
        """Keep a state instead of the current one, if any, and tell of it."""
        metadata = new["metadata"]
        self.version += 1
        metadata["resourceVersion"] = str(self.version)
        revision = Revision(resource, new, self.version)
        key = (metadata.get("namespace", ""), metadata["name"])
        self._objects.setdefault(resource.key, {})[key] = revision
        if current is not None:
            self._drop_from_controller(current, key)
        controller = (resource.key, controller_uid(new))
        self._by_controller.setdefault(controller, {})[key] = revision
        kind = ADDED if current is None else MODIFIED
        self.journal.record(Change(kind, revision, current))
        return revision

    def remove(self, current: Revision, last: JsonObject) -> None:
        """Keep an object no longer, and tell of the `last` that was seen of it."""
        resource = current.resource
        metadata = last["metadata"]
        self.version += 1
        final = clone(last)
        final["metadata"]["resourceVersion"] = str(self.version)
        key = (metadata.get("namespace", ""), metadata["name"])
        del self._objects[resource.key][key]
        self._drop_from_controller(current, key)
        revision = Revision(resource, final, self.version)
        self.journal.record(Change(DELETED, revision, current))

    def _drop_from_controller(self, revision: Revision, key: _Place) -> None:
        controller = (revision.resource.key, controller_uid(revision.value))
        members = self._by_controller[controller]
        members.pop(key, None)
        if not members:
            del self._by_controller[controller]
