"""Gets resources by their ids, wherever they are: in other groups and other subscriptions."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from pytest_aksnet.arm.client import Door
from pytest_aksnet.arm.reader import Look
from pytest_aksnet.model.resource_id import resource_id


def get_each(look: Look, ids: Iterable[str], operations: Callable[[Door], Any]) -> list[Any]:
    """The resources with these ids in their order, asked at the same time.

    `operations` are those of the resources' type, of a subscription's clients. Raises like them.
    """

    def get(one: str) -> Any:
        place = resource_id(one)
        return operations(look.door_of(place.subscription)).get(place.group, place.name)

    return look.together(partial(get, one) for one in ids)
