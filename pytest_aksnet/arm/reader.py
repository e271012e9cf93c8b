"""The run's one cache of readings: each topic is read when somebody asks for it first.

Owns the topics' readers, and who waits for whom. What failed is kept as well: how often ARM is
asked depends on the topics, not on the checks. Threads wait for each other only from a topic to one
that it rests on, and no topic rests on itself.
"""

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from pytest_aksnet.arm.client import Door
from pytest_aksnet.arm.exchanges import exchanges
from pytest_aksnet.arm.plain import check_plain
from pytest_aksnet.arm.refusals import Refused, refusal_of
from pytest_aksnet.arm.together import together
from pytest_aksnet.model.arm import PLACE, Place, Reading, Sort, Topic
from pytest_aksnet.model.azure import CLUSTER

Value = TypeVar("Value")
Result = TypeVar("Result")


class Look(Protocol):
    """What a topic's reader has: the way to ARM, the cluster's place, and other topics."""

    @property
    def place(self) -> Place:
        """The managed cluster. Raises Refused where it cannot be found, or is that of others."""
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
    """See `model.arm.ArmReader`. `door_of` opens a subscription."""

    def __init__(self, readers: Sequence[TopicReader], door_of: Callable[[str], Door]) -> None:
        self._readers = {one.topic.name: one for one in readers}
        self._open = door_of
        self._locks = {name: threading.Lock() for name in self._readers}
        self._opening = threading.Lock()
        self._known: dict[str, Reading[Any]] = {}
        self._doors: dict[str, Door] = {}

    def reading(self, topic: str, *, since: float = 0.0) -> Reading[Any]:
        """See model.arm.ArmReader."""
        return self.read(topic, since, ())

    def read(self, topic: str, since: float, above: tuple[str, ...]) -> Reading[Any]:
        """The same, for a reader of the topics `above`, which rest on it one after another."""
        if topic in above:
            raise RecursionError(f"topic {topic} rests on itself: {' > '.join(above)}")
        reader = self._readers[topic]
        with self._locks[topic]:
            known = self._known.get(topic)
            if known is None or known.taken < since:
                known = self._known[topic] = self._read(reader, since, (*above, topic))
            return known

    def door_of(self, subscription: str) -> Door:
        """The clients for a subscription."""
        with self._opening:
            folded = subscription.casefold()
            if folded not in self._doors:
                self._doors[folded] = self._open(subscription)
            return self._doors[folded]

    def _read(self, reader: TopicReader, since: float, above: tuple[str, ...]) -> Reading[Any]:
        look = _Look(self, since, above)
        taken = time.time()
        value, refusal = None, None
        with exchanges() as sent:
            try:
                value = reader.read(look)
                check_plain(value)
            except Exception as error:
                # Whatever a half-broken answer does to the code that reads it is no verdict.
                value = None
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

    def __init__(self, readings: Readings, since: float, above: tuple[str, ...]) -> None:
        self._readings = readings
        self._since = since
        self._above = above
        self.rests_on: dict[str, None] = {}

    @property
    def place(self) -> Place:
        place = self._given(PLACE, 0.0)
        if CLUSTER.name not in self._above:
            said = self._readings.read(CLUSTER.name, self._since, self._above).refusal
            # Of a cluster that is not ours nothing is worth knowing.
            if said is not None and said.sort is Sort.UNNAMED:
                raise Refused(said)
        return place

    @property
    def door(self) -> Door:
        return self.door_of(self.place.subscription)

    def door_of(self, subscription: str) -> Door:
        return self._readings.door_of(subscription)

    def read(self, topic: Topic[Value]) -> Value:
        return self._given(topic, self._since)

    def _given(self, topic: Topic[Value], since: float) -> Value:
        self.rests_on[topic.name] = None
        reading: Reading[Value] = self._readings.read(topic.name, since, self._above)
        if reading.refusal is not None:
            raise Refused(reading.refusal)
        value: Any = reading.value
        return value  # type: ignore[no-any-return]

    def together(self, asks: Iterable[Callable[[], Result]]) -> list[Result]:
        return together(asks)
