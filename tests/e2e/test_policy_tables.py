"""Truth tables of NetworkPolicies in labs: the right cells are wrong, and none in health."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from pytest_aksnet.expectations.policy_cases import all_cases
from pytest_aksnet.expectations.policy_engines import engine_rules
from pytest_aksnet.model.policy import PortSpec
from pytest_aksnet.model.policy_table import CellName, PolicyCase
from tests.e2e.fault_matrix import NODES
from tests.e2e.suite_run import SuiteRun, lab_arguments, run_suites
from tests.e2e.wrong_cells import (
    NOT_ENFORCED,
    ONE_SET,
    StepCells,
    placements,
    speaks_sctp,
    steps_of,
)

TABLES = ("suites/network_policy/truth_table",)
OPEN, CLOSED, NOT_ASKED = "+", "-", " "

_EXCEPT = "policy-except-ignored"
_ANY_SPACE = "policy-namespace-selector-any"
_END_PORT = "policy-end-port-off-by-one"
# The faulty node has pod a of each namespace, or pod c. Cases that must be right are among them.
FAULTS = (
    (
        NOT_ENFORCED,
        0,
        ("generated-004", "generated-196", "generated-203", "netpol-15", "netpol-20"),
    ),
    (NOT_ENFORCED, 2, ("generated-001", "generated-004", "generated-201", "netpol-23")),
    (_EXCEPT, 0, ("generated-021", "generated-022", "generated-032", "generated-067", "netpol-36")),
    (_ANY_SPACE, 0, ("generated-001", "generated-018", "generated-197", "netpol-06", "netpol-07")),
    (_END_PORT, 0, ("generated-143", "generated-144", "generated-172", "generated-173")),
)
LATE = "policy-lag=60"


def _run(folder: Path, engine: str, *options: str, cases: Sequence[str] = ()) -> SuiteRun:
    chosen = ("-k", " or ".join(cases)) if cases else ()
    lab = lab_arguments(folder, "overlay", engine, ())
    return run_suites(folder, *lab, *options, *chosen, suites=TABLES, seconds=1200)


def _observed(run: SuiteRun) -> dict[str, list[dict[str, Any]]]:
    """The tables of each case, step by step; the way back to no policy is the last of them."""
    found: dict[str, list[dict[str, Any]]] = {}
    for check in run.results["checks"]:
        for observation in check["observations"]:
            found.setdefault(observation["case"], []).append(observation)
    return found


def _cells(table: dict[str, Any], rows: str) -> Iterator[tuple[CellName, str]]:
    ports = []
    for text in table["ports"]:
        protocol, number = text.split()
        ports.append(PortSpec(number=int(number), protocol=protocol))
    for source, row in zip(table["pods"], table[rows], strict=True):
        signs = iter(row)
        for destination in table["pods"]:
            for port in ports:
                if (sign := next(signs)) != NOT_ASKED:
                    yield CellName(source, destination, port), sign


def _as_seen(table: dict[str, Any]) -> StepCells:
    expected = {name: sign == OPEN for name, sign in _cells(table, "expected")}
    seen = dict(_cells(table, "seen"))
    assert set(seen.values()) <= {OPEN, CLOSED}, table["problem"]
    return StepCells(
        expected=expected,
        wrong=frozenset(name for name, sign in seen.items() if (sign == OPEN) != expected[name]),
    )


def _assert_cells(case: PolicyCase, tables: list[dict[str, Any]], fault: str, node: int) -> None:
    """Every step has the wrong cells of the fault, and the way back to no policy has none.

    Where pods of one node are in the block that is excepted is read off what should be open.
    """
    seen = [_as_seen(table) for table in tables]
    steps, back = seen[: len(case.steps)], seen[len(case.steps) :]
    rules = engine_rules("calico")
    possible = [list(steps_of(case, places, fault, node, rules)) for places in placements()]
    fitting = [one for one in possible if [s.expected for s in one] == [s.expected for s in steps]]
    assert fitting, f"{case.id}: the tables are not those of the case"
    assert [step.wrong for step in steps] in [[s.wrong for s in one] for one in fitting], case.id
    assert all(not step.wrong for step in back), case.id


def _assert_fault(folder: Path, fault: str, node: int, cases: Sequence[str], like: str) -> None:
    """In a run of some cases exactly those cells are wrong that the fault `like` makes so."""
    run = _run(
        folder,
        "calico",
        ONE_SET,
        f"--aksnet-lab-fault={fault}@{NODES[node]}",
        cases=cases,
    )
    tables = _observed(run)
    assert set(tables) == set(cases), run.terminal
    for name in cases:
        _assert_cells(all_cases()[name], tables[name], like, node)
    wrong = {name for name in cases if any(_as_seen(table).wrong for table in tables[name])}
    failed = {name for name, outcome in run.outcomes().items() if outcome == "failed"}
    assert {name.partition("[")[2].rstrip("]") for name in failed} == wrong
    assert wrong, run.terminal


def test_an_agent_that_misses_the_last_port_of_a_range(tmp_path: Path) -> None:
    _assert_fault(tmp_path, _END_PORT, 0, ("generated-170", "generated-171"), _END_PORT)


@pytest.mark.thorough
@pytest.mark.parametrize(("fault", "node", "cases"), FAULTS)
def test_exactly_the_cells_of_the_fault_are_wrong(
    fault: str, node: int, cases: Sequence[str], tmp_path: Path
) -> None:
    _assert_fault(tmp_path, fault, node, cases, fault)


@pytest.mark.thorough
def test_a_node_that_is_a_minute_late_enforces_nothing_yet(tmp_path: Path) -> None:
    _assert_fault(tmp_path, LATE, 0, ("generated-004",), NOT_ENFORCED)


@pytest.mark.thorough
@pytest.mark.parametrize("engine", ["calico", "cilium", "azure"])
def test_no_cell_is_wrong_in_health(engine: str, tmp_path: Path) -> None:
    run = _run(tmp_path, engine)
    tables = _observed(run)
    silent = (
        set() if speaks_sctp() and engine != "cilium" else {f"netpol-{n}" for n in (46, 47, 48)}
    )
    assert set(tables) == set(all_cases()) - silent, run.terminal
    wrong = {
        name: [sorted(map(str, step.wrong)) for step in map(_as_seen, steps)]
        for name, steps in tables.items()
    }
    assert {name: cells for name, cells in wrong.items() if any(cells)} == {}
    assert {check for check, what in run.outcomes().items() if what == "skipped"} == {
        check for check in run.outcomes() if check.partition("[")[2].rstrip("]") in silent
    }
    assert run.exit_code == 0, run.terminal
