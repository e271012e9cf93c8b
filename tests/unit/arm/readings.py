"""Readings without ARM: topics that a test tells, and how often each was read."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from pytest_aksnet.arm.reader import Look, Readings, TopicReader
from pytest_aksnet.model.arm import PLACE, Place, Topic
from pytest_aksnet.model.azure import CLUSTER

Told = Mapping[Topic[Any], Callable[[Look], Any]]
HERE = Place(id="/subscriptions/s/c", subscription="s", group="g", name="c")


def told_readings(topics: Told) -> tuple[Readings, Counter[str]]:
    """The readings and the counter; the cluster and its place are there unless told."""
    asked: Counter[str] = Counter()

    def reader(topic: Topic[Any], read: Callable[[Look], Any]) -> TopicReader:
        def counted(look: Look) -> Any:
            asked[topic.name] += 1
            return read(look)

        return TopicReader(topic, counted)

    every: Told = {PLACE: lambda look: HERE, CLUSTER: lambda look: look.place, **topics}
    opened: Any = lambda subscription: f"door of {subscription}"  # noqa: E731
    return Readings([reader(topic, read) for topic, read in every.items()], opened), asked
