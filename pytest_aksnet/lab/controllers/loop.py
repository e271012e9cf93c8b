"""The shape that all control loops share: watch some resources, take changes in batches, act.

Changes that arrive while a loop acts are one batch afterwards, which is how many changes become
one act.
"""

import asyncio
import contextlib
import logging
from collections.abc import Sequence

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.journal import MODIFIED, Change, Subscription
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import Resource
from pytest_aksnet.lab.api.store import Store

_log = logging.getLogger(__name__)
_LONG_SECONDS = 0.002


class LoopFailed(Exception):
    """A control loop of the lab is broken, and with it the lab: what it shows may be wrong."""

    def __init__(self, loop: str, error: Exception) -> None:
        super().__init__(f"control loop {loop} failed: {type(error).__name__}: {error}")


class ControlLoop:
    """Base of the control loops: set `watched`, implement `handle`, run `run` as a task."""

    watched: tuple[Resource, ...] = ()

    def __init__(self, store: Store) -> None:
        self.store = store
        self._subscription: Subscription | None = None
        self._going = asyncio.Event()
        self._going.set()
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def handle(self, changes: Sequence[Change]) -> None:
        """Act on a batch of changes; the first one holds all that was there."""
        raise NotImplementedError

    def pause(self) -> None:
        """Act on nothing any more, as if it did not run; what changes meanwhile waits."""
        self._going.clear()

    def resume(self) -> None:
        """Go on, with all that has changed meanwhile."""
        self._going.set()

    def look_again(self, value: JsonObject, resource: Resource, seconds: float) -> None:
        """Have `handle` see an object of a watched resource again after a time, as if changed.

        One time per object counts: the earlier one.
        """
        metadata = value["metadata"]
        uid = metadata["uid"]
        clock = asyncio.get_running_loop()
        when = clock.time() + max(0.0, seconds)
        known = self._timers.get(uid)
        if known is not None and known.when() <= when:
            return
        if known is not None:
            known.cancel()

        def look() -> None:
            del self._timers[uid]
            place = metadata.get("namespace", "")
            with contextlib.suppress(ApiError):
                revision = self.store.revision(resource, metadata["name"], place)
                if self._subscription is not None and revision.value["metadata"]["uid"] == uid:
                    self._subscription.deliver(Change(MODIFIED, revision))

        self._timers[uid] = clock.call_at(when, look)

    async def run(self) -> None:
        """Watch until cancelled. Raises LoopFailed where a batch of changes makes it fail.

        After a batch that took long it rests for as long as it worked. What changes meanwhile
        becomes one batch: no loop takes more than half of the time, however much there is.
        """
        subscription = self._subscription = self.store.subscribe(*self.watched)
        clock = asyncio.get_running_loop().time
        try:
            while changes := await subscription.batch():
                await self._going.wait()
                started = clock()
                try:
                    self.handle(changes)
                except Exception as error:
                    _log.exception("%s failed on a batch of changes", type(self).__name__)
                    raise LoopFailed(type(self).__name__, error) from error
                worked = clock() - started
                if worked > _LONG_SECONDS:
                    await asyncio.sleep(worked)
        finally:
            subscription.close()
            for timer in self._timers.values():
                timer.cancel()
