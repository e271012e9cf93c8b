"""The glue between pytest and the rest: hooks only.

pytest imports this module in every run that has the plugin installed, so it imports nothing but
pytest, the option table and the hook specifications; everything else is imported inside functions,
once a test of ours, or an option of ours, is there.
"""

import os
import sys
import time
from collections.abc import Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

import pytest

from pytest_aksnet import fixtures, hookspecs, options
from pytest_aksnet.fixtures import SESSION_KEY, STATE_KEY
from pytest_aksnet.options import SETTINGS_KEY, Settings

if TYPE_CHECKING:
    from pytest_aksnet.lab_process import LabProcess
    from pytest_aksnet.report.run import RunReport
    from pytest_aksnet.session import AksnetSession

# The fixture that all of ours rest on, and those that stand for nodes until a cluster is known.
# Projects have fixtures named `node` of their own: only these names say that a test is ours.
SESSION_FIXTURE = "aksnet_session"
NODE_FIXTURES = ("aksnet_node", "aksnet_node_pair", "aksnet_node_pool")
MARKER = "aksnet"

RUN_ID_KEY = pytest.StashKey[str]()
LAB_KEY: "pytest.StashKey[LabProcess]" = pytest.StashKey()
REPORT_KEY: "pytest.StashKey[RunReport]" = pytest.StashKey()
CALLED_OFF_KEY = pytest.StashKey[list[object]]()
WORKER_LOST_KEY = pytest.StashKey[bool]()
COLLECTION_ERROR_KEY = pytest.StashKey[str]()


class WorkerNode(Protocol):
    """The part of xdist's worker controller that is used here."""

    config: pytest.Config
    workerinput: dict[str, object]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    options.add_options(parser)


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare our hooks, and bring in our fixtures."""
    pluginmanager.add_hookspecs(hookspecs)
    pluginmanager.register(fixtures, "aksnet-fixtures")


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
        f"{MARKER}(id, feature, severity, controls): a conformance check; its docstring is the "
        "sentence that the report prints",
    )
    settings = options.read_settings(config)
    config.stash[SETTINGS_KEY] = settings
    handed = _handed_over(config)
    config.stash[RUN_ID_KEY] = handed.get("run_id") or _new_run_id()
    writes = not settings.plan and not config.option.collectonly
    if settings.report_dir is not None and writes and not _is_worker(config):
        from pytest_aksnet.reporting import start_report

        config.stash[REPORT_KEY] = start_report(config, settings, config.stash[RUN_ID_KEY])


def _new_run_id() -> str:
    """A name for this run that fits into Kubernetes labels and sorts by time (UTC)."""
    return time.strftime("%Y%m%d-%H%M%S-", time.gmtime()) + os.urandom(2).hex()


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def _handed_over(config: pytest.Config) -> Mapping[str, str]:
    """What the xdist controller handed to this worker; empty elsewhere."""
    handed = getattr(config, "workerinput", {}).get("aksnet", {})
    return handed if isinstance(handed, dict) else {}


@pytest.hookimpl(tryfirst=True)  # before xdist starts its workers, which takes as long as a lab
def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the lab, in the controller only; it gets ready while pytest collects."""
    settings = session.config.stash[SETTINGS_KEY]
    if settings.is_lab and not _is_worker(session.config):
        from pytest_aksnet.lab_process import LabProcess

        session.config.stash[LAB_KEY] = LabProcess.start(
            settings.lab_mode, settings.lab_engine, settings.lab_faults
        )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerNode) -> None:
    """Hand the run and the lab to an xdist worker."""
    handed = {"run_id": node.config.stash[RUN_ID_KEY]}
    report = node.config.stash.get(REPORT_KEY, None)
    if report is not None:
        handed["report_dir"] = str(report.report_dir)
    lab = node.config.stash.get(LAB_KEY, None)
    if lab is not None:
        from pytest_aksnet.model.errors import AksnetError

        try:
            files = lab.wait_ready()
        except AksnetError as error:
            raise pytest.UsageError(str(error)) from error
        handed |= {"kubeconfig": str(files.kubeconfig), "site": str(files.site)}
    node.workerinput["aksnet"] = handed


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerNode, error: object) -> None:
    """Take what an xdist worker has learnt; end the run where it found it cannot be used."""
    if error:
        node.config.stash[WORKER_LOST_KEY] = True
    learnt = getattr(node, "workeroutput", {}).get("aksnet", {})
    if "usage_error" in learnt:
        _refuse(node.config, learnt["usage_error"])
    report = node.config.stash.get(REPORT_KEY, None)
    if report is not None and "cluster" in learnt:
        from pytest_aksnet.reporting import learn

        learn(report, learnt)
    for problem in learnt.get("problems", ()):
        sys.stderr.write(f"aksnet: {problem}\n")


def pytest_report_header(config: pytest.Config) -> list[str]:
    """Say which network this run is about, if it is about one."""
    settings = config.stash[SETTINGS_KEY]
    run_id = config.stash[RUN_ID_KEY]
    if settings.is_lab:
        faults = f", faults: {', '.join(settings.lab_faults)}" if settings.lab_faults else ""
        return [f"aksnet: run {run_id}, {settings.target}{faults}, no live cluster"]
    if settings.kubeconfig or settings.context:
        return [f"aksnet: run {run_id}"]
    return []


def _is_ours(item: pytest.Item) -> bool:
    return (
        SESSION_FIXTURE in getattr(item, "fixturenames", ())
        or item.get_closest_marker(MARKER) is not None
    )


def _session(config: pytest.Config) -> "AksnetSession":
    """The session of this process, connected. Raises SettingsError or EnvironmentProblem."""
    session = config.stash.get(SESSION_KEY, None)
    if session is None:
        from pytest_aksnet.session import AksnetSession

        session = AksnetSession(
            settings=config.stash[SETTINGS_KEY],
            run_id=config.stash[RUN_ID_KEY],
            worker=getattr(config, "workerinput", {}).get("workerid", ""),
            lab=config.stash.get(LAB_KEY, None),
            handed_over=_handed_over(config),
            lock_dir=config.rootpath,
        )
        config.stash[SESSION_KEY] = session
    return session


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise node, node_pair and node_pool over the real nodes, sorted by name."""
    wanted = [name for name in NODE_FIXTURES if name in metafunc.fixturenames]
    if not wanted:
        return
    from pytest_aksnet.model.errors import AksnetError

    for name in wanted:
        try:
            parameters = _session(metafunc.config).parameters(name)
        except AksnetError as error:
            # Raised here it would be a collection error with a traceback; it is raised in one
            # line once it is known that the test was not deselected.
            metafunc.config.stash[COLLECTION_ERROR_KEY] = str(error)
            parameters = [("no-cluster", None)]
        values = [pytest.param(value, id=identifier) for identifier, value in parameters]
        alone = pytest.mark.skip(reason="needs two nodes that take part; there is one")
        metafunc.parametrize(name, values or [pytest.param(None, id="one-node", marks=alone)])


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, None, None]:
    """Refuse wrong markers among all tests, and a missing cluster for those that are left."""
    if any(_is_ours(item) for item in items):
        from pytest_aksnet.collection import read_markers

        try:
            read_markers(items)
        except pytest.UsageError as error:
            _refuse(config, str(error), items)
    result = yield
    if any(SESSION_FIXTURE in getattr(item, "fixturenames", ()) for item in items):
        from pytest_aksnet.model.errors import AksnetError

        try:
            _session(config).connect()
        except AksnetError as error:
            _refuse(config, str(error), items)
        if COLLECTION_ERROR_KEY in config.stash:
            _refuse(config, config.stash[COLLECTION_ERROR_KEY], items)
    return result


def _refuse(config: pytest.Config, message: str, items: list[pytest.Item] | None = None) -> None:
    """End the run with a usage error, and without a report over the last run's.

    An xdist worker that raised would show as a crash: it tells the controller, which raises.
    """
    if _is_worker(config) and items is not None:
        items.clear()
        output: dict[str, object] = vars(config)["workeroutput"]
        output["aksnet"] = {"usage_error": message}
        return
    if REPORT_KEY in config.stash:
        from pytest_aksnet.reporting import call_off_report

        del config.stash[REPORT_KEY]
        config.stash[CALLED_OFF_KEY] = call_off_report(config)
    raise pytest.UsageError(message)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: WorkerNode, ids: Sequence[str]) -> None:
    """Begin results.jsonl before xdist hands out the first test."""
    if ids:
        _begin_results(node.config)


def _begin_results(config: pytest.Config) -> None:
    report = config.stash.get(REPORT_KEY, None)
    if report is not None:
        report.begin()


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """With --aksnet-plan: say what would be done, and do nothing."""
    settings: Settings = session.config.stash[SETTINGS_KEY]
    if not settings.plan:
        if not session.config.pluginmanager.hasplugin("dsession"):
            _begin_results(session.config)
        return None
    from pytest_aksnet.collection import plan_lines

    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        ours = [item for item in session.items if _is_ours(item)]
        reporter.section("plan: nothing is created, nothing counts as passed")
        for line in plan_lines(ours, settings):
            reporter.write_line(line)
    return True


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Keep the record of a test of ours around all its phases."""
    if not _is_ours(item):
        return (yield)
    from pytest_aksnet.outcomes import CheckState

    session = _session(item.config)
    state = CheckState(item, session.recorder, item.config.stash[SETTINGS_KEY].target)
    item.stash[STATE_KEY] = state
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
    """Count inconclusive checks apart from failures, and problems of the environment as errors."""
    match getattr(report, "aksnet_outcome", ""):
        case "inconclusive":
            return "inconclusive", "?", ("INCONCLUSIVE", {"yellow": True})
        case "error":
            return "error", "E", ("ERROR", {"red": True})
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List what pytest's own summary leaves out."""
    inconclusive = terminalreporter.stats.get("inconclusive", [])
    report = terminalreporter.config.stash.get(REPORT_KEY, None)
    if inconclusive or report is not None:
        from pytest_aksnet.reporting import show_files, show_inconclusive

        show_inconclusive(terminalreporter, inconclusive)
        if report is not None:
            show_files(terminalreporter, report)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remove what this process created; write the results."""
    config = session.config
    aksnet = config.stash.get(SESSION_KEY, None)
    problems: list[str] = []
    if aksnet is not None:
        problems = aksnet.close()
    if _is_worker(config):
        output: dict[str, object] = vars(config)["workeroutput"]
        if aksnet is not None and "aksnet" not in output:
            output["aksnet"] = {**aksnet.learnt(), "problems": problems}
        return
    if WORKER_LOST_KEY in config.stash and config.stash[SETTINGS_KEY].report_dir is not None:
        problems += _session(config).sweep()
    for problem in problems:
        sys.stderr.write(f"aksnet: {problem}\n")
    report = config.stash.get(REPORT_KEY, None)
    if report is not None:
        from pytest_aksnet.reporting import finish_report, learn

        if aksnet is not None:
            learn(report, aksnet.learnt())
        finish_report(config, report, int(exitstatus))


@pytest.hookimpl(tryfirst=True)  # before junitxml, which insists that its writer is registered
def pytest_unconfigure(config: pytest.Config) -> None:
    """End the lab; give back the writers that were called off."""
    for writer in config.stash.get(CALLED_OFF_KEY, []):
        config.pluginmanager.register(writer)
    lab = config.stash.get(LAB_KEY, None)
    if lab is not None:
        lab.stop()
