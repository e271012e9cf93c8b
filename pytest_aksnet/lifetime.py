"""What one test has created and how long it lives, the engine that judges for it, and its leave.

The factories put everything here; the fixture `aksnet_test` ends it.
"""

import fcntl
import os
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from pytest_aksnet.collection import forbidden
from pytest_aksnet.model.record import CheckOutcome
from pytest_aksnet.outcomes import CheckState
from pytest_aksnet.session import AksnetSession


class TestScope:
    """What one test has created, and the engine that judges for it."""

    __test__ = False  # pytest: this is no test class

    def __init__(self, session: AksnetSession, state: CheckState) -> None:
        self.session = session
        self.engine = session.engine()
        self._state = state
        self._created: list[tuple[str, Callable[[], None]]] = []
        self._locks = ExitStack()
        self.never_ready: set[str] = set()

    def require(self, action: str) -> None:
        """Skip the test where this run does not allow the class of actions."""
        __tracebackhide__ = True
        if action not in self.session.settings.allowed:
            pytest.skip(forbidden(action))

    def created(self, what: str, remove: Callable[[], None]) -> None:
        """Remember how to remove an object when the test ends."""
        self._created.append((what, remove))

    def lock_bandwidth(self) -> None:
        """Wait until no other process of this run measures, and keep it so until the test ends.

        The lock is on a directory that all of them see: no file is written, and the kernel
        gives it back when a process dies.
        """
        descriptor = os.open(self.session.lock_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._locks.callback(os.close, descriptor)
        fcntl.flock(descriptor, fcntl.LOCK_EX)

    def close(self) -> None:
        """Remove what the test created, the last first, or keep it as --aksnet-keep says."""
        self._locks.close()
        keep = self.session.settings.keep
        good = self._state.outcome in (CheckOutcome.PASSED, CheckOutcome.SKIPPED)
        if keep == "always" or (keep == "failed" and not good):
            self.session.kept += [what for what, _ in self._created]
            return
        with ExitStack() as removals:  # each is tried although another fails
            for _, remove in self._created:
                removals.callback(remove)
