"""What the hooks of one pytest process keep and ask of one another: stash keys, the session, words.

Loaded in every pytest run: imports nothing but pytest and the option table.
"""

import os
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_aksnet.fixtures import SESSION_KEY
from pytest_aksnet.options import SETTINGS_KEY, Settings

if TYPE_CHECKING:
    from pytest_aksnet.interrupts import Interrupts
    from pytest_aksnet.lab_process import LabProcess
    from pytest_aksnet.model.controls import Controls
    from pytest_aksnet.report.run import RunReport
    from pytest_aksnet.session import AksnetSession
    from pytest_aksnet.whole_run import WholeRun

MARKER = "aksnet"
# The fixture that all of ours rest on, and those that stand for nodes until a cluster is known.
# Projects have fixtures named `node` of their own: only these names say that a test is ours.
SESSION_FIXTURE = "aksnet_session"
# Tests of pods that are there already: they create nothing, not even the run's Lease.
READ_ONLY = "running-pods"
NODE_FIXTURES = ("aksnet_node", "aksnet_node_pair", "aksnet_node_pool")

RUN_ID_KEY = pytest.StashKey[str]()
LAB_KEY: "pytest.StashKey[LabProcess]" = pytest.StashKey()
REPORT_KEY: "pytest.StashKey[RunReport]" = pytest.StashKey()
RUN_KEY: "pytest.StashKey[WholeRun]" = pytest.StashKey()
INTERRUPTS_KEY: "pytest.StashKey[Interrupts]" = pytest.StashKey()
CALLED_OFF_KEY = pytest.StashKey[list[object]]()
CONTROLS_KEY: "pytest.StashKey[Controls]" = pytest.StashKey()
_making_session = threading.Lock()


def is_worker(config: pytest.Config) -> bool:
    """Whether this process is a worker of xdist."""
    return hasattr(config, "workerinput")


def handed_over(config: pytest.Config) -> Mapping[str, str]:
    """What the xdist controller handed to this worker; empty elsewhere."""
    handed = getattr(config, "workerinput", {}).get("aksnet", {})
    return handed if isinstance(handed, dict) else {}


def is_ours(item: pytest.Item) -> bool:
    """Whether a test is a check, or uses the cluster."""
    return needs_cluster(item) or item.get_closest_marker(MARKER) is not None


def needs_cluster(item: pytest.Item) -> bool:
    """Whether a test uses the cluster."""
    # What is parametrised directly is no fixture any more, and no longer asks for the session.
    names = getattr(item, "fixturenames", ())
    return any(name in names for name in (SESSION_FIXTURE, *NODE_FIXTURES))


def changes_cluster(nodeid: str) -> bool:
    """Whether a test of that id, if it uses the cluster, may create something there."""
    return not nodeid.startswith(f"{READ_ONLY}::")


def controls_of(config: pytest.Config) -> "Controls":
    """The controls that checks prove, read when first asked for. Raises pytest.UsageError."""
    if CONTROLS_KEY not in config.stash:
        from pytest_aksnet.control_file import read_controls
        from pytest_aksnet.model.errors import SettingsError

        try:
            config.stash[CONTROLS_KEY] = read_controls(config.stash[SETTINGS_KEY].controls)
        except SettingsError as error:
            raise pytest.UsageError(str(error)) from error
    return config.stash[CONTROLS_KEY]


def begin_redaction(settings: Settings) -> None:
    """From now on show and write placeholders for the ids of subscriptions and tenants."""
    from pytest_aksnet.report.redaction import hide_subscriptions
    from pytest_aksnet.report.subscriptions import SubscriptionNames

    names = SubscriptionNames(
        tenants=[os.environ.get("AZURE_TENANT_ID", "")],
        subscriptions=[os.environ.get("AZURE_SUBSCRIPTION_ID", "")],
    )
    names.hide(settings.resource_id or "")
    hide_subscriptions(names)


def session_of(config: pytest.Config) -> "AksnetSession":
    """The session of this process, made when first asked for, by whatever thread."""
    with _making_session:
        if SESSION_KEY not in config.stash:
            config.stash[SESSION_KEY] = _make_session(config)
    return config.stash[SESSION_KEY]


def _make_session(config: pytest.Config) -> "AksnetSession":
    from pytest_aksnet.interrupts import Interrupts
    from pytest_aksnet.session import AksnetSession

    settings, run_id = config.stash[SETTINGS_KEY], config.stash[RUN_ID_KEY]
    config.stash[INTERRUPTS_KEY] = interrupts = Interrupts()
    interrupts.install()
    if is_worker(config):
        from pytest_aksnet.shared_client import RemoteShared

        config.pluginmanager.register(interrupts, "aksnet-interrupts")

        handed = handed_over(config)
        written = handed.get("report_dir")
        return AksnetSession(
            settings=settings,
            run_id=run_id,
            worker=str(vars(config)["workerinput"]["workerid"]),
            shared=RemoteShared(handed["door"], bytes.fromhex(handed["key"])),
            report_dir=Path(written) if written else settings.report_dir,
        )
    from pytest_aksnet.shared_local import LocalShared
    from pytest_aksnet.whole_run import WholeRun

    report_dir, lab = settings.report_dir, config.stash.get(LAB_KEY, None)
    shared = LocalShared(settings, run_id, lab, report_dir)
    session = AksnetSession(
        settings=settings, run_id=run_id, worker="", shared=shared, report_dir=report_dir
    )
    config.stash[RUN_KEY] = WholeRun(session, shared)
    return session


def begin_run(config: pytest.Config) -> None:
    """Let no other run on the cluster be disturbed: before the first test, in the controller."""
    if is_worker(config) or config.option.collectonly:
        return
    from pytest_aksnet.model.errors import AksnetError
    from pytest_aksnet.report.redaction import one_line

    session_of(config)
    interrupts = config.stash[INTERRUPTS_KEY]
    interrupts.install()  # by whatever thread the session was made
    if not config.pluginmanager.is_registered(interrupts):
        config.pluginmanager.register(interrupts, "aksnet-interrupts")
    reporter = config.pluginmanager.get_plugin("terminalreporter")

    def say(text: str) -> None:
        if reporter is not None:
            reporter.ensure_newline()
            reporter.write_line(f"aksnet: {one_line(text)}", flush=True)

    try:
        config.stash[RUN_KEY].begin(say)
    except AksnetError as error:
        refuse(config, str(error))


def begin_results(config: pytest.Config) -> None:
    """Begin results.jsonl, before the first test."""
    report = config.stash.get(REPORT_KEY, None)
    if report is not None:
        report.begin()


def refuse(config: pytest.Config, message: str, items: list[pytest.Item] | None = None) -> None:
    """End the run with a usage error, and without a report over the last run's.

    An xdist worker that raised would show as a crash: it tells the controller, which raises.
    """
    from pytest_aksnet.report.redaction import clean

    message = clean(message)
    if is_worker(config) and items is not None:
        items.clear()
        output: dict[str, object] = vars(config)["workeroutput"]
        output["aksnet"] = {"usage_error": message}
        return
    if REPORT_KEY in config.stash:
        from pytest_aksnet.reporting import call_off_report

        del config.stash[REPORT_KEY]
        config.stash[CALLED_OFF_KEY] = call_off_report(config)
    raise pytest.UsageError(message)


def say_problems(problems: Sequence[str]) -> None:
    """Name what is left to do by hand. The words may be an API server's or a webhook's."""
    if not problems:
        return
    from pytest_aksnet.report.redaction import one_line

    for problem in problems:
        sys.stderr.write(f"aksnet: {one_line(problem)}\n")
