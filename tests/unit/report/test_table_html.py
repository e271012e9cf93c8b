"""Heat maps: well formed, small, and every sign and reason where it belongs."""

import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace
from html import escape
from pathlib import Path

from pytest_aksnet.expectations.policy_verdicts import policy_table
from pytest_aksnet.report.table_html import tables_html, tables_page
from tests.truth_tables import case, large_table, step, unlike_table

GOLDEN = Path(__file__).parents[2] / "golden" / "tables" / "unlike.html"


def test_the_fragment_of_a_table_that_is_not_as_expected() -> None:
    assert tables_html([unlike_table()]) + "\n" == GOLDEN.read_text(encoding="utf-8")


def maps(fragment: str) -> dict[str, list[list[str]]]:
    """The signs of each cell of each heat map, by caption."""
    found = {}
    for table in ElementTree.fromstring(fragment).iter("table"):
        caption = table.findtext("caption") or ""
        rows = [["".join(td.itertext()) for td in row.iter("td")] for row in table.iter("tr")]
        found[caption] = rows[1:]
    return found


def test_three_maps_where_something_differs_one_where_not() -> None:
    found = maps(tables_html([unlike_table()]))
    assert list(found) == ["Expected", "Seen", "Difference"]
    assert found["Expected"][1] == ["--", "++", "++"]
    assert found["Seen"][1] == ["+-", "++", "++"]
    assert found["Difference"][1] == ["+.", "..", ".."]
    right = maps(tables_html([policy_table(step(), case())]))
    assert list(right) == ["Expected, and seen exactly so"]


def test_a_wrong_cell_says_why_when_pointed_at() -> None:
    root = ElementTree.fromstring(tables_html([unlike_table()]))
    told = {b.get("title"): (b.text, b.get("class")) for b in root.iter("b") if b.get("title")}
    assert told["x/b to x/a at TCP 8080: should be closed and is open: isolated by <deny>"] == (
        "+",
        "w",
    )


def test_names_and_reasons_of_others_stay_text() -> None:
    table = replace(
        unlike_table(),
        title="<script>alert(1)</script>",
        problem='"><img src=x>\x1b[31m',
        policies=({"spec": {"note": "</pre><b>&"}},),
    )
    page = tables_page([table], "a & b")
    assert "<script" not in page
    assert "<img" not in page
    assert "\x1b" not in page
    assert "&lt;/pre&gt;&lt;b&gt;&amp;" in page
    ElementTree.fromstring(page.removeprefix("<!DOCTYPE html>\n"))


def test_a_table_of_324_cells_costs_a_few_kilobytes() -> None:
    right = tables_html([large_table(wrong=0)])
    wrong = tables_html([large_table(wrong=18)])
    assert len(right) < 7_000
    assert len(escape(json.dumps(wrong))) < 50_000, "as it stands in the page of a run"
