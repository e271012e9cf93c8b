"""Pages of controls: valid, without script, and with what others said escaped."""

from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pytest_aksnet.model.controls import Control, Controls, Framework
from pytest_aksnet.model.record import CheckOutcome, CheckRecord
from pytest_aksnet.report.run import RunReport
from tests.unit.report.control_samples import PASSED

RECORD = replace(
    PASSED,
    title="A <name> resolves.",
    outcome=CheckOutcome.FAILED,
    reason="saw <script>alert(1)</script> & more",
    evidence="evidence/run 1/dns.a#1",
)
FRAMEWORK = Framework(
    id="own-1",
    name="OWN",
    title="Own <rules>",
    version="1",
    source="https://example.com/?a=1&b=2",
    controls=(
        Control(
            id="1",
            name="OWN 1",
            title="Names",
            looks="DNS.",
            checks=("dns.a", "dns.b"),
            rest="TLS.",
        ),
        Control(id="2", name="OWN 2", title="Doors", looks="", checks=(), blind="No door."),
    ),
)
_VOID = ("meta", "br")


class Reader(HTMLParser):
    """Refuses tags that do not close; collects links, texts and heads of tables."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def links(self) -> list[str | None]:
        return [attributes["href"] for tag, attributes in self.tags if tag == "a"]


@pytest.fixture
def report(tmp_path: Path) -> RunReport:
    report = RunReport(
        report_dir=tmp_path,
        run_id="run1",
        version="0.1.0",
        lab="overlay:calico",
        lab_faults=("nsg",),
        baseline=None,
        save_baseline_to=None,
        controls=Controls((FRAMEWORK,)),
    )
    report.begin()
    return report


def page(report: RunReport, *records: CheckRecord) -> Reader:
    for record in records:
        report.log.append(record)
    report.finish(0)
    reader = Reader()
    reader.feed((report.report_dir / "controls-own-1.html").read_text(encoding="utf-8"))
    assert reader.open == []
    return reader


def test_a_page_says_what_became_of_each_control(report: RunReport) -> None:
    report.page = "report.html"
    read = page(report, RECORD)
    words = " ".join(read.text.split())
    assert "OWN 1: Names failed. DNS. Not looked at: TLS." in words
    assert "saw <script>alert(1)</script> & more" in words
    assert "OWN 2: Doors cannot look. No door." in words
    assert "dns.b not run No test of it was part of this run." in words
    assert "1 failed, 1 cannot look." in words
    assert "No live cluster was looked at." in words
    assert read.links() == [
        *("https://example.com/?a=1&b=2", "report.html", "#control-1", "#control-2"),
        "evidence/run%201/dns.a%231/evidence.txt",
    ]


def test_a_page_needs_nothing_but_itself(report: RunReport) -> None:
    read = page(report, RECORD)
    names = {tag for tag, _ in read.tags}
    assert not names & {"script", "link", "img", "iframe", "object"}
    assert "prefers-color-scheme: dark" in read.text
    assert "report.html" not in read.links()


def test_a_page_can_be_read_aloud(report: RunReport) -> None:
    read = page(report, RECORD)
    found = dict(read.tags)
    assert found["html"] == {"lang": "en"}
    tables = sum(tag == "table" for tag, _ in read.tags)
    assert sum(tag == "caption" for tag, _ in read.tags) == tables
    assert all("scope" in attributes for tag, attributes in read.tags if tag == "th")


def test_pages_of_an_earlier_run_go_and_those_of_others_stay(report: RunReport) -> None:
    mine, other = (report.report_dir / f"controls-{name}.html" for name in ("old", "acme"))
    page(report, RECORD)
    mine.write_text((report.report_dir / "controls-own-1.html").read_text("utf-8"), "utf-8")
    other.write_text("<html>", "utf-8")
    report.finish(0)
    assert not mine.exists()
    assert other.exists()


def test_results_have_the_same(report: RunReport) -> None:
    page(report, RECORD, replace(RECORD, id="dns.b", outcome=CheckOutcome.PASSED))
    assert report.results is not None
    [framework] = report.results.controls
    assert framework.counts == {"failed": 1, "cannot look": 1}
    assert [check.state for check in framework.controls[0].checks] == ["failed", "passed"]
