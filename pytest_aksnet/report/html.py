"""report.html: what pytest-html is told, through its hooks, to show of a run.

pytest-html knows a fixed set of outcomes; its page hides rows of any other. An inconclusive check
is none of them, so it travels in the slot of "rerun", which conformance runs never use: the slot
gets the label "Inconclusive", the row's visible cell says so, and a hidden cell carries the slot's
name for the page's filter and sorting.
"""

from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

import pytest

from pytest_aksnet.report.azure_access import role_text
from pytest_aksnet.report.evidence import TEXT_FILE
from pytest_aksnet.report.results import Results
from pytest_aksnet.report.run import RunReport
from pytest_aksnet.report.table_html import STYLE_FILE as TABLES_STYLE_FILE
from pytest_aksnet.report.templates import template

HTML_FILE = "report.html"
STYLE_FILES = (Path(__file__).with_name("style.css"), TABLES_STYLE_FILE)
_SLOT = "rerun"
_SEVERITIES = ("critical", "major", "minor", "info")
_HEADER = (
    '<th class="sortable" data-column-type="result">Result</th>',
    '<th class="sortable hidden" data-column-type="slot">Slot</th>',
    '<th class="sortable" data-column-type="severity">Severity</th>',
    '<th class="sortable" data-column-type="feature">Feature</th>',
    '<th class="sortable" data-column-type="checkId">Check</th>',
    "<th>What it says</th>",
    "<th>Reason</th>",
    '<th class="sortable" data-column-type="duration">Duration</th>',
    "<th>Evidence</th>",
)


class ReportData(Protocol):
    """The part of pytest-html's report data that its title hook hands out."""

    title: str

    @property
    def outcomes(self) -> dict[str, dict[str, object]]:
        """Labels and counts by slot."""
        ...


def outcome_of(report: pytest.TestReport | pytest.CollectReport) -> str:
    """The outcome that a report carries beside pytest's own: "inconclusive", "error" or ""."""
    return str(getattr(report, "aksnet_outcome", ""))


def properties_of(report: pytest.TestReport | pytest.CollectReport) -> Mapping[str, str]:
    """The properties of a check that travel with its reports, by their names without prefix."""
    return {
        name.removeprefix("aksnet_"): str(value)
        for name, value in getattr(report, "user_properties", ())
        if name.startswith("aksnet_")
    }


class HtmlReport:
    """A pytest plugin object with hooks of pytest-html. `results` gives the finished run."""

    def __init__(self, run: RunReport, results: Callable[[], Results]) -> None:
        self._run = run
        self._results = results
        self._data: ReportData | None = None
        self._inconclusive_in = {"failed": 0, "error": 0}
        self._error_in_call = 0

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_report_title(self, report: ReportData) -> None:
        """Name the page; a lab run says that it is one."""
        report.title = _title(self._run)
        report.outcomes[_SLOT]["label"] = "Inconclusive,"
        self._data = report

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_header(self, cells: list[str]) -> None:
        """Our columns instead of pytest-html's."""
        cells[:] = _HEADER

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_row(
        self, report: pytest.TestReport | pytest.CollectReport, cells: list[str]
    ) -> None:
        """Our cells instead of pytest-html's; what it counted wrongly is remembered."""
        known = properties_of(report)
        stock = _text_of(cells[0])
        shown, slot = stock, stock
        special = outcome_of(report)
        if special == "inconclusive":
            shown, slot = "Inconclusive", _SLOT.capitalize()
            self._inconclusive_in["failed" if report.when == "call" else "error"] += 1
        elif special == "error" and stock == "Failed":
            shown = slot = "Error"
            self._error_in_call += 1
        severity = known.get("severity", "")
        rank = _SEVERITIES.index(severity) if severity in _SEVERITIES else len(_SEVERITIES)
        evidence = known.get("evidence", "")
        link = _link(f"{evidence}/{TEXT_FILE}", "evidence") if evidence else ""
        if known.get("tables"):
            link += f" {_link(known['tables'], 'tables')}"
        nodeid = _line(report.nodeid)
        cells[:] = [
            f'<td class="col-outcome">{shown}</td>',
            f'<td class="col-result hidden">{slot}</td>',
            f'<td class="col-severity"><span hidden>{rank}</span>{_line(severity)}</td>',
            f'<td class="col-feature">{_line(known.get("feature", ""))}</td>',
            f'<td class="col-checkId">{_line(known.get("id", ""))}</td>',
            f'<td class="col-claim">{_line(known.get("title", ""))}'
            f'<div class="nodeid">{nodeid}</div></td>',
            f'<td class="col-reason">{_line(known.get("reason", ""))}{_asides(known)}</td>',
            cells[2],
            f'<td class="col-links">{link}</td>',
        ]

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_duration_format(self, duration: float) -> str:
        """Milliseconds: pytest-html rounds to whole seconds, and its page sorts only these two."""
        return f"{round(duration * 1000)} ms"

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_table_html(
        self, report: pytest.TestReport | pytest.CollectReport, data: list[str]
    ) -> None:
        """The reason of a skip as a sentence: pytest-html prints the tuple that pytest has."""
        if report.skipped and isinstance(report.longrepr, tuple):
            data[:] = [escape(str(report.longrepr[2]))]

    @pytest.hookimpl(optionalhook=True)
    def pytest_html_results_summary(
        self, prefix: list[str], summary: list[str], postfix: list[str]
    ) -> None:
        """What the run was, on which cluster, with what outcome; and put the counts right."""
        if self._data is not None:
            self._data.title = _title(self._run)
            self._correct_counts(self._data.outcomes)
        results = self._results()
        role = role_text(results.azure) if results.azure is not None else ""
        prefix.append(template("summary.html.j2").render(results=results, role=role))

    def _correct_counts(self, outcomes: dict[str, dict[str, object]]) -> None:
        moves = [
            ("failed", _SLOT, self._inconclusive_in["failed"]),
            ("error", _SLOT, self._inconclusive_in["error"]),
            ("failed", "error", self._error_in_call),
        ]
        for source, target, count in moves:
            outcomes[source]["value"] = _count(outcomes[source]) - count
            outcomes[target]["value"] = _count(outcomes[target]) + count


def _title(run: RunReport) -> str:
    if run.lab:
        return f"AKS network conformance of the embedded lab ({run.lab}), not of a live cluster"
    return f"AKS network conformance: {run.cluster.server or 'no cluster reached'}"


def _count(outcome: Mapping[str, object]) -> int:
    value = outcome["value"]
    return value if isinstance(value, int) else 0


def _text_of(cell: str) -> str:
    return cell.partition(">")[2].rpartition("<")[0]


def _link(path: str, words: str) -> str:
    return f'<a class="col-links__extra" href="{quote(path)}">{words}</a>'


def _asides(known: Mapping[str, str]) -> str:
    """Remedy, warnings and retries of a check, below its reason; nothing where there are none."""
    asides = []
    if known.get("remedy"):
        asides.append(f"remedy: {known['remedy']}")
    if known.get("warnings"):
        asides.append(f"warning: {known['warnings']}")
    if known.get("retries", "0") != "0":
        asides.append(f"retries on the way to the cluster: {known['retries']}")
    return "".join(f'<div class="aside">{_line(aside)}</div>' for aside in asides)


def _line(text: str) -> str:
    """Escaped and on one line: pytest-html reads cells line by line."""
    return escape(" ".join(text.split()))
