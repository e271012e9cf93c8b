"""The hooks that other plugins and conftest files may implement."""

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_aksnet.model.record import CheckRecord


@pytest.hookspec
def pytest_aksnet_check_finished(config: pytest.Config, record: "CheckRecord") -> None:
    """A check has ended and its line is in results.jsonl, if this run writes a report.

    Called in the process that ran the check (with xdist: the worker), once per check; where that
    worker has died, in the controller.
    """
