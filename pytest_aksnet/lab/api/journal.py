"""What changed, in order: revisions of objects, a bounded memory of changes, and subscriptions.

Owns delivery only; what may change is the store's business.
"""

import asyncio
import collections
import dataclasses
import json
from collections.abc import AsyncIterator, Callable, Iterable

from pytest_aksnet.lab.api import errors
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import Resource

ADDED = "ADDED"
MODIFIED = "MODIFIED"
DELETED = "DELETED"

_REMEMBERED = 4096  # changes per resource; etcd keeps five minutes, the watch cache far fewer


@dataclasses.dataclass(slots=True, eq=False)
class Revision:
    """One state of one object. `value` is shared by all readers and never changed."""

    resource: Resource
    value: JsonObject
    version: int
    _encoded: bytes | None = None

    @property
    def encoded(self) -> bytes:
        """Its JSON, encoded once."""
        if self._encoded is None:
            text = json.dumps(self.value, separators=(",", ":"), ensure_ascii=False)
            self._encoded = text.encode()
        return self._encoded


@dataclasses.dataclass(frozen=True, slots=True, eq=False)
class Change:
    """One change. `kind` is ADDED, MODIFIED or DELETED; `previous` the state before, if any.

    Objects are shared: a reader that wants to change one clones it.
    """

    kind: str
    revision: Revision
    previous: Revision | None = None

    @property
    def resource(self) -> Resource:
        """The resource of the object."""
        return self.revision.resource

    @property
    def value(self) -> JsonObject:
        """The object after the change; its last state where it was deleted."""
        return self.revision.value


class Subscription:
    """Changes in the order in which they happened, for one asyncio consumer.

    Iterate over it, or take everything that waits with `batch`. It registers itself when it is
    made and keeps every change until it is taken; `close` ends it.
    """

    def __init__(
        self, initial: Iterable[Change], on_close: Callable[["Subscription"], None]
    ) -> None:
        self._waiting: collections.deque[Change] = collections.deque(initial)
        self._arrived = asyncio.Event()
        self._on_close = on_close
        self._closed = False
        if self._waiting:
            self._arrived.set()

    def deliver(self, change: Change) -> None:
        """Called by the journal."""
        self._waiting.append(change)
        self._arrived.set()

    async def batch(self) -> list[Change]:
        """All changes that wait, at least one; empty only after `close`."""
        while not self._waiting and not self._closed:
            self._arrived.clear()
            await self._arrived.wait()
        changes = list(self._waiting)
        self._waiting.clear()
        return changes

    async def __aiter__(self) -> AsyncIterator[Change]:
        """Each change; ends with `close`."""
        while changes := await self.batch():
            for change in changes:
                yield change

    def close(self) -> None:
        """Stop delivery and end the iteration."""
        self._closed = True
        self._arrived.set()
        self._on_close(self)


class Journal:
    """The changes of one store: memory for watches that start in the past, and live delivery."""

    def __init__(self, first_version: int) -> None:
        self._floor = first_version
        self._memory: dict[str, collections.deque[Change]] = {}
        self._subscriptions: dict[str, list[Subscription]] = {}

    def record(self, change: Change) -> None:
        """Remember a change and hand it to the subscribers of its resource."""
        key = change.resource.key
        memory = self._memory.setdefault(key, collections.deque())
        if len(memory) >= _REMEMBERED:
            self._floor = max(self._floor, memory.popleft().revision.version)
        memory.append(change)
        for subscription in tuple(self._subscriptions.get(key, ())):
            subscription.deliver(change)

    def since(self, resource: Resource, version: int) -> list[Change]:
        """The changes after a version. Raises ApiError 410 where they are forgotten."""
        if version < self._floor:
            raise errors.expired(version, self._floor)
        memory = self._memory.get(resource.key, ())
        recent = []
        for change in reversed(memory):
            if change.revision.version <= version:
                break
            recent.append(change)
        return recent[::-1]

    def forget(self, version: int) -> None:
        """Remember nothing up to a version any more, as a server that has just started."""
        self._floor = max(self._floor, version)
        self._memory.clear()

    def subscribe(
        self, resources: Iterable[Resource], initial: Iterable[Change] = ()
    ) -> Subscription:
        """Deliver `initial`, then every change of these resources from now on."""
        keys = [resource.key for resource in resources]

        def unsubscribe(subscription: Subscription) -> None:
            for key in keys:
                if subscription in self._subscriptions[key]:
                    self._subscriptions[key].remove(subscription)

        subscription = Subscription(initial, unsubscribe)
        for key in keys:
            self._subscriptions.setdefault(key, []).append(subscription)
        return subscription
