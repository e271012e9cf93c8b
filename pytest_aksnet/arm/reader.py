"""The run's one cache of readings: each topic is read when somebody asks for it first.

Owns the cluster's place in ARM, the topics' readers, and who waits for whom.
"""

import contextvars
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pytest_aksnet.arm.client import Door
from pytest_aksnet.arm.exchanges import exchanges
from pytest_aksnet.arm.refusals import Refused, refusal_of
from pytest_aksnet.model.arm import Reading, Topic

_THREADS = 8
Value = TypeVar("Value")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where the managed cluster is: its id as ARM has it, and the parts of the id."""

    id: str
    subscription: str
    group: str
    name: str


class Look(Protocol):
    """What a topic's reader has: the way to ARM, the cluster's place, and other topics."""

    @property
    def place(self) -> Place:
        """The managed cluster. Raises Refused or AzureError where it cannot be found."""
        ...

    @property
    def door(self) -> Door:
        """The clients, for the cluster's subscription."""
        ...

    def door_of(self, subscription: str) -> Door:
        """The clients for another subscription: of a hub, of the private DNS zones."""
        ...

    def read(self, topic: Topic[Value]) -> Value:
        """What another topic gave. Raises Refused with what ended that one."""
        ...

    def together(self, asks: Iterable[Callable[[], Result]]) -> list[Result]:
        """What each gives, asked at the same time, in order. Raises the first error."""
        ...


Read = Callable[[Look], Any]


@dataclass(frozen=True, slots=True)
class TopicReader:
    """A topic and what reads it."""

    topic: Topic[Any]
    read: Read


class Readings:
    """See `model.arm.ArmReader`. `find` finds the cluster, `door_of` opens a subscription."""

    def __init__(
        self,
        readers: Sequence[TopicReader],
        find: Callable[[], Place],
        door_of: Callable[[str], Door],
    ) -> None:
        self._readers = {one.topic.name: one for one in readers}
        self._find = find
        self._open = door_of
        self._locks = {name: threading.RLock() for name in self._readers}
        self._finding = threading.RLock()
        self._known: dict[str, Reading[Any]] = {}
        self._place: Place | None = None
        self._doors: dict[str, Door] = {}

    def reading(self, topic: str, *, since: float = 0.0) -> Reading[Any]:
        """See model.arm.ArmReader."""
        reader = self._readers[topic]
        with self._locks[topic]:
            known = self._known.get(topic)
            if known is None or known.taken < since:
                known = self._known[topic] = self._read(reader, since)
            return known

    def place(self) -> Place:
        """The managed cluster, found once. Raises Refused or AzureError."""
        with self._finding:
            if self._place is None:
                self._place = self._find()
            return self._place

    def door_of(self, subscription: str) -> Door:
        """The clients for a subscription."""
        with self._finding:
            if subscription not in self._doors:
                self._doors[subscription] = self._open(subscription)
            return self._doors[subscription]

    def _read(self, reader: TopicReader, since: float) -> Reading[Any]:
        look = _Look(self, since)
        taken = time.time()
        value, refusal = None, None
        with exchanges() as sent:
            try:
                value = reader.read(look)
            except Exception as error:
                # Whatever a half-broken answer does to the code that reads it is no verdict.
                refusal = refusal_of(error, reader.topic.actions)
        return Reading(
            topic=reader.topic.name,
            taken=taken,
            value=value,
            refusal=refusal,
            exchanges=tuple(sent),
            rests_on=tuple(look.rests_on),
        )


class _Look:
    """See Look: one reading of one topic."""

    def __init__(self, readings: Readings, since: float) -> None:
        self._readings = readings
        self._since = since
        self.rests_on: dict[str, None] = {}

    @property
    def place(self) -> Place:
        return self._readings.place()

    @property
    def door(self) -> Door:
        return self.door_of(self.place.subscription)

    def door_of(self, subscription: str) -> Door:
        return self._readings.door_of(subscription)

    def read(self, topic: Topic[Value]) -> Value:
        self.rests_on[topic.name] = None
        reading: Reading[Value] = self._readings.reading(topic.name, since=self._since)
        if reading.refusal is not None:
            raise Refused(reading.refusal)
        value: Any = reading.value
        return value  # type: ignore[no-any-return]

    def together(self, asks: Iterable[Callable[[], Result]]) -> list[Result]:
        wanted = list(asks)
        if not wanted:
            return []
        with ThreadPoolExecutor(max_workers=min(_THREADS, len(wanted))) as threads:
            # Each in a copy of this context: what it sends belongs to this reading.
            running = [threads.submit(contextvars.copy_context().run, ask) for ask in wanted]
            return [one.result() for one in running]
