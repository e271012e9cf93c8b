"""Runs of pytest inside a test: in this process where that shows the same, which is faster."""

import pytest

# Loaded here once: a run in this process forgets at its end what it was the first to load.
import pytest_aksnet.cluster.exec
import pytest_aksnet.cluster.facts
import pytest_aksnet.cluster.scope
import pytest_aksnet.cluster.view
import pytest_aksnet.commands
import pytest_aksnet.factories
import pytest_aksnet.own_policies
import pytest_aksnet.plugin
import pytest_aksnet.reporting  # noqa: F401


def run_pytest(pytester: pytest.Pytester, *args: str) -> pytest.RunResult:
    """Run pytest with these arguments; with xdist's in a process of its own."""
    if any(arg.startswith("-n") for arg in args):
        return pytester.runpytest_subprocess(*args)
    return pytester.runpytest_inprocess(*args)
