"""The checks of the suites that are truth tables: which cases each of them has."""

import functools
import importlib.util
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType

FOLDER = Path(__file__).parents[1] / "suites" / "network_policy" / "truth_table"


@dataclass(frozen=True, slots=True, kw_only=True)
class TableCheck:
    """A check, the name of its function, and the ids of its cases."""

    id: str
    function: str
    needs: tuple[str, ...]
    cases: tuple[str, ...]


@functools.cache
def table_checks() -> tuple[TableCheck, ...]:
    """Every check of the folder."""
    return tuple(check for file in sorted(FOLDER.glob("test_*.py")) for check in _checks_of(file))


def _checks_of(file: Path) -> Iterator[TableCheck]:
    spec = importlib.util.spec_from_file_location(f"truth_table_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for function in vars(module).values():
        if isinstance(function, FunctionType) and function.__name__.startswith("test_"):
            marks = {mark.name: mark for mark in function.__dict__["pytestmark"]}
            said = marks["aksnet"].kwargs
            yield TableCheck(
                id=said["id"],
                function=function.__name__,
                needs=said.get("needs", ()),
                cases=tuple(marks["parametrize"].args[1]),
            )
