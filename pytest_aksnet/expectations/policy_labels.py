"""Labels that a label selector matches, and labels that it only just does not; pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_aksnet.expectations.policy_rules import selects

Json = Mapping[str, Any]
Labels = dict[str, str]

_FREE_VALUES = ("any", "other")
_MOST_VALUES = 3


@dataclass
class _Wish:
    """What the terms of a selector ask of one key. `values` is None where every value will do."""

    values: list[str] | None = None
    refused: list[str] = field(default_factory=list)
    needed: bool = False

    def allow(self, values: list[str]) -> None:
        self.needed = True
        self.values = [v for v in (values if self.values is None else self.values) if v in values]

    def good(self) -> list[str]:
        """Values that will do, the first few."""
        among = _free(self.refused) if self.values is None else self.values
        return [value for value in among if value not in self.refused][:_MOST_VALUES]

    def bad(self) -> list[str]:
        """Values that will not do, one of each kind."""
        wrong = self.refused[:_MOST_VALUES]
        return wrong if self.values is None else [*_free(self.values)[:1], *wrong]


def matching(selector: Json | None) -> list[Labels]:
    """Label sets that it matches: the smallest, then one for each other value or key it lets be.

    Empty where the selector contradicts itself.
    """
    wishes = _wishes(selector or {})
    smallest = _smallest(wishes)
    found = [smallest]
    for key, wish in wishes.items():
        found += [{**smallest, key: value} for value in wish.good()]
    return _distinct(labels for labels in found if selects(selector, labels))


def near_misses(selector: Json | None) -> list[Labels]:
    """Label sets that it does not match, each by one key: absent, or of another value."""
    wishes = _wishes(selector or {})
    smallest = _smallest(wishes)
    found: list[Labels] = []
    for key, wish in wishes.items():
        found += [{**smallest, key: value} for value in (*wish.bad(), *_FREE_VALUES[:1])]
        found.append({one: value for one, value in smallest.items() if one != key})
    return _distinct(labels for labels in found if not selects(selector, labels))


def _wishes(selector: Json) -> dict[str, _Wish]:
    wishes: dict[str, _Wish] = {}
    for key, value in (selector.get("matchLabels") or {}).items():
        wishes.setdefault(key, _Wish()).allow([value])
    for term in selector.get("matchExpressions") or ():
        wish = wishes.setdefault(term["key"], _Wish())
        match term["operator"]:
            case "In":
                wish.allow(list(term["values"]))
            case "NotIn":
                wish.refused += term["values"]
            case "Exists":
                wish.needed = True
            case _:
                wish.values = []
    return wishes


def _smallest(wishes: Mapping[str, _Wish]) -> Labels:
    return {key: wish.good()[0] for key, wish in wishes.items() if wish.needed and wish.good()}


def _free(taken: list[str]) -> list[str]:
    return [value for value in _FREE_VALUES if value not in taken] or [f"{'-'.join(taken)[:60]}-x"]


def _distinct(found: Iterator[Labels]) -> list[Labels]:
    known: list[Labels] = []
    for labels in found:
        if labels not in known:
            known.append(labels)
    return known
