"""Watches: changes of a resource as lines of JSON, from a resourceVersion on.

Source: "Efficient detection of changes", API concepts (bookmarks, 410, streaming lists).
"""

import asyncio
import json
import random
import time
from collections.abc import Callable, Iterable

from aiohttp import web

from pytest_aksnet.lab.api import errors, exchange, selectors, tables
from pytest_aksnet.lab.api.journal import ADDED, DELETED, Change, Revision, Subscription
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import PODS, Resource
from pytest_aksnet.lab.api.routes import Target
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.api.trouble import Kind, Trouble
from pytest_aksnet.lab.api.views import View

_BOOKMARK_SECONDS = 60.0
_BEFORE_END_SECONDS = 2.0  # there is a bookmark that long before a watch times out
_SHORTEST_WITH_LAST_BOOKMARK = 10.0
# Fields that the real server's empty objects have; known from recordings of pods only.
_EMPTY: dict[Resource, JsonObject] = {PODS: {"spec": {"containers": None}, "status": {}}}
_CHECK_SECONDS = 5.0  # how soon a silent watch whose client has gone is given up
_SHORTEST_DEFAULT = 1800


class Watches:
    """The watches that are open, so that the server can end them when it stops."""

    def __init__(self) -> None:
        self._open: set[Subscription] = set()

    def close(self) -> None:
        """End all watches."""
        for subscription in tuple(self._open):
            subscription.close()

    async def serve(
        self, request: web.Request, store: Store, target: Target, view: View, trouble: Trouble
    ) -> web.StreamResponse:
        """Answer a watch request until its time is over, or the client goes, or trouble comes."""
        stream = _Stream(request, target.resource, store)
        matcher = selectors.compile_selector(
            target.resource,
            request.query.get("labelSelector", ""),
            request.query.get("fieldSelector", ""),
        )

        def visible(change: Change) -> Change | None:
            return _visible(view.change(change), target.namespace, matcher)

        subscription = store.journal.subscribe([view.stored])
        self._open.add(subscription)
        try:
            initial = _initial(request, store, view, stream, trouble)
            await stream.open()
            if initial is not None:
                await stream.send(filter(None, map(visible, initial)))
                if stream.announces_initial_end:
                    await stream.bookmark(initial_end=True)
                await _follow(stream, subscription, visible, trouble)
        except ConnectionResetError:
            pass
        except errors.ApiError as error:
            if error.code != 410:
                raise
            await stream.open()
            await stream.write({"type": "ERROR", "object": error.status})
        finally:
            self._open.discard(subscription)
            subscription.close()
        return stream.response


def _initial(
    request: web.Request, store: Store, view: View, stream: "_Stream", trouble: Trouble
) -> list[Change] | None:
    """What a watch starts with; None where it asks for a future that may never come."""
    version = exchange.number(request, "resourceVersion")
    initial_events = request.query.get("sendInitialEvents")
    if initial_events == "true" and (
        request.query.get("resourceVersionMatch") != "NotOlderThan" or not stream.bookmarks
    ):
        causes = [
            errors.forbidden_field(
                "resourceVersionMatch",
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            )
        ]
        raise errors.invalid("ListOptions", "meta.k8s.io", "", causes)
    if not version or initial_events == "true":
        stream.announces_initial_end = stream.bookmarks and (
            initial_events == "true" or version == 0
        )
        found = store.revisions(view.stored)
        return [Change(ADDED, revision) for revision in found]
    if version > store.version:
        return None
    if trouble.strikes(Kind.WATCH_EXPIRED):
        raise errors.expired(version, store.version)
    return store.journal.since(view.stored, version)


def _visible(change: Change, namespace: str, matcher: selectors.Matcher | None) -> Change | None:
    """The change as this watch sees it: objects enter and leave a selector."""
    if namespace and change.value["metadata"].get("namespace") != namespace:
        return None
    if matcher is None:
        return change
    now = matcher(change.value)
    before = change.previous is not None and matcher(change.previous.value)
    if change.kind == ADDED:
        return change if now else None
    if change.kind == DELETED:
        return change if before or now else None
    if now:
        return change if before else Change(ADDED, change.revision)
    if before and change.previous is not None:
        last = {**change.previous.value}
        last["metadata"] = {
            **last["metadata"],
            "resourceVersion": change.value["metadata"]["resourceVersion"],
        }
        return Change(DELETED, Revision(change.resource, last, change.revision.version))
    return None


async def _follow(
    stream: "_Stream",
    subscription: Subscription,
    visible: Callable[[Change], Change | None],
    trouble: Trouble,
) -> None:
    while (left := stream.seconds_left()) > 0 and stream.connected():
        try:
            async with asyncio.timeout(min(left, stream.seconds_to_bookmark(), _CHECK_SECONDS)):
                changes = await subscription.batch()
        except TimeoutError:
            if trouble.strikes(Kind.WATCH_EXPIRED):
                raise errors.compacted() from None
            if stream.bookmarks and stream.seconds_to_bookmark() <= 0:
                await stream.bookmark()
            continue
        if not changes:
            return
        if trouble.strikes(Kind.WATCH_EXPIRED):
            raise errors.compacted()
        await asyncio.sleep(trouble.latency())
        await stream.send(filter(None, map(visible, changes)))


class _Stream:
    """The answer of one watch, as lines of events."""

    def __init__(self, request: web.Request, resource: Resource, store: Store) -> None:
        self._request = request
        self._resource = resource
        self._store = store
        seconds = exchange.number(request, "timeoutSeconds")
        if not seconds:
            seconds = _SHORTEST_DEFAULT + random.randrange(_SHORTEST_DEFAULT)
        self._end = time.monotonic() + seconds
        self._last_bookmark = self._end - _BEFORE_END_SECONDS
        if seconds < _SHORTEST_WITH_LAST_BOOKMARK:
            self._last_bookmark = 0.0
        self._plan_bookmark()
        self._table = exchange.wants_table(request)
        self._columns_sent = False
        self.bookmarks = exchange.flag(request, "allowWatchBookmarks")
        self.announces_initial_end = False
        self.response = web.StreamResponse()
        self.response.headers["Content-Type"] = exchange.JSON

    async def open(self) -> None:
        if not self.response.prepared:
            self.response.enable_chunked_encoding()
            await self.response.prepare(self._request)

    def seconds_left(self) -> float:
        return self._end - time.monotonic()

    def seconds_to_bookmark(self) -> float:
        if not self.bookmarks:
            return self.seconds_left()
        return self._next_bookmark - time.monotonic()

    def connected(self) -> bool:
        transport = self._request.transport
        return transport is not None and not transport.is_closing()

    async def send(self, changes: Iterable[Change]) -> None:
        lines = [self._line(change) for change in changes]
        if lines:
            await self.response.write(b"".join(lines))

    async def write(self, event: JsonObject) -> None:
        await self.response.write(exchange.encode(event))

    async def bookmark(self, *, initial_end: bool = False) -> None:
        """Tell the client how far it is, so that it can resume there."""
        self._plan_bookmark()
        metadata: JsonObject = {"resourceVersion": str(self._store.version)}
        if initial_end:
            metadata["annotations"] = {"k8s.io/initial-events-end": "true"}
        value: JsonObject = {
            "kind": self._resource.kind,
            "apiVersion": self._resource.api_version,
            "metadata": metadata,
            **_EMPTY.get(self._resource, {}),
        }
        await self.write({"type": "BOOKMARK", "object": value})

    def _plan_bookmark(self) -> None:
        """The next one is in a minute, or shortly before the end."""
        now = time.monotonic()
        self._next_bookmark = now + _BOOKMARK_SECONDS
        if now < self._last_bookmark:
            self._next_bookmark = min(self._next_bookmark, self._last_bookmark)

    def _line(self, change: Change) -> bytes:
        if not self._table:
            kind = change.kind.encode()
            encoded = change.revision.encoded
            return b'{"type":"' + kind + b'","object":' + encoded + b"}\n"
        metadata = {"resourceVersion": change.value["metadata"]["resourceVersion"]}
        include = self._request.query.get("includeObject", "Metadata")
        table = tables.render(self._resource, [change.value], metadata, include)
        if self._columns_sent:
            table["columnDefinitions"] = None
        self._columns_sent = True
        text = json.dumps({"type": change.kind, "object": table}, separators=(",", ":"))
        return text.encode() + b"\n"
