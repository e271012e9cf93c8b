"""Reads the section [azure_profile] of the site file.

Owns which types its settings have; which settings there are says `model.azure_profile`.
"""

from collections.abc import Mapping

from pytest_aksnet.model.azure_profile import (
    CLUSTER_SETTINGS,
    NAMED_LISTS,
    NAMED_SETTINGS,
    Path,
    Setting,
)
from pytest_aksnet.site_values import Values

_KEY = "azure_profile"


class AzureProfileReader(Values):
    """Reads the one section."""

    def settings(self, content: Mapping[str, object]) -> dict[Path, Setting]:
        """What the section says, by path. Raises SettingsError with file and key."""
        table = self._table(content.get(_KEY, {}), _KEY)
        self._known(table, (*CLUSTER_SETTINGS, *NAMED_SETTINGS, *NAMED_LISTS), f"{_KEY}.")
        found: dict[Path, Setting] = {
            (key,): self._setting(table[key], kind, f"{_KEY}.{key}")
            for key, kind in CLUSTER_SETTINGS.items()
            if key in table
        }
        for group, settings in NAMED_SETTINGS.items():
            for name, content_of in self._named(table, group).items():
                where = f"{_KEY}.{group}.{name}"
                one = self._table(content_of, where)
                self._known(one, tuple(settings), f"{where}.")
                for key, value in one.items():
                    path = (group, name, key)
                    found[path] = self._setting(value, settings[key], f"{where}.{key}")
        for group in NAMED_LISTS:
            for name, lines in self._named(table, group).items():
                found[group, name] = self._setting(lines, tuple, f"{_KEY}.{group}.{name}")
        return found

    def _named(self, table: Mapping[str, object], group: str) -> Mapping[str, object]:
        return self._table(table.get(group, {}), f"{_KEY}.{group}")

    def _setting(self, value: object, kind: type, where: str) -> Setting:
        if kind is tuple:
            return self._strings({_KEY: value}, _KEY, where)
        if kind is bool:
            if not isinstance(value, bool):
                raise self._error(where, f"{value!r} is neither true nor false")
            return value
        if kind is int:
            return self._integer(value, where, lambda number: number >= 0)
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)  # max_surge = 1 as well as "33%"
        if not isinstance(value, str):
            raise self._error(where, "must be a string")
        return value  # empty is "none", such as a subnet without a route table
