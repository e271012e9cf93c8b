"""Objects as another API group shows them: events.k8s.io/v1 is a view of the events of v1.

Every other resource is its own view, without cost.
"""

from collections.abc import Callable

from pytest_aksnet.lab.api.journal import Change, Revision
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import EVENTS, EVENTS_V1, Resource
from pytest_aksnet.lab.api.store import Store

_SAME = ("eventTime", "series", "action", "reason", "related", "type", "reportingInstance")
_RENAMED = (  # (events.k8s.io/v1, v1)
    ("regarding", "involvedObject"),
    ("note", "message"),
    ("reportingController", "reportingComponent"),
    ("deprecatedSource", "source"),
    ("deprecatedFirstTimestamp", "firstTimestamp"),
    ("deprecatedLastTimestamp", "lastTimestamp"),
    ("deprecatedCount", "count"),
)


def _event_of_core(value: JsonObject) -> JsonObject:
    result: JsonObject = {
        "kind": EVENTS_V1.kind,
        "apiVersion": EVENTS_V1.api_version,
        "metadata": value["metadata"],
    }
    result.update({name: value[name] for name in _SAME if name in value})
    result.update({new: value[old] for new, old in _RENAMED if old in value})
    return result


def _event_to_core(value: JsonObject) -> JsonObject:
    result: JsonObject = {"metadata": value.get("metadata", {})}
    result.update({name: value[name] for name in _SAME if name in value})
    result.update({old: value[new] for new, old in _RENAMED if new in value})
    return result


class View:
    """How a resource is stored, and how stored objects are shown as it."""

    def __init__(
        self,
        shown: Resource,
        stored: Resource,
        show: Callable[[JsonObject], JsonObject] | None = None,
        store: Callable[[JsonObject], JsonObject] | None = None,
    ) -> None:
        self.shown = shown
        self.stored = stored
        self._show = show
        self._store = store

    def to_stored(self, value: JsonObject) -> JsonObject:
        """An object of a request, as it is to be stored."""
        return value if self._store is None else self._store(value)

    def to_shown(self, value: JsonObject) -> JsonObject:
        """A stored object, as it is to be answered."""
        return value if self._show is None else self._show(value)

    def revision(self, revision: Revision) -> Revision:
        """A stored state, as it is to be answered."""
        if self._show is None:
            return revision
        return Revision(self.shown, self._show(revision.value), revision.version)

    def revisions(self, store: Store, namespace: str) -> list[Revision]:
        """All states in a namespace, or in all."""
        return [self.revision(item) for item in store.revisions(self.stored, namespace)]

    def change(self, change: Change) -> Change:
        """A change, as it is to be answered."""
        if self._show is None:
            return change
        previous = None if change.previous is None else self.revision(change.previous)
        return Change(change.kind, self.revision(change.revision), previous)


_EVENT_VIEW = View(EVENTS_V1, EVENTS, _event_of_core, _event_to_core)


def view_of(resource: Resource) -> View:
    """The view of a resource."""
    return _EVENT_VIEW if resource is EVENTS_V1 else View(resource, resource)
