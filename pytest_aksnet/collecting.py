"""Hooks of collection: which tests there are on this cluster, and which of them can run.

Loaded in every pytest run: imports nothing but pytest and our glue.
"""

from collections.abc import Generator

import pytest

from pytest_aksnet.fixtures import SESSION_KEY
from pytest_aksnet.options import POLICY_CASES, SETTINGS_KEY
from pytest_aksnet.run_state import (
    NODE_FIXTURES,
    controls_of,
    is_ours,
    is_worker,
    needs_cluster,
    refuse,
    session_of,
)

COLLECTION_ERROR_KEY = pytest.StashKey[str]()
# Whoever measures bandwidth holds a Lease: several would only wait for one another.
# Truth tables are worked off ahead by sets of pods that one process has.
_ALONE = {"iperf": "aksnet-bandwidth", "policy_table": "aksnet-policy-tables"}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Parametrise node, node_pair and node_pool over the real nodes, sorted by name."""
    wanted = [name for name in NODE_FIXTURES if name in metafunc.fixturenames]
    if not wanted:
        return
    from pytest_aksnet.model.errors import AksnetError

    for name in wanted:
        try:
            parameters = session_of(metafunc.config).parameters(name)
        except AksnetError as error:
            # Raised here it would be a collection error with a traceback; it is raised in one
            # line once it is known that the test was not deselected.
            metafunc.config.stash[COLLECTION_ERROR_KEY] = str(error)
            parameters = [("no-cluster", None)]
        values = [pytest.param(value, id=identifier) for identifier, value in parameters]
        metafunc.parametrize(name, values or [pytest.param(None, id="one-node")])


@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> Generator[None, None, None]:
    """Refuse wrong markers among all tests, and a missing cluster for those that are left."""
    ours = any(is_ours(item) for item in items)
    if ours:
        from pytest_aksnet.collection import read_markers

        if is_worker(config):
            config.option.loadgroup = False  # else xdist puts the group into the node ids
        try:
            read_markers(items, controls_of(config))
        except pytest.UsageError as error:
            refuse(config, str(error), items)
        _leave_cases_out(config, items)
    result = yield
    if any(needs_cluster(item) for item in items):
        from pytest_aksnet.model.errors import AksnetError

        try:
            session_of(config).connect()
        except AksnetError as error:
            refuse(config, str(error), items)
        if COLLECTION_ERROR_KEY in config.stash:
            refuse(config, config.stash[COLLECTION_ERROR_KEY], items)
        else:
            _preflight(config, items)
            _queue_tables(config, items)
    if ours and is_worker(config):
        _tell_groups(config, items)
    return result


def _leave_cases_out(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect the policy cases that --aksnet-policy-cases leaves out."""
    which = config.stash[SETTINGS_KEY].policy_cases
    if which == POLICY_CASES[0]:
        return
    from pytest_aksnet.policy_sessions import left_out

    if out := left_out(items, which):
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def _queue_tables(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tell the session which policy cases will be asked for: they are worked off ahead."""
    wanted = [
        item
        for item in items
        if "policy_table" in getattr(item, "fixturenames", ())
        and not any(item.iter_markers("skip"))
    ]
    if wanted:
        from pytest_aksnet.policy_sessions import queue_of

        session_of(config).policy_queue = queue_of(wanted)


def _preflight(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Skip what cannot run here; refuse the run where nothing is left."""
    from pytest_aksnet.selection import leave_out

    nothing_left = leave_out(items, session_of(config))
    if nothing_left and not (config.stash[SETTINGS_KEY].plan or config.option.collectonly):
        refuse(config, nothing_left, items)


def _tell_groups(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Tell the controller which tests run one after another: it hands them to one worker."""
    from pytest_aksnet.needs import fixtures_of

    groups: dict[str, str] = {}
    for item in items:
        if not any(item.iter_markers("xdist_group")):
            for fixture in set(_ALONE).intersection(fixtures_of(item)):
                item.add_marker(pytest.mark.xdist_group(_ALONE[fixture]))
        names = {_group(mark) for mark in item.iter_markers("xdist_group")}
        if names:
            groups[item.nodeid] = "_".join(sorted(names))
    if groups:
        session_of(config).shared.alone(groups)


def _group(mark: pytest.Mark) -> str:
    return str(mark.args[0] if mark.args else mark.kwargs.get("name", "default"))


def pytest_report_collectionfinish(config: pytest.Config) -> list[str]:
    """Say which nodes take part, and what this user may not."""
    session = config.stash.get(SESSION_KEY, None)
    if session is None or not session.is_connected or config.stash[SETTINGS_KEY].plan:
        return []
    from pytest_aksnet.report.redaction import one_line
    from pytest_aksnet.selection import cluster_lines

    lines = cluster_lines(session.settings, session.opening, session.need, session.found)
    return [f"aksnet: {one_line(line)}" for line in lines]
