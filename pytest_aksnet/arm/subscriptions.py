"""Reads the same in several subscriptions: the cluster's own, and those of hubs.

Owns what becomes of a subscription that may not be read: the cluster's own ends the reading, of
another one it is noted, for the checks to say what they do not know.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import TypeVar

from azure.core.exceptions import AzureError

from pytest_aksnet.arm.client import Door
from pytest_aksnet.arm.reader import Look
from pytest_aksnet.arm.refusals import refusal_of
from pytest_aksnet.model.arm import Sort, Topic
from pytest_aksnet.model.azure_private import Found, Unread

Item = TypeVar("Item")
# What does not pass by itself: asking again would give the same.
_LASTING = (Sort.FORBIDDEN, Sort.MISSING)


def read_in(
    look: Look,
    subscriptions: Iterable[str],
    ask: Callable[[Door], list[Item]],
    topic: Topic[Found[Item]],
) -> Found[Item]:
    """What `ask` gives in each of the subscriptions, all at once.

    Raises what `ask` raises for the cluster's own, and for others what may pass by itself.
    """
    own = look.place.subscription.lower()
    wanted = sorted({one.lower() for one in subscriptions} | {own})

    def one(subscription: str) -> list[Item] | Unread:
        try:
            return ask(look.door_of(subscription))
        except AzureError as error:
            refusal = refusal_of(error, topic.actions)
            if subscription == own or refusal.sort not in _LASTING:
                raise
            return Unread(subscription=subscription, why=refusal.why, action=refusal.action)

    answers = look.together(partial(one, each) for each in wanted)
    unread = tuple(answer for answer in answers if isinstance(answer, Unread))
    missing = {one.subscription for one in unread}
    return Found(
        items=tuple(item for answer in answers if isinstance(answer, list) for item in answer),
        subscriptions=tuple(each for each in wanted if each not in missing),
        unread=unread,
    )
