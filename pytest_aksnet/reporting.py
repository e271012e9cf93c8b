"""The glue between a pytest run and its report: what is switched on, fed, finished and shown."""

import json
import os
from collections.abc import Iterator, Sequence
from importlib import metadata

import pytest

from pytest_aksnet.model.controls import Controls
from pytest_aksnet.model.errors import AksnetError
from pytest_aksnet.model.record import Retries, Skip
from pytest_aksnet.options import Settings
from pytest_aksnet.report.azure_access import (
    Skipped,
    azure_access,
    not_asked_line,
    permission_lines,
)
from pytest_aksnet.report.baseline import load_baseline
from pytest_aksnet.report.html import HTML_FILE, STYLE_FILES, HtmlReport, properties_of
from pytest_aksnet.report.redaction import clean, one_line
from pytest_aksnet.report.results import Results, retries_from_json
from pytest_aksnet.report.run import RunReport
from pytest_aksnet.report.serialisation import to_json
from pytest_aksnet.report.table_summary import summary_lines

JUNIT_FILE = "junit.xml"
_HTML_OF_OURS = "aksnet-html"
# Where pytest and pytest-html define what writes their files at the end of a session.
_WRITERS = ("pytest_html.", "_pytest.junitxml")


def start_report(
    config: pytest.Config, settings: Settings, run_id: str, controls: Controls
) -> RunReport:
    """Switch on what writes into the report directory. Raises pytest.UsageError."""
    assert settings.report_dir is not None
    try:
        baseline = load_baseline(settings.baseline) if settings.baseline else None
        settings.report_dir.mkdir(parents=True, exist_ok=True)
    except AksnetError as error:
        raise pytest.UsageError(str(error)) from error
    except OSError as error:
        raise pytest.UsageError(
            f"--aksnet-report-dir={settings.report_dir}: cannot be made ({error.strerror}); "
            "name a folder that can be written"
        ) from error
    report = RunReport(
        report_dir=settings.report_dir,
        run_id=run_id,
        version=metadata.version("pytest-aksnet"),
        lab=settings.lab,
        lab_faults=settings.lab_faults,
        baseline=baseline,
        save_baseline_to=settings.save_baseline,
        controls=controls,
    )
    if not getattr(config.option, "xmlpath", None):
        config.option.xmlpath = str(settings.report_dir / JUNIT_FILE)
    if config.pluginmanager.hasplugin("html"):
        if not config.option.htmlpath:
            config.option.htmlpath = str(settings.report_dir / HTML_FILE)
            config.option.self_contained_html = True
            report.page = HTML_FILE
        config.option.css = [*config.option.css, *map(str, STYLE_FILES)]
        html = HtmlReport(report, lambda: _finished(report))
        config.pluginmanager.register(html, _HTML_OF_OURS)
    return report


def _finished(report: RunReport) -> Results:
    assert report.results is not None, "the results are written before the page"
    return report.results


def call_off_report(config: pytest.Config) -> list[object]:
    """Take back `start_report`: a run that could not begin leaves the last run's report alone.

    Gives the plugin objects that were writing.
    """
    writers = [
        plugin
        for plugin in config.pluginmanager.get_plugins()
        if type(plugin).__module__.startswith(_WRITERS)
    ]
    for writer in writers:
        config.pluginmanager.unregister(writer)
    return writers


def count_retries(report: RunReport, packed: str) -> None:
    """Add what a worker had to repeat outside of its checks, as `packed_retries` packs it."""
    report.count_retries(retries_from_json(json.loads(packed)))


def packed_retries(retries: Retries) -> str:
    """Retries on their way from a worker to the controller."""
    return json.dumps(to_json(retries))


def finish_report(config: pytest.Config, report: RunReport, exit_status: int) -> None:
    """Write the results; a problem with that is one line, not the end of pytest."""
    try:
        report.finish(exit_status)
    except AksnetError as error:
        config.issue_config_time_warning(pytest.PytestWarning(str(error)), 2)


def show_inconclusive(
    terminal: pytest.TerminalReporter, reports: Sequence[pytest.TestReport]
) -> None:
    """What pytest's own summary does not list: it knows no inconclusive outcome."""
    if not reports or terminal.no_summary:
        return
    terminal.section("INCONCLUSIVE: could not look, so neither passed nor failed", yellow=True)
    for report in reports:
        terminal.write_sep("_", report.head_line or report.nodeid, yellow=True, bold=True)
        terminal.write_line(str(report.longrepr))
    terminal.section("inconclusive checks", yellow=True)
    for report in reports:
        first_line = str(report.longrepr).partition("\n")[0]
        terminal.write("INCONCLUSIVE", yellow=True)
        terminal.write_line(f" {report.nodeid} - {first_line}")


def show_azure(
    terminal: pytest.TerminalReporter,
    reports: Sequence[pytest.TestReport],
    scopes: Sequence[str],
) -> None:
    """What more access to Azure would show, once for all skipped checks.

    `scopes` are the subscriptions of the cluster, as far as they are known.
    """
    access = azure_access(_skipped(reports), scopes)
    if access is None or terminal.no_summary:
        return
    if access.would_add:
        terminal.section("what Azure would add", yellow=True)
        terminal.write_line(one_line(not_asked_line(access)))
        terminal.write_line(one_line(", ".join(access.would_add)))
    if access.missing:
        terminal.section("missing permissions in Azure", yellow=True)
        for line in permission_lines(access):
            terminal.write_line(clean(line))


def _skipped(reports: Sequence[pytest.TestReport]) -> Iterator[Skipped]:
    for report in reports:
        known = properties_of(report)
        if known.get("skip") in (Skip.AZURE_NOT_ASKED.value, Skip.AZURE_FORBIDDEN.value):
            actions = known.get("missing_actions", "")
            yield Skipped(
                check=known.get("id", report.nodeid),
                skip=Skip(known["skip"]),
                reason=known.get("reason", ""),
                actions=tuple(actions.split(", ")) if actions else (),
            )


def show_files(terminal: pytest.TerminalReporter, report: RunReport) -> None:
    """What got worse, what came of truth tables, and where the report lies."""
    results = report.results
    if results is None:
        return
    worse = results.summary.worse_than_baseline
    if worse:
        terminal.section("worse than the baseline", red=True)
        for entry in worse:
            terminal.write_line(
                f"{entry.check}: {entry.before.value} before, {entry.now.value} now"
                f" - {entry.reason}"
            )
    tables = results.policy_tables
    if tables is not None:
        terminal.section(f"truth tables of NetworkPolicies, engine {', '.join(tables.engines)}")
        for line in summary_lines(tables):
            terminal.write_line(line)
    where = os.path.relpath(report.report_dir, terminal.config.invocation_params.dir)
    label = f" of the embedded lab ({report.lab})" if report.lab else ""
    terminal.write_line(f"aksnet: report{label} of run {report.run_id} in {where}/")
