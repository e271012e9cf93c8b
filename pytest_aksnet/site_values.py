"""Values of a TOML file, each checked, and the one line that names what is wrong with one.

Owns what a table, a string, a DNS name, an address, a port is. What a file holds is for others.
"""

import difflib
import ipaddress
import re
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import TypeVar

from pytest_aksnet.model.errors import SettingsError
from pytest_aksnet.model.site import LAST_PORT

_LABEL = r"(?!-)[A-Za-z0-9_-]{1,63}(?<!-)"
_NAME = re.compile(rf"(?=.{{1,253}}\.?\Z){_LABEL}(?:\.{_LABEL})*\.?")
_ADDRESS = re.compile(r"[0-9.]+|.*:.*")  # what can only be meant as an address
_PEM = "-----BEGIN CERTIFICATE-----"

Read = TypeVar("Read")


class Values:
    """Reads the values of one file. Every method raises SettingsError with option, file and key."""

    def __init__(self, path: Path, option: str = "--aksnet-config") -> None:
        self._path = path
        self._option = option

    def _choice(
        self, content: Mapping[str, object], key: str, choices: tuple[str, ...], default: str
    ) -> str:
        value = content.get(key, default)
        if key in content and value not in choices:
            raise self._error(
                key,
                f"{value!r} is not one of {', '.join(choices)}{_meant(value, choices)}",
            )
        return str(value)

    def _certificates(self, content: Mapping[str, object], key: str) -> str:
        """The text of the PEM file that the key names, relative to the site file."""
        if key not in content:
            return ""
        file = self._path.parent / self._string(content[key], key)
        try:
            text = file.read_text(encoding="ascii")
        except OSError as error:
            raise self._error(key, f"{file} cannot be read ({error.strerror})") from error
        except UnicodeDecodeError as error:
            raise self._error(key, f"{file} is no PEM file of certificates") from error
        if _PEM not in text:
            raise self._error(key, f"{file} is no PEM file of certificates")
        return text

    def _known(self, table: Mapping[str, object], keys: tuple[str, ...], prefix: str) -> None:
        for key in table:
            if key not in keys:
                hint = _meant(key, keys) or f"; known are {', '.join(keys)}"
                raise self._error(f"{prefix}{key}", f"unknown key{hint}")

    def _table(self, value: object, where: str) -> Mapping[str, object]:
        if not isinstance(value, dict):
            raise self._error(where, "must be a table")
        return value

    def _tables(
        self,
        content: Mapping[str, object],
        key: str,
        read: Callable[[Mapping[str, object], str], Read],
    ) -> tuple[Read, ...]:
        return tuple(
            read(self._table(entry, f"{key}[{index}]"), f"{key}[{index}]")
            for index, entry in enumerate(self._array(content, key))
        )

    def _array(self, content: Mapping[str, object], key: str, where: str = "") -> list[object]:
        value = content.get(key, [])
        if not isinstance(value, list):
            raise self._error(where or key, "must be an array")
        return value

    def _string(self, value: object, where: str) -> str:
        if not isinstance(value, str) or not value:
            raise self._error(where, "must be a string that is not empty")
        return value

    def _strings(self, content: Mapping[str, object], key: str, where: str) -> tuple[str, ...]:
        return tuple(
            self._string(value, f"{where}[{index}]")
            for index, value in enumerate(self._array(content, key, where))
        )

    def _name(self, value: object, where: str) -> str:
        text = self._string(value, where)
        if not _NAME.fullmatch(text) or _ADDRESS.fullmatch(text):
            raise self._error(where, f"{text!r} is no DNS name")
        return text

    def _names(self, content: Mapping[str, object], key: str) -> tuple[str, ...]:
        return tuple(
            self._name(text, f"{key}[{index}]")
            for index, text in enumerate(self._strings(content, key, key))
        )

    def _host(self, value: object, where: str) -> str:
        text = self._string(value, where)
        if _ADDRESS.fullmatch(text):
            return self._address(text, where)
        if not _NAME.fullmatch(text):
            raise self._error(where, f"{text!r} is neither a DNS name nor an IP address")
        return text

    def _address(self, value: object, where: str) -> str:
        text = self._string(value, where)
        try:
            ipaddress.ip_address(text)
        except ValueError as error:
            raise self._error(where, f"{text!r} is no IP address") from error
        return text

    def _addresses(
        self, content: Mapping[str, object], key: str, where: str, *, least: int = 0
    ) -> tuple[str, ...]:
        found = tuple(
            self._address(address, f"{where}[{index}]")
            for index, address in enumerate(self._strings(content, key, where))
        )
        if len(found) < least:
            raise self._error(where, "must list an address")
        return found

    def _port(self, value: object, where: str) -> int:
        return self._integer(value, where, lambda port: 0 < port <= LAST_PORT)

    def _integer(self, value: object, where: str, fits: Callable[[int], bool]) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not fits(value):
            raise self._error(where, f"{value!r} is no fitting whole number")
        return value

    def _rate(self, value: object, where: str, what: str = "rate in Gbit/s") -> float:
        if not isinstance(value, int | float) or isinstance(value, bool) or value <= 0:
            raise self._error(where, f"{value!r} is no {what} above 0")
        return float(value)

    def _error(self, where: str, problem: str) -> SettingsError:
        return SettingsError(f"{self._option}={self._path}: {where}: {problem}")


def _meant(word: object, known: Collection[str]) -> str:
    """A clause with what somebody may have meant; empty where nothing is near."""
    near = difflib.get_close_matches(str(word), known, n=1)
    return f"; did you mean {near[0]}?" if near else ""
