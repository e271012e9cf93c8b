"""What a row of the fault matrix is, and which rows there are.

Rows stand in tests/e2e/rows_TOPIC.py, each with a tuple ROWS; the runner is test_faults.py. Node
faults hit the last node of the lab unless they name another. Nodes are numbered in the order of
their names: 0 system, 1 and 2 user; a pair is `source..target`, as in the ids of the tests.
"""

import ast
import functools
import importlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.suite_run import CHECKOUT

NODES = (
    "aks-system-26541870-vmss000000",
    "aks-user-31337042-vmss000000",
    "aks-user-31337042-vmss000001",
)
RING = ((0, 1), (1, 2), (2, 0))


def on(check: str, *nodes: int) -> set[str]:
    """The variants of a check for these nodes."""
    return {f"{check}[{NODES[node]}]" for node in nodes}


def between(check: str, *pairs: tuple[int, int]) -> set[str]:
    """The variants of a check for these pairs of nodes."""
    return {f"{check}[{NODES[source]}..{NODES[target]}]" for source, target in pairs}


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fault in one lab, and checks that it must fail.

    `fault` is NAME[=VALUE][@NODE], or several with a space between. `settings` are those of
    `aksnet-lab --set`, `options` further ones of pytest. `names_cause` are words of which each
    failure must have one. `cannot_judge` are checks that the fault makes inconclusive, as neither a
    pass nor a failure would be true, each for want of a positive control or with one of the words
    `names_why`. `skips` are checks that the fault has skipped, as facts of the cluster are others
    with it; none else may be that is not skipped in the same lab without it. With a fault that
    `starves`, nothing further can be created in the cluster, so that only the checks of its topics
    are run.
    Rows of the same fault in the same lab add up. The checks of a `quick` row are run by
    `make test`; whole topics and all suites by `make test-thorough`.
    """

    fault: str
    fails: set[str]
    names_cause: tuple[str, ...] = ()
    mode: str = "overlay"
    engine: str = "calico"
    settings: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    cannot_judge: set[str] = field(default_factory=set)
    names_why: tuple[str, ...] = ()
    skips: set[str] = field(default_factory=set)
    quick: bool = False
    starves: bool = False

    @property
    def lab(self) -> tuple[str, str, str, tuple[str, ...], tuple[str, ...]]:
        """What rows that add up have in common."""
        return (self.fault, self.mode, self.engine, self.settings, self.options)

    @property
    def name(self) -> str:
        """The row as an id of a test."""
        engine = "" if self.engine == "calico" else f"-{self.engine}"
        extra = "".join(f"-{one}" for one in (*self.settings, *self.options))
        return f"{self.mode}{engine}{extra}-{self.fault}"


@functools.cache
def all_rows() -> tuple[Row, ...]:
    """The rows of all files."""
    files = sorted(Path(__file__).parent.glob("rows_*.py"))
    return tuple(
        row for file in files for row in importlib.import_module(f"tests.e2e.{file.stem}").ROWS
    )


def added_up(rows: Iterable[Row]) -> Row:
    """One row for several of the same fault in the same lab."""
    together = list(rows)
    first = together[0]
    return Row(
        fault=first.fault,
        mode=first.mode,
        engine=first.engine,
        settings=first.settings,
        options=first.options,
        fails=set().union(*(row.fails for row in together)),
        cannot_judge=set().union(*(row.cannot_judge for row in together)),
        names_why=tuple(word for row in together for word in row.names_why),
        skips=set().union(*(row.skips for row in together)),
        starves=any(row.starves for row in together),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check of the suites as its source has it: node id of its function, folder, docstring."""

    id: str
    nodeid: str
    topic: str
    docstring: str


@functools.cache
def suite_checks() -> dict[str, Check]:
    """Every check of the suites by its id."""
    found = {}
    for source in sorted((CHECKOUT / "suites").rglob("test_*.py")):
        for function in ast.parse(source.read_text("utf-8")).body:
            for decorator in getattr(function, "decorator_list", ()):
                if not isinstance(function, ast.FunctionDef) or not isinstance(decorator, ast.Call):
                    continue
                if ast.unparse(decorator.func) != "pytest.mark.aksnet":
                    continue
                [check_id] = [
                    ast.literal_eval(keyword.value)
                    for keyword in decorator.keywords
                    if keyword.arg == "id"
                ]
                place = source.relative_to(CHECKOUT)
                found[check_id] = Check(
                    id=check_id,
                    nodeid=f"{place}::{function.name}",
                    topic=place.parts[1],
                    docstring=ast.get_docstring(function) or "",
                )
    return found


def topic_of(check: str) -> str:
    """The folder of a check, by its id with or without parameters."""
    return suite_checks()[check.partition("[")[0]].topic
