"""What tests of several folders stand on."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path

import pytest

from tests.plugin.mini_cluster import MiniCluster


@pytest.fixture
def mini() -> Iterator[MiniCluster]:
    server = MiniCluster()
    yield server
    server.stop()


_END_TO_END = Path(__file__).parent / "e2e"
# Each of their tests has a lab of its own; those of the other files share what they start.
_ONE_BY_ONE = (_END_TO_END / "test_faults.py",)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Have every xdist worker begin with some of the end-to-end tests, which mostly wait.

    At the end of the run, where they would stand else, they leave the machine idle for minutes. A
    worker's first share of `--dist worksteal` is an equal part of the items, in their order.
    """
    workers = getattr(config, "workerinput", {}).get("workercount", 1)
    long = [item for item in items if item.path.parent == _END_TO_END]
    if workers == 1 or not long:
        return
    hands: list[list[pytest.Item]] = [[] for _ in range(workers)]
    files = [list(tests) for _, tests in groupby(long, key=lambda item: item.path)]
    units = [
        unit
        for tests in files
        for unit in ([[one] for one in tests] if tests[0].path in _ONE_BY_ONE else [tests])
    ]
    for number, unit in enumerate(units):
        hands[number % workers] += unit
    rest = [item for item in items if item.path.parent != _END_TO_END]
    ordered: list[pytest.Item] = []
    for number, hand in enumerate(hands):
        share = (len(items) - len(ordered)) // (workers - number)
        taken = max(share - len(hand), 0)
        ordered += hand + rest[:taken]
        rest = rest[taken:]
    items[:] = ordered + rest
