"""Truth tables as text: what an auditor reads, and the few rows that a terminal shows."""

from dataclasses import replace
from pathlib import Path

from pytest_aksnet.expectations.policy_verdicts import policy_table
from pytest_aksnet.model.policy_table import CellName, Mark
from pytest_aksnet.report.table_text import difference, difference_text, table_lines
from tests.truth_tables import PORTS, case, cell, step, unlike_table

GOLDEN = Path(__file__).parents[2] / "golden" / "tables" / "unlike.txt"
TCP, UDP = PORTS


def test_the_text_of_a_table_that_is_not_as_expected() -> None:
    text = "\n".join([*table_lines(unlike_table()), "", difference_text([unlike_table()]), ""])
    assert text == GOLDEN.read_text(encoding="utf-8")


def test_the_text_of_a_table_as_expected_has_no_difference() -> None:
    table = policy_table(step(), case(step()))
    lines = table_lines(table)
    assert not [line for line in lines if "difference" in line or "wrong:" in line]
    assert "  x/b       | --  ++  ++" in lines
    assert difference_text([table]) == ""


def test_each_way_to_differ_has_its_sign() -> None:
    changes = {
        CellName("x/a", "x/b", TCP): cell(expected=True, seen=Mark.CLOSED),
        CellName("x/a", "x/b", UDP): cell(expected=True, seen=Mark.ODD),
        CellName("x/b", "x/a", TCP): cell(expected=False, seen=Mark.OPEN),
        CellName("x/b", "x/a", UDP): cell(expected=False, seen=Mark.ODD),
        CellName("y/a", "x/a", TCP): cell(expected=False, seen=Mark.UNSEEN),
        CellName("y/a", "x/a", UDP): cell(expected=False, seen=Mark.OPEN, caveat="unknown"),
    }
    table = policy_table(step(changes), case())
    assert difference(table) == ("..-!..", "+?....", "?~....")
    assert (table.wrong, table.unseen) == (3, 2)


def test_a_message_names_the_steps_and_leaves_out_rows_as_expected() -> None:
    text = difference_text([policy_table(step(), case()), unlike_table()])
    assert text.startswith("step create: ports of each destination: TCP 8080, UDP 8081\n")
    assert "\n  y/a " in text
    assert "\n  x/a " not in text


def test_many_rows_are_counted() -> None:
    table = unlike_table()
    many = 60
    wide = replace(
        table,
        pods=tuple(f"x/{n}" for n in range(many)),
        ports=("TCP 8080",),
        expected=("-" * many,) * many,
        seen=("+" * many,) * many,
        wrong_cells=(),
    )
    lines = difference_text([wide]).splitlines()
    assert lines[-2] == "  and 20 more rows"


def test_a_step_that_was_not_looked_at_says_why() -> None:
    blind = replace(unlike_table(), pods=(), expected=(), seen=(), problem="the pod\n died")
    text = "\n".join(table_lines(blind))
    assert "problem: the pod died" in text
    assert "expected (" not in text
