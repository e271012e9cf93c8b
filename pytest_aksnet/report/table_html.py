"""Truth tables of NetworkPolicies as heat maps. Pure.

Cells are signs in coloured runs, so that a table costs about as much as its text: a report holds
hundreds of them. Signs and colours say the same; the colours are told apart without red and green
(Okabe and Ito, Color Universal Design).
"""

import functools
import itertools
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path

from pytest_aksnet.model.observation import PolicyTable
from pytest_aksnet.report.redaction import one_line
from pytest_aksnet.report.table_text import (
    RIGHT,
    about,
    blocks,
    cell_names,
    cell_of,
    difference,
    heading,
    policy_yaml,
)

STYLE_FILE = Path(__file__).with_name("tables.css")
_CLASSES = {"+": "o", "-": "c", "!": "w", "?": "u", " ": "n"}
_DIFFERENCE_CLASSES = {RIGHT: "r", "+": "w", "-": "w", "!": "w", "?": "u", "~": "d", " ": "n"}
_MOST_LISTED = 20
_WHY = "Cells that are not as expected, and why they should be otherwise"
_LEGEND = (
    ("o", "+", "open"),
    ("c", "-", "closed"),
    ("w", "!", "odd answer"),
    ("u", "?", "not looked at, or proves nothing"),
)
_DIFFERENCE_LEGEND = (
    ("r", RIGHT, "as expected"),
    ("w", "+", "open and should be closed"),
    ("w", "-", "closed and should be open"),
    ("d", "~", "not as expected, where documents leave it open"),
)


def tables_html(tables: Sequence[PolicyTable]) -> str:
    """A fragment with the heat maps of a check, one step after another, and a legend."""
    return (
        f'<div class="aksnet-tables">{"".join(map(_step, tables))}'
        f'<p class="key">{_key(_LEGEND)} Difference: {_key(_DIFFERENCE_LEGEND)}</p></div>'
    )


def tables_page(tables: Sequence[PolicyTable], title: str) -> str:
    """The same as a page of its own."""
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8"/>'
        f"<title>{_text(title)}</title><style>{STYLE_FILE.read_text(encoding='utf-8')}</style>"
        f'</head><body><h1 class="aksnet-tables-title">{_text(title)}</h1>'
        f"{tables_html(tables)}</body></html>\n"
    )


def _step(table: PolicyTable) -> str:
    facts = "".join(f"<li>{_text(fact)}</li>" for fact in about(table))
    return f"<h4>{_text(heading(table))}</h4><ul>{facts}</ul>{_maps(table)}{_policies(table)}"


def _maps(table: PolicyTable) -> str:
    """Expected, seen and difference; the first alone where all is as expected."""
    if not table.pods:
        return ""
    ports = f'<p class="ports">Cells of each destination: {_text(", ".join(table.ports))}</p>'
    if table.expected == table.seen:
        caption = "Expected, and seen exactly so"
        return ports + _map(table, caption, _runs(table, table.expected, _CLASSES))
    reasons = {cell_of(one): one for one in (*table.wrong_cells, *table.open_answers)}
    return (
        f'{ports}<div class="maps">'
        f"{_map(table, 'Expected', _runs(table, table.expected, _CLASSES))}"
        f"{_map(table, 'Seen', _runs(table, table.seen, _CLASSES))}"
        f"{_map(table, 'Difference', _told(table, reasons))}</div>{_listed(table)}"
    )


def _map(table: PolicyTable, caption: str, rows: Iterator[list[str]]) -> str:
    heads = "".join(f"<th>{_text(pod)}</th>" for pod in table.pods)
    body = "".join(
        f"<tr>{_source(table, pod)}{''.join(f'<td>{block}</td>' for block in row)}</tr>"
        for pod, row in zip(table.pods, rows, strict=True)
    )
    return f"<table><caption>{caption}</caption><tr><th>from \\ to</th>{heads}</tr>{body}</table>"


def _source(table: PolicyTable, pod: str) -> str:
    """The head of a row: where the pod is, when pointed at."""
    place = table.places.get(pod, "")
    return f'<th title="{_text(place)}">{_text(pod)}</th>' if place else f"<th>{_text(pod)}</th>"


def _runs(
    table: PolicyTable, rows: Sequence[str], classes: Mapping[str, str]
) -> Iterator[list[str]]:
    for row in rows:
        yield [
            "".join(
                f'<b class="{kind}">{"".join(run)}</b>'
                for kind, run in itertools.groupby(block, classes.__getitem__)
            )
            for block in blocks(row, table)
        ]


def _told(table: PolicyTable, reasons: Mapping[str, str]) -> Iterator[list[str]]:
    """Like `_runs`; a cell with a reason stands alone and shows it when pointed at."""
    width = len(table.ports)
    for row, names in zip(difference(table), cell_names(table), strict=True):
        yield [
            "".join(_cells(row[start : start + width], names[start : start + width], reasons))
            for start in range(0, len(row), width)
        ]


def _cells(block: str, names: Sequence[str], reasons: Mapping[str, str]) -> Iterator[str]:
    marked = zip(block, names, strict=True)
    for (sign, why), run in itertools.groupby(
        marked, lambda cell: (cell[0], reasons.get(cell[1], ""))
    ):
        title = f' title="{_text(why)}"' if why else ""
        yield f'<b class="{_DIFFERENCE_CLASSES[sign]}"{title}>{sign * len(list(run))}</b>'


def _listed(table: PolicyTable) -> str:
    sentences = [*table.wrong_cells, *table.open_answers]
    if not sentences:
        return ""
    more = table.wrong + len(table.open_answers) - len(sentences[:_MOST_LISTED])
    rows = "".join(f"<li>{_text(one)}</li>" for one in sentences[:_MOST_LISTED])
    rest = f"<li>and {more} more</li>" if more > 0 else ""
    return f"<details><summary>{_WHY}</summary><ol>{rows}{rest}</ol></details>"


def _policies(table: PolicyTable) -> str:
    if not table.policies:
        return "<p>No policy held.</p>"
    count = len(table.policies)
    what = "The policy that held" if count == 1 else f"The {count} policies that held"
    text = escape(policy_yaml(table))
    return f"<details><summary>{what}</summary><pre>{text}</pre></details>"


def _key(entries: Sequence[tuple[str, str, str]]) -> str:
    return " ".join(f'<b class="{kind}">{sign}</b> {words}' for kind, sign, words in entries)


@functools.lru_cache(maxsize=2048)
def _text(text: str) -> str:
    """Clean and escaped. Remembered: a sentence stands in the report, the evidence, and twice."""
    return escape(one_line(text))
