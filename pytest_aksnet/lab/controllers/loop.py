"""The shape that all control loops share: watch some resources, take changes in batches, act.

Changes that arrive while a loop acts are one batch afterwards, which is how many changes become
one act.
"""

import logging
from collections.abc import Sequence

from pytest_aksnet.lab.api.journal import Change
from pytest_aksnet.lab.api.resources import Resource
from pytest_aksnet.lab.api.store import Store

_log = logging.getLogger(__name__)


class ControlLoop:
    """Base of the control loops: set `watched`, implement `handle`, run `run` as a task."""

    watched: tuple[Resource, ...] = ()

    def __init__(self, store: Store) -> None:
        self.store = store

    def handle(self, changes: Sequence[Change]) -> None:
        """Act on a batch of changes; the first one holds all that was there."""
        raise NotImplementedError

    async def run(self) -> None:
        """Watch until cancelled. A batch that fails is reported and the loop goes on."""
        subscription = self.store.subscribe(*self.watched)
        try:
            while changes := await subscription.batch():
                try:
                    self.handle(changes)
                except Exception:
                    # One bad object must not stop the cluster; the traceback is the lab's stderr.
                    _log.exception("%s failed on a batch of changes", type(self).__name__)
        finally:
            subscription.close()
