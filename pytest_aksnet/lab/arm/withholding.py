"""Answers that lack fields, as clients meet them with resources that are being changed."""

import random
from typing import cast

from pytest_aksnet.lab.arm.documents import Document


def without_some(document: Document, chance: random.Random) -> Document:
    """The document without every second field of its `properties`, at any depth, by chance.

    Ids, names and types stay, and so does the form of lists and pages.
    """
    return cast(Document, _without_some(document, chance))


def _without_some(value: object, chance: random.Random) -> object:
    if isinstance(value, list):
        return [_without_some(one, chance) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, item in value.items():
        if key == "properties" and isinstance(item, dict):
            item = {name: one for name, one in item.items() if chance.random() < 0.5}
        kept[key] = _without_some(item, chance)
    return kept
