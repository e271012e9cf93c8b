"""A bench of each mode for tests of source addresses: two pods on one node, one on another."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from pytest_aksnet.lab.options import MODES
from tests.lab.network_bench import Bench


def each_mode(*quick: str) -> list[Any]:
    """Parameters: every mode, thorough but for the quick ones."""
    return [
        pytest.param(mode, marks=[] if mode in quick else [pytest.mark.thorough]) for mode in MODES
    ]


@contextmanager
def source_bench(mode: str) -> Iterator[Bench]:
    """Pods "pod" and "neighbour" on the first node, "remote" on the second one."""
    made = Bench(mode)
    made.add_pod("pod", 0)
    made.add_pod("neighbour", 0)
    made.add_pod("remote", 1)
    yield made
    made.close()
