"""Waiting for what happens a moment later."""

import time
from collections.abc import Callable

_PATIENCE_S = 10.0


def until(condition: Callable[[], object]) -> None:
    """Return as soon as the condition holds; fail where it never does."""
    deadline = time.monotonic() + _PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it never happened"
        time.sleep(0.01)
