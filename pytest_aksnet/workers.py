"""Hooks of runs with xdist: what workers are handed, what they leave, and what a lost one leaves.

Loaded in every pytest run: imports nothing but pytest and our glue.
"""

import os
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Protocol

import pytest

from pytest_aksnet.fixtures import SESSION_KEY
from pytest_aksnet.options import SETTINGS_KEY
from pytest_aksnet.run_state import (
    REPORT_KEY,
    RUN_ID_KEY,
    RUN_KEY,
    begin_results,
    begin_run,
    changes_cluster,
    is_worker,
    refuse,
    say_problems,
    session_of,
)

if TYPE_CHECKING:
    from xdist.remote import Producer

    from pytest_aksnet.scheduling import GroupedScheduling

WORKER_LOST_KEY = pytest.StashKey[bool]()
CLUSTER_SAID_KEY = pytest.StashKey[bool]()
_DOOR_KEY: "pytest.StashKey[_Door]" = pytest.StashKey()


class Gateway(Protocol):
    """The part of execnet's gateway that is used here."""

    id: str


class WorkerNode(Protocol):
    """The part of xdist's worker controller that is used here."""

    config: pytest.Config
    gateway: Gateway
    workerinput: dict[str, object]


class _Door:
    """Where workers ask for what they share. What serves it is loaded when the first one comes."""

    def __init__(self, config: pytest.Config) -> None:
        import socket
        import threading

        self.name = f"aksnet-{os.urandom(16).hex()}"
        self.key = os.urandom(32)
        self._config = config
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.bind(f"\0{self.name}")
        self._socket.listen()
        self._thread = threading.Thread(target=self._wait, name="aksnet-door", daemon=True)
        self._thread.start()

    def _wait(self) -> None:
        try:
            first, _ = self._socket.accept()
        except OSError:
            return
        from pytest_aksnet.shared_server import serve

        serve(first, self._socket, self.key, lambda: session_of(self._config).shared)

    def close(self) -> None:
        """Let nobody in any more."""
        import socket

        self._socket.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._socket.close()


def pytest_configure(config: pytest.Config) -> None:
    """Run with -n alone as with --dist loadgroup, where the run is ours."""
    given = config.known_args_namespace
    named = getattr(given, "dist", "no") != "no" or getattr(given, "distload", False)
    if (
        not is_worker(config)
        and not named
        and getattr(config.option, "dist", "no") == "load"
        and config.stash[SETTINGS_KEY].report_dir is not None
    ):
        config.option.dist = "loadgroup"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(
    config: pytest.Config, log: "Producer"
) -> "GroupedScheduling | None":
    """Keep groups of tests together without their names in the node ids."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from pytest_aksnet.scheduling import GroupedScheduling

    return GroupedScheduling(config, log, lambda: _groups(config))


def _groups(config: pytest.Config) -> dict[str, str] | None:
    """The group of each test that has one; None where no test of this run is ours."""
    run = config.stash.get(RUN_KEY, None)
    return run.shared.groups if run is not None else None


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerNode) -> None:
    """Tell an xdist worker which run it belongs to, and where to ask for what it shares."""
    config = node.config
    if _DOOR_KEY not in config.stash:
        config.stash[_DOOR_KEY] = _Door(config)
    door = config.stash[_DOOR_KEY]
    handed = {"run_id": config.stash[RUN_ID_KEY], "door": door.name, "key": door.key.hex()}
    report = config.stash.get(REPORT_KEY, None)
    if report is not None:
        handed["report_dir"] = str(report.report_dir)
    node.workerinput["aksnet"] = handed


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: WorkerNode, ids: Sequence[str]) -> None:
    """Take the run's Lease and begin results.jsonl before xdist hands out the first test."""
    if ids:
        if SESSION_KEY in node.config.stash:
            _say_cluster(node.config)
            if any(map(changes_cluster, ids)):
                begin_run(node.config)
        begin_results(node.config)


def _say_cluster(config: pytest.Config) -> None:
    """Say once what a run without workers says as soon as its tests are collected."""
    shared = config.stash[RUN_KEY].shared
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if CLUSTER_SAID_KEY in config.stash or reporter is None or not shared.is_open:
        return
    config.stash[CLUSTER_SAID_KEY] = True
    from pytest_aksnet.report.redaction import one_line
    from pytest_aksnet.selection import cluster_lines

    reporter.ensure_newline()
    settings = config.stash[SETTINGS_KEY]
    for line in cluster_lines(settings, shared.opening(), shared.need, shared.found):
        reporter.write_line(f"aksnet: {one_line(line)}")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: WorkerNode, error: object) -> None:
    """Take what a worker has to say; end the run where it found that it cannot be used."""
    if error:
        node.config.stash[WORKER_LOST_KEY] = True
    said = getattr(node, "workeroutput", {}).get("aksnet", {})
    if "usage_error" in said:
        refuse(node.config, said["usage_error"])
    report = node.config.stash.get(REPORT_KEY, None)
    if report is not None and "retries" in said:
        from pytest_aksnet.reporting import count_retries

        count_retries(report, said["retries"])
    say_problems(said.get("problems", ()))


@pytest.hookimpl(optionalhook=True)
def pytest_handlecrashitem(crashitem: str, report: pytest.TestReport) -> None:
    """Keep a record of the check whose worker died: nothing was found out, and that is said."""
    node: WorkerNode = vars(report)["node"]
    run = node.config.stash.get(RUN_KEY, None)
    if run is None:
        return
    why = f"the worker {node.gateway.id} crashed while this check ran"
    record = run.shared.crashed(node.gateway.id, crashitem, why)
    if record is not None:
        from pytest_aksnet.outcomes import show_crash

        target = node.config.stash[SETTINGS_KEY].target
        vars(report)["aksnet_end"] = show_crash(report, record, target)
        node.config.hook.pytest_aksnet_check_finished(config=node.config, record=record)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> Generator[None]:
    """Give the check whose worker died the end that it did not have, once all have its report."""
    yield
    end = vars(report).pop("aksnet_end", None)
    if end is not None:
        vars(end)["node"].config.hook.pytest_runtest_logreport(report=end)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Close the door."""
    if _DOOR_KEY in config.stash:
        config.stash[_DOOR_KEY].close()
