"""What makes a test one of ours, and whether its marker says all that a report needs.

Loaded only when such a test is collected.
"""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass

import pytest

from pytest_aksnet.model.controls import Controls
from pytest_aksnet.model.record import FEATURES, Severity, Skip
from pytest_aksnet.needs import MARKER, NAMED

_MARKER_KEYS = ("id", "feature", "severity", "controls", "needs")
_SEVERITIES = tuple(severity.value for severity in Severity)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckMeta:
    """What marker and docstring say of a check. `parameters` is the bracket of its node id.

    `title` is the first paragraph of the docstring; `why` and `remedy` are those that begin with
    "Why:" and "Remedy:", empty where it has none. `controls` are the names of those that it proves.
    """

    id: str
    title: str
    feature: str
    severity: Severity
    controls: tuple[str, ...]
    parameters: str
    why: str = ""
    remedy: str = ""

    @property
    def folder(self) -> str:
        """The name under which its evidence is kept."""
        return f"{self.id}.{self.parameters}" if self.parameters else self.id


META_KEY = pytest.StashKey[CheckMeta]()
SKIP_KEY = pytest.StashKey[Skip]()
"""Why a test has a skip mark of ours."""


def read_markers(items: Iterable[pytest.Item], controls: Controls) -> None:
    """Check the marker of each test and stash what it says, with what `controls` say of the check.

    Raises pytest.UsageError that names every test whose marker or docstring is wrong.
    """
    problems: dict[str, None] = {}
    owners: dict[str, tuple[object, str]] = {}
    for item in items:
        marker = item.get_closest_marker(MARKER)
        if marker is None:
            continue
        owner = item.nodeid.partition("[")[0]
        found = list(_problems(item, marker))
        check_id = marker.kwargs.get("id")
        # Tests of one function are one check, whatever they are collected from.
        function = getattr(item, "function", owner)
        if isinstance(check_id, str):
            first, where = owners.setdefault(check_id, (function, owner))
            if first is not function:
                found.append(f"the id {check_id!r} is already that of {where}")
        problems.update((f"{owner}: {problem}", None) for problem in found)
        if not found:
            said = docstring_of(getattr(item, "obj", None))
            own = marker.kwargs.get("controls", ())
            item.stash[META_KEY] = CheckMeta(
                id=marker.kwargs["id"],
                title=said[""],
                why=said["Why"],
                remedy=said["Remedy"],
                feature=marker.kwargs["feature"],
                severity=Severity(marker.kwargs["severity"]),
                controls=all_controls(controls, marker.kwargs["id"], own),
                parameters=item.nodeid.partition("[")[2].removesuffix("]"),
            )
    if problems:
        raise pytest.UsageError("wrong marker aksnet:\n  " + "\n  ".join(problems))


def all_controls(controls: Controls, check_id: str, own: Iterable[str]) -> tuple[str, ...]:
    """The names of the controls that a check proves: as the frameworks say, and its own marker."""
    return tuple(dict.fromkeys([*controls.names_of(check_id), *own]))


def _problems(item: pytest.Item, marker: pytest.Mark) -> Iterable[str]:
    if marker.args:
        yield "give its arguments by name"
    for key in marker.kwargs:
        if key not in _MARKER_KEYS:
            yield f"unknown argument {key!r}; known are {', '.join(_MARKER_KEYS)}"
    check_id = marker.kwargs.get("id")
    if not isinstance(check_id, str) or not check_id.strip():
        yield 'the id is missing; write id="topic.claim"'
    for key, known in (("feature", FEATURES), ("severity", _SEVERITIES)):
        value = marker.kwargs.get(key)
        if value not in known:
            yield f"unknown {key} {value!r}; choose one of {', '.join(known)}"
    controls = marker.kwargs.get("controls", ())
    if isinstance(controls, str) or not all(isinstance(control, str) for control in controls):
        yield 'controls must be a tuple of strings; write controls=("CIS 5.3.2",)'
    needs = marker.kwargs.get("needs", ())
    if isinstance(needs, str) or not all(isinstance(need, str) for need in needs):
        yield 'needs must be a tuple of strings; write needs=("host-network",)'
    else:
        for need in needs:
            if need not in NAMED:
                yield f"unknown need {need!r}; choose from {', '.join(sorted(NAMED))}"
    if not docstring_of(getattr(item, "obj", None))[""]:
        yield "the docstring is missing; it is the sentence that the report prints"


def docstring_of(function: object) -> dict[str, str]:
    """The paragraphs of a check's docstring, each on one line; what is missing is empty.

    "" is its sentence; "Why", "When" (the condition under which it runs) and "Remedy" are those
    that begin with that word and a colon.
    """
    found = {"": "", "Why": "", "When": "", "Remedy": ""}
    for paragraph in inspect.cleandoc(getattr(function, "__doc__", None) or "").split("\n\n"):
        text = " ".join(paragraph.split())
        name, colon, rest = text.partition(": ")
        if colon and name in found:
            found[name] = rest
        elif not found[""]:
            found[""] = text
    return found
