"""The cache of readings: once per topic whoever asks, failures too, and nobody waits for ever."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest

from pytest_aksnet.arm import topics
from pytest_aksnet.arm.reader import Look
from pytest_aksnet.arm.refusals import Refused
from pytest_aksnet.arm.together import together
from pytest_aksnet.model.arm import PLACE, Refusal, Sort, Topic
from pytest_aksnet.model.azure import CLUSTER
from tests.unit.arm.readings import HERE, told_readings

A: Topic[int] = Topic("a", ("do/a",))
B: Topic[int] = Topic("b", ("do/b",))
C: Topic[int] = Topic("c", ("do/c",))


def _fails(look: Look) -> Any:
    raise KeyError("gone")


def test_a_topic_is_read_once_for_all_threads() -> None:
    def slow(look: Look) -> int:
        time.sleep(0.01)
        return look.read(C)

    readings, asked = told_readings(
        {
            A: lambda look: look.read(B) + look.read(C),
            B: slow,
            C: lambda look: len(look.place.name),
        }
    )
    with ThreadPoolExecutor(12) as threads:
        for one in threads.map(readings.reading, [A.name, B.name, C.name] * 20):
            assert one.refusal is None
    assert set(asked.values()) == {1}
    assert readings.reading(A.name).value == 2
    assert readings.reading(A.name).rests_on == ("b", "c")
    assert readings.reading(C.name).rests_on == (PLACE.name,)


def test_a_failure_is_kept_and_ends_what_rests_on_it() -> None:
    readings, asked = told_readings({A: lambda look: look.read(B), B: _fails})
    first = readings.reading(A.name)
    assert readings.reading(A.name) is first
    assert asked == {"a": 1, "b": 1}
    assert first.refusal is not None
    assert first.refusal.sort is Sort.UNREADABLE
    assert "KeyError" in first.refusal.why


def test_a_newer_reading_is_one_of_all_below_but_the_place() -> None:
    readings, asked = told_readings({A: lambda look: look.read(B), B: lambda look: look.place})
    old = readings.reading(A.name)
    new = readings.reading(A.name, since=time.time())
    assert new.taken > old.taken
    assert asked == {"a": 2, "b": 2, CLUSTER.name: 2, PLACE.name: 1}
    assert readings.reading(A.name, since=old.taken) is new


def test_another_clusters_facts_are_none() -> None:
    def other(look: Look) -> Any:
        raise Refused(Refusal(sort=Sort.UNNAMED, why="another cluster"))

    readings, _ = told_readings({CLUSTER: other, A: lambda look: look.place})
    assert readings.reading(A.name).refusal == Refusal(sort=Sort.UNNAMED, why="another cluster")


def test_a_cluster_that_may_not_be_read_hides_nothing_else() -> None:
    readings, _ = told_readings({CLUSTER: _fails, A: lambda look: look.place})
    assert readings.reading(A.name).value == HERE


def test_an_interrupted_reading_holds_nothing() -> None:
    interrupts = [KeyboardInterrupt]

    def read(look: Look) -> int:
        while interrupts:
            raise interrupts.pop()
        return 7

    readings, asked = told_readings({A: lambda look: look.read(B), B: read})
    with pytest.raises(KeyboardInterrupt):
        readings.reading(A.name)
    with ThreadPoolExecutor(1) as other:
        assert other.submit(readings.reading, A.name).result(5).value == 7
    assert asked == {"a": 2, "b": 2}


def test_topics_that_rest_on_themselves_are_a_failure_and_no_deadlock() -> None:
    readings, _ = told_readings(
        {
            A: lambda look: look.together([partial(look.read, B), partial(look.read, C)]),
            B: lambda look: look.read(A),
            C: lambda look: 1,
        }
    )
    refusal = readings.reading(A.name).refusal
    assert refusal is not None
    assert "topic a rests on itself: a > b" in refusal.why


def test_a_door_is_opened_once_whatever_the_case() -> None:
    readings, _ = told_readings({})
    assert readings.door_of("ABC") is readings.door_of("abc")


def test_together_gives_all_in_order_and_raises_the_first_error() -> None:
    assert together([partial(pow, 2, one) for one in range(40)]) == [2**one for one in range(40)]
    assert together(list[Any]()) == []
    begun: list[int] = []

    def ask(number: int) -> None:
        begun.append(number)
        raise ValueError(number)

    with pytest.raises(ValueError, match=r"\d"):
        together([partial(ask, one) for one in range(100)])
    assert len(begun) < 100


def test_an_interrupt_waits_for_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    held = threading.Event()

    class Interrupted(threading.Semaphore):
        def acquire(self, *args: Any, **named: Any) -> bool:
            raise KeyboardInterrupt

    monkeypatch.setattr(threading, "Semaphore", Interrupted)
    with pytest.raises(KeyboardInterrupt):
        together([held.wait, held.wait, held.wait])
    held.set()


def test_every_topic_has_one_reader_and_its_own_name() -> None:
    names = [one.topic.name for one in topics.READERS]
    assert len(set(names)) == len(names)
    assert all(one.topic.actions for one in topics.READERS)
