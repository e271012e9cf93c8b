"""The glue between pytest and the rest: hooks only.

pytest imports this module in every run that has the plugin installed, so it imports nothing but
pytest, the option table and the hook specifications; everything else is imported inside functions,
once a test of ours, or an option of ours, is there.
"""

import os
import time
from collections.abc import Generator, Mapping

import pytest

from pytest_aksnet import collecting, fixtures, hookspecs, options, workers
from pytest_aksnet.fixtures import SESSION_KEY, STATE_KEY
from pytest_aksnet.options import SETTINGS_KEY, Settings
from pytest_aksnet.run_state import (
    CALLED_OFF_KEY,
    INTERRUPTS_KEY,
    LAB_KEY,
    MARKER,
    REPORT_KEY,
    RUN_ID_KEY,
    RUN_KEY,
    begin_results,
    begin_run,
    changes_cluster,
    controls_of,
    handed_over,
    is_ours,
    is_worker,
    needs_cluster,
    say_problems,
    session_of,
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    options.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare our hooks, and bring in our fixtures and the other hooks."""
    pluginmanager.add_hookspecs(hookspecs)
    pluginmanager.register(fixtures, "aksnet-fixtures")
    pluginmanager.register(collecting, "aksnet-collecting")
    pluginmanager.register(workers, "aksnet-workers")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Do what needs no test run, and keep a plan in one process."""
    if options.flag(config, "print-images"):
        from pytest_aksnet.commands import print_images

        return print_images(options.read_settings(config))
    if options.flag(config, "cleanup"):
        from pytest_aksnet.commands import cleanup

        return cleanup(options.read_settings(config))
    if options.flag(config, "plan") and config.pluginmanager.hasplugin("xdist"):
        config.option.numprocesses = 0
        config.option.dist = "no"
        config.option.tx = []
    return None


@pytest.hookimpl(tryfirst=True)  # before pytest-html and junitxml read where to write
def pytest_configure(config: pytest.Config) -> None:
    """Read the settings once; switch the reports on if this run writes them."""
    config.addinivalue_line(
        "markers",
        f"{MARKER}(id, feature, severity, controls, needs): a conformance check; its docstring "
        "is the sentence that the report prints",
    )
    settings = options.read_settings(config)
    config.stash[SETTINGS_KEY] = settings
    if settings.redact_subscriptions:
        from pytest_aksnet.run_state import begin_redaction

        begin_redaction(settings)
    if settings.controls is not None:
        controls_of(config)  # what is wrong with the file is said before anything begins
    if settings.policies is not None or settings.policy_pods:
        from pytest_aksnet.own_policies import collect_too

        collect_too(config, settings)
    handed = handed_over(config)
    config.stash[RUN_ID_KEY] = handed.get("run_id") or _new_run_id()
    writes = not settings.plan and not config.option.collectonly
    if settings.report_dir is not None and writes and not is_worker(config):
        from pytest_aksnet.reporting import start_report

        run_id = config.stash[RUN_ID_KEY]
        config.stash[REPORT_KEY] = start_report(config, settings, run_id, controls_of(config))


def _new_run_id() -> str:
    """A name for this run that fits into Kubernetes labels and sorts by time (UTC)."""
    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + os.urandom(2).hex()


@pytest.hookimpl(tryfirst=True)  # before xdist starts its workers, which takes as long as a lab
def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the lab, in the controller only; it gets ready while pytest collects."""
    settings = session.config.stash[SETTINGS_KEY]
    if settings.is_lab and not is_worker(session.config):
        from pytest_aksnet.lab_process import LabProcess

        session.config.stash[LAB_KEY] = LabProcess.start(
            settings.lab_mode,
            settings.lab_engine,
            settings.lab_faults,
            spec_file=settings.lab_spec,
        )


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which network this run is about, if it is about one."""
    settings = config.stash[SETTINGS_KEY]
    run_id = config.stash[RUN_ID_KEY]
    if settings.is_lab:
        spec = f" of {settings.lab_spec}" if settings.lab_spec else ""
        faults = f", faults: {', '.join(settings.lab_faults)}" if settings.lab_faults else ""
        return [f"aksnet: run {run_id}, {settings.target}{spec}{faults}, no live cluster"]
    if settings.kubeconfig or settings.context:
        return [f"aksnet: run {run_id}"]
    return []


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """With --aksnet-plan: say what would be done, and do nothing."""
    settings: Settings = session.config.stash[SETTINGS_KEY]
    if not settings.plan:
        if not session.config.pluginmanager.hasplugin("dsession"):
            if any(needs_cluster(one) and changes_cluster(one.nodeid) for one in session.items):
                begin_run(session.config)
            begin_results(session.config)
        return None
    from pytest_aksnet.plan import plan_lines
    from pytest_aksnet.report.redaction import visible

    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        ours = [item for item in session.items if is_ours(item)]
        reporter.section("plan: nothing is created, nothing counts as passed")
        for line in plan_lines(ours, session.config.stash.get(SESSION_KEY, None)):
            reporter.write_line(visible(line))
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Keep the record of a test of ours around all its phases."""
    if not is_ours(item):
        return (yield)
    from pytest_aksnet.outcomes import CheckState

    session = session_of(item.config)
    target = item.config.stash[SETTINGS_KEY].target
    state = CheckState(item, session.recorder, target, session.retries)
    item.stash[STATE_KEY] = state
    will = state.will()
    if will is not None:
        session.begin_check(will)
    try:
        return (yield)
    finally:
        record = state.finish()
        if record is not None:
            session.keep_record(record)
            item.config.hook.pytest_aksnet_check_finished(config=item.config, record=record)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Give inconclusive its own outcome, and our errors their own words."""
    report = yield
    state = item.stash.get(STATE_KEY, None)
    if state is not None:
        state.observe(item, report, call.excinfo)
    return report


@pytest.hookimpl(tryfirst=True)
def pytest_report_teststatus(
    report: pytest.CollectReport | pytest.TestReport,
) -> tuple[str, str, tuple[str, Mapping[str, bool]]] | None:
    """Count inconclusive checks apart from failures, and what a test does wrong as an error."""
    match getattr(report, "aksnet_outcome", ""):
        case "inconclusive":
            return "inconclusive", "?", ("INCONCLUSIVE", {"yellow": True})
        case "error":
            return "error", "E", ("ERROR", {"red": True})
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what pytest's own summary leaves out."""
    inconclusive = terminalreporter.stats.get("inconclusive", [])
    stash = terminalreporter.config.stash
    report, run = stash.get(REPORT_KEY, None), stash.get(RUN_KEY, None)
    if run is not None:
        from pytest_aksnet.reporting import show_azure

        show_azure(terminalreporter, terminalreporter.stats.get("skipped", []), run.azure_scopes)
    if inconclusive or report is not None:
        from pytest_aksnet.reporting import show_files, show_inconclusive

        show_inconclusive(terminalreporter, inconclusive)
        if report is not None:
            show_files(terminalreporter, report)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remove what the run created, and write the results; a worker only says its last words."""
    config = session.config
    aksnet = config.stash.get(SESSION_KEY, None)
    if is_worker(config):
        output: dict[str, object] = vars(config)["workeroutput"]
        if aksnet is not None:
            with config.stash[INTERRUPTS_KEY].cleaning():
                aksnet.settle()
                aksnet.close()
            from pytest_aksnet.reporting import packed_retries

            packed = packed_retries(aksnet.retries_elsewhere())
            output.setdefault("aksnet", {"retries": packed})
        return
    report = config.stash.get(REPORT_KEY, None)
    if aksnet is not None:
        run = config.stash[RUN_KEY]
        with config.stash[INTERRUPTS_KEY].cleaning() as hurry:
            aksnet.settle()
            problems = run.end(hurry, lost=workers.WORKER_LOST_KEY in config.stash)
            aksnet.close()
        say_problems(problems)
        if report is not None:
            run.tell(report)
    if report is not None:
        from pytest_aksnet.reporting import finish_report

        lab = config.stash.get(LAB_KEY, None)
        if lab is not None and lab.files is not None:
            report.learn_lab(lab.files.about)
        finish_report(config, report, int(exitstatus))


@pytest.hookimpl(tryfirst=True)  # before junitxml, which insists that its writer is registered
def pytest_unconfigure(config: pytest.Config) -> None:
    """End the lab and what holds for this run alone; give back the writers called off."""
    for writer in config.stash.get(CALLED_OFF_KEY, []):
        config.pluginmanager.register(writer)
    lab = config.stash.get(LAB_KEY, None)
    if lab is not None:
        lab.stop()
    if INTERRUPTS_KEY in config.stash:
        config.stash[INTERRUPTS_KEY].restore()
    if SETTINGS_KEY in config.stash and config.stash[SETTINGS_KEY].redact_subscriptions:
        from pytest_aksnet.report.redaction import hide_subscriptions

        hide_subscriptions(None)
