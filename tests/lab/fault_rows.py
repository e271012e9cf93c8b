"""What a row of the fault catalogue is, and which rows there are.

Rows stand in tests/lab/fault_rows_TOPIC.py, each with a tuple ROWS; the runner is
test_fault_catalogue.py.
"""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pytest_aksnet.lab.options import MODES
from tests.lab.scene import Look, Scene

__all__ = ["FaultRow", "Look", "Scene", "all_rows", "covered_by_tests"]

Condition = Callable[[Scene], None]


@dataclass(frozen=True, kw_only=True)
class FaultRow:
    """One fault, shown by packets: healthy, injected (`broken` holds), healed (`healthy` again).

    `fault` is NAME[=VALUE][@NODE]; @FIRST and @LAST are the first and the last node of the lab. The
    conditions raise AssertionError where they do not hold (yet) and are asked again for up to ten
    seconds. `settings` are those of `aksnet-lab --set`. The first of `modes` is run by `make test`
    unless the row is `slow`, the others by `make test-thorough`.
    """

    fault: str
    healthy: Condition
    broken: Condition
    settings: tuple[str, ...] = ()
    modes: tuple[str, ...] = MODES
    engine: str = "calico"
    slow: bool = False

    @property
    def name(self) -> str:
        """The fault's name without value and node."""
        return self.fault.partition("@")[0].partition("=")[0]

    def fault_in(self, scene: Scene) -> str:
        """The fault with the name of the node in this lab."""
        first, last = scene.nodes[0], scene.nodes[-1]
        return self.fault.replace("@FIRST", f"@{first}").replace("@LAST", f"@{last}")


def all_rows() -> list[FaultRow]:
    """The rows of all topics, those together that can share a lab."""
    rows: list[FaultRow] = []
    for file in sorted(Path(__file__).parent.glob("fault_rows_*.py")):
        rows += importlib.import_module(f"tests.lab.{file.stem}").ROWS
    return rows


def covered_by_tests() -> dict[str, str]:
    """Faults of which a whole test says more than a row could: fault, "FILE::TEST"."""
    found: dict[str, str] = {}
    for file in sorted(Path(__file__).parent.glob("fault_rows_*.py")):
        found |= getattr(importlib.import_module(f"tests.lab.{file.stem}"), "ELSEWHERE", {})
    return found
