"""What the writer of policies expects of their table: entries with wildcards, read and compared.

Pure. Entries are read against a layout, so that a wrong one is told before anything is created.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

from pytest_aksnet.model.errors import SettingsError
from pytest_aksnet.model.policy_table import CaseResult, CellName, Layout

Way = Literal["open", "closed"]
_SHAPE = "'SOURCE -> DESTINATION' or 'SOURCE -> DESTINATION PROTOCOL/PORT'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry: patterns for both ends and for "PROTOCOL/PORT", and how such cells should be."""

    source: str
    destination: str
    port: str
    way: Way

    def means(self, cell: CellName) -> bool:
        """Whether it is about this cell. A wildcard never means a pod's way to itself."""
        # "* -> x/a" means everybody else: nothing keeps a pod from itself.
        if cell.source == cell.destination and self.source != cell.source:
            return False
        return (
            fnmatchcase(cell.source, self.source)
            and fnmatchcase(cell.destination, self.destination)
            and fnmatchcase(f"{cell.port.protocol}/{cell.port.number}", self.port)
        )


def read_entries(expected: Mapping[str, Way], layout: Layout) -> tuple[Entry, ...]:
    """The entries of `assert_policy_table`. Raises SettingsError for one that means no cell."""
    pods = [pod.key for pod in layout.pods]
    cells = [CellName(*ends) for ends in itertools.product(pods, pods, layout.ports)]
    entries = []
    for text, way in expected.items():
        entry = _read(text, way)
        if not any(map(entry.means, cells)):
            ports = (f"{port.protocol}/{port.number}" for port in layout.ports)
            raise SettingsError(
                f"expected={{{text!r}: {way!r}}} names no cell of the table, which has the pods "
                f"{', '.join(pods)} and the ports {', '.join(ports)}; write it as {_SHAPE}"
            )
        entries.append(entry)
    return tuple(entries)


def unlike_entries(result: CaseResult, entries: Sequence[Entry]) -> list[str]:
    """Where the policies say otherwise than the entries, of which later ones win: sentences."""
    unlike = []
    for step in result.steps[: len(result.case.steps)]:
        for name, cell in step.cells.items():
            wanted = next((one.way for one in reversed(entries) if one.means(name)), None)
            if wanted is not None and (wanted == "open") != cell.expected:
                unlike.append(f"{name} is expected to be {wanted}, but {cell.why}")
    return unlike


def _read(text: str, way: str) -> Entry:
    source, arrow, rest = (part.strip() for part in text.partition("->"))
    destination, _, port = rest.partition(" ")
    if not arrow or not source or not destination or way not in ("open", "closed"):
        raise SettingsError(
            f"expected={{{text!r}: {way!r}}}: write it as {_SHAPE}, with 'open' or 'closed'"
        )
    return Entry(
        source=source,
        destination=destination,
        port=port.strip() or "*",
        way="open" if way == "open" else "closed",
    )
