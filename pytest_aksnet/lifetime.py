"""What one test has created and how long it lives, the engine that judges for it, and its leave.

The factories put everything here; the fixture `aksnet_test` ends it.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from pytest_aksnet.model.errors import EnvironmentProblem
from pytest_aksnet.model.record import CheckOutcome
from pytest_aksnet.needs import Need
from pytest_aksnet.outcomes import CheckState
from pytest_aksnet.session import AksnetSession

if TYPE_CHECKING:
    from pytest_aksnet.cluster.lease import Lease


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
        """Skip the test where this run or this cluster does not allow the class of actions."""
        __tracebackhide__ = True
        why = self.session.why_not(Need(actions=frozenset({action})))
        if why:
            pytest.skip(why)

    def created(self, what: str, remove: Callable[[], None]) -> None:
        """Remember how to remove an object when the test ends."""
        self._created.append((what, remove))

    def lock_bandwidth(self) -> None:
        """Wait until nobody else on this cluster measures, and keep it so until the test ends.

        Raises EnvironmentProblem where the Lease for that cannot be used.
        """
        lease = self.session.bandwidth_lease()
        lease.take(lambda holder: None)
        self._locks.callback(self._unlock, lease)

    def close(self) -> None:
        """Remove what the test created, the last first, or keep it as --aksnet-keep says."""
        self._locks.close()
        keep = self.session.settings.keep
        good = self._state.outcome in (CheckOutcome.PASSED, CheckOutcome.SKIPPED)
        if keep == "always" or (keep == "failed" and not good):
            if self._created:
                self.session.shared.kept([what for what, _ in self._created])
            return
        with ExitStack() as removals:  # each is tried although another fails
            for what, remove in self._created:
                removals.callback(self._remove, what, remove)

    def _unlock(self, lease: "Lease") -> None:
        if lease.lost:
            self._state.note(f"somebody else may have measured at the same time: {lease.lost}")
        if problem := lease.release():
            self._state.note(problem)

    def _remove(self, what: str, remove: Callable[[], None]) -> None:
        """Remove one object. What the API server does not remove now goes with its namespace."""
        try:
            remove()
        except EnvironmentProblem as problem:
            self._state.note(f"{what} is left to the end of the run's namespaces: {problem}")
