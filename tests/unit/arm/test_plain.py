"""Models of readings hold what they say; what is not so is named by class and field."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

import pytest

from pytest_aksnet.arm.plain import NotPlain, check_plain
from pytest_aksnet.model.arm import Sort, Topic
from tests.unit.arm.readings import told_readings

Item = TypeVar("Item")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    port: int | None = None
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole(Generic[Item]):
    items: tuple[Item, ...] = ()
    parts: tuple[Part, ...] | None = None
    pair: tuple[str, int] = ("", 0)
    ratio: float = 0.0
    state: Literal["up", "down"] = "up"
    is_on: bool | None = None
    tags: Mapping[str, str] | None = None


class Foreign:
    """Something of the SDK."""


@pytest.mark.parametrize(
    "value",
    [
        None,
        (),
        "text",
        Whole(items=(Part(port=1), Part()), parts=(Part(name="a"),), ratio=1),
        (Whole(items=("a", 1, None)), Whole(is_on=True, tags={"a": "b"}, pair=("a", 1))),
        {"a": (Part(),)},
    ],
)
def test_plain_values_pass(value: object) -> None:
    check_plain(value)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (Part(port="80"), "Part.port is a str"),  # type: ignore[arg-type]
        (Part(port=True), "Part.port is a bool"),
        (Part(name=None), "Part.name is a NoneType"),  # type: ignore[arg-type]
        (Whole(parts=("a",)), "Whole.parts is a tuple"),  # type: ignore[arg-type]
        (Whole(parts=[Part()]), "Whole.parts is a list"),  # type: ignore[arg-type]
        (Whole(items=(Foreign(),)), "Whole.items is a Foreign"),
        (Whole(pair=("a",)), "Whole.pair has 1 items"),  # type: ignore[arg-type]
        (Whole(tags={"a": 1}), "Whole.tags is a dict"),  # type: ignore[dict-item]
        ((Part(), Foreign()), "tuple is a Foreign"),
        ((one for one in "ab"), "generator is a generator"),
        ([Part()], "list is a list"),
    ],
)
def test_what_the_model_does_not_say_is_named(value: Any, said: str) -> None:
    with pytest.raises(NotPlain, match=f"^{said}$"):
        check_plain(value)


def test_a_reading_that_is_not_plain_is_unreadable() -> None:
    topic: Topic[Any] = Topic("ports", ("x",))
    readings, _ = told_readings({topic: lambda look: Part(port="80")})  # type: ignore[arg-type]
    reading = readings.reading("ports")
    assert reading.value is None
    assert reading.refusal is not None
    assert reading.refusal.sort is Sort.UNREADABLE
    assert "Part.port is a str" in reading.refusal.why
