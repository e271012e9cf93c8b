"""Frameworks of controls that audits ask for, and which checks prove which control. Data, pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Control:
    """One control. `name` is what markers, records and pages call it, such as "CIS AKS 5.4.4".

    `looks` says what is looked at for it, `rest` what of it is not. `checks` are the ids of the
    checks that prove it; where there are none, `blind` says why this tool cannot look.
    """

    id: str
    name: str
    title: str
    looks: str
    checks: tuple[str, ...]
    rest: str = ""
    blind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Framework:
    """One framework. `id` names its page, `name` is what the names of its controls begin with.

    `source` is the address of the document that the controls are from.
    """

    id: str
    name: str
    title: str
    version: str
    source: str
    controls: tuple[Control, ...]


@dataclass(frozen=True, slots=True)
class Controls:
    """All frameworks of a run, and which controls each check proves."""

    frameworks: tuple[Framework, ...] = ()

    def names_of(self, check_id: str) -> tuple[str, ...]:
        """The names of the controls that a check proves, in the order of the frameworks."""
        return tuple(
            control.name
            for framework in self.frameworks
            for control in framework.controls
            if check_id in control.checks
        )

    def with_others(self, others: Sequence[Framework]) -> "Controls":
        """These with others, which replace those of the same id."""
        merged: Mapping[str, Framework] = {
            **{one.id: one for one in self.frameworks},
            **{one.id: one for one in others},
        }
        return Controls(tuple(merged.values()))
