"""Reads files of controls: the one that comes along, and that of --aksnet-controls.

Owns their format: unknown keys, wrong types and ids that mean no check are a `SettingsError` that
names option, file, key and remedy. `docs/controls.md` describes it. The file that comes along is
the one place that says which check proves which control.
"""

import difflib
import re
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path

from pytest_aksnet.model.controls import Control, Controls, Framework
from pytest_aksnet.model.errors import SettingsError
from pytest_aksnet.model.record import FEATURES
from pytest_aksnet.site_values import Values

CONTROLS_FILE = Path(__file__).with_name("report") / "controls.toml"
OPTION = "--aksnet-controls"
_KEYS = ("others", "framework")
_OF_FRAMEWORK = ("id", "name", "title", "version", "source", "control")
_OF_CONTROL = ("id", "title", "looks", "checks", "rest", "blind")
_FRAMEWORK_ID = re.compile(r"[a-z0-9]+(?:[.-][a-z0-9]+)*")
_ADDRESS = re.compile(r"https?://\S+")
# How alike two ids are that one of them must be a slip for the other (difflib's ratio).
_SLIP = 0.85


def read_controls(path: Path | None) -> Controls:
    """The frameworks that come along, with those of a file, which replace ones of the same id.

    Raises SettingsError where the file cannot be read, is no TOML, or says something unknown.
    """
    own = _content(CONTROLS_FILE)
    controls = Controls(_Reader(CONTROLS_FILE, frozenset()).frameworks(own))
    if path is None:
        return controls
    return controls.with_others(_Reader(path, check_ids()).frameworks(_content(path)))


def check_ids() -> frozenset[str]:
    """The ids of all checks of the suites, as the file that comes along lists them."""
    content = _content(CONTROLS_FILE)
    frameworks = _Reader(CONTROLS_FILE, frozenset()).frameworks(content)
    proving = (one.checks for framework in frameworks for one in framework.controls)
    return frozenset(content["others"]).union(*proving)


def _content(path: Path) -> dict[str, list[str]]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsError(
            f"{OPTION}={path}: cannot be read ({error.strerror}); give a readable TOML file"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{OPTION}={path}: not TOML: {error}; write it as docs/controls.md has it"
        ) from error


class _Reader(Values):
    """Knows the keys. `known` are the ids of all checks of the suites, empty if not to be held."""

    def __init__(self, path: Path, known: frozenset[str]) -> None:
        super().__init__(path, OPTION)
        self._checks = known

    def frameworks(self, content: Mapping[str, object]) -> tuple[Framework, ...]:
        self._known(content, _KEYS, "")
        self._strings(content, "others", "others")
        if not self._array(content, "framework"):
            raise self._error("framework", "there is none; begin one with [[framework]]")
        found = self._tables(content, "framework", self._framework)
        self._each_once((one.id for one in found), "framework", "id")
        return found

    def _framework(self, table: Mapping[str, object], where: str) -> Framework:
        self._known(table, _OF_FRAMEWORK, f"{where}.")
        said = {key: self._string(table.get(key), f"{where}.{key}") for key in _OF_FRAMEWORK[:-1]}
        if not _FRAMEWORK_ID.fullmatch(said["id"]):
            raise self._error(
                f"{where}.id", f"{said['id']!r} names a file: use a-z, 0-9, dots and hyphens"
            )
        if not _ADDRESS.fullmatch(said["source"]):
            raise self._error(f"{where}.source", "must be an address that begins with https://")
        if not self._array(table, "control", f"{where}.control"):
            raise self._error(
                f"{where}.control", "there is none; begin one with [[framework.control]]"
            )
        controls = tuple(
            self._control(
                self._table(entry, f"{where}.control[{index}]"),
                f"{where}.control[{index}]",
                said["name"],
            )
            for index, entry in enumerate(self._array(table, "control", f"{where}.control"))
        )
        self._each_once((one.id for one in controls), f"{where}.control", "id")
        return Framework(controls=controls, **said)

    def _control(self, table: Mapping[str, object], where: str, framework: str) -> Control:
        self._known(table, _OF_CONTROL, f"{where}.")
        said = {key: self._string(table.get(key), f"{where}.{key}") for key in ("id", "title")}
        checks = self._strings(table, "checks", f"{where}.checks")
        for index, check in enumerate(checks):
            self._must_exist(check, f"{where}.checks[{index}]")
        self._each_once(checks, f"{where}.checks", "check")
        if bool(checks) == ("blind" in table):
            raise self._error(
                where, "give the checks that prove it, or in blind why no check can, and not both"
            )
        needed = "blind" if "blind" in table else "looks"
        text = self._string(table.get(needed), f"{where}.{needed}")
        return Control(
            id=said["id"],
            name=f"{framework} {said['id']}",
            title=said["title"],
            looks=text if checks else "",
            checks=checks,
            rest=self._string(table["rest"], f"{where}.rest") if "rest" in table else "",
            blind="" if checks else text,
        )

    def _must_exist(self, check: str, where: str) -> None:
        """Refuse what can only be a slip; checks that the user wrote have any other id."""
        if not self._checks or check in self._checks or check.partition(".")[0] not in FEATURES:
            return
        near = difflib.get_close_matches(check, self._checks, n=1, cutoff=_SLIP)
        if near:
            raise self._error(where, f"there is no check {check!r}; did you mean {near[0]}?")

    def _each_once(self, given: Iterable[str], where: str, what: str) -> None:
        for one, count in Counter(given).items():
            if count > 1:
                raise self._error(where, f"the {what} {one!r} is there {count} times; keep one")
