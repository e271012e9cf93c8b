"""How tests go to workers with --dist loadgroup: xdist's way, and what it lacks.

Groups come from the workers instead of from node ids, and a test that crashed its worker is not
given to the next one. Loaded by runs with --dist loadgroup only.
"""

from collections.abc import Callable, Mapping

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadGroupScheduling
from xdist.workermanage import WorkerController

Groups = Callable[[], Mapping[str, str] | None]


class GroupedScheduling(LoadGroupScheduling):  # type: ignore[misc]
    """`groups` gives the group of each test that has one, None where the run is not ours."""

    def __init__(self, config: pytest.Config, log: Producer, groups: Groups) -> None:
        super().__init__(config, log)
        self._groups = groups

    def _split_scope(self, nodeid: str) -> str:
        group = (self._groups() or {}).get(nodeid)
        return group if group is not None else str(super()._split_scope(nodeid))

    def _reschedule(self, node: WorkerController) -> None:
        """Give a worker more work, so that it goes on.

        It begins a test only once it has the next one, or is told that there is none.
        """
        if self._groups() is None:
            super()._reschedule(node)
            return
        if node not in self.registered_collections:  # it takes the place of one that was lost
            return
        super()._reschedule(node)
        while not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
            super()._reschedule(node)

    def remove_node(self, node: WorkerController) -> str | None:
        """Take the work of a worker back, but for the test that it died of, which is returned."""
        if self._groups() is None:
            crashed: str | None = super().remove_node(node)
            return crashed
        workload = self.assigned_work.pop(node)
        left = [(scope, unit) for scope, unit in workload.items() if not all(unit.values())]
        if not left:
            return None
        unit = left[0][1]
        crashed = next(nodeid for nodeid, completed in unit.items() if not completed)
        unit[crashed] = True
        self.workqueue.update((scope, unit) for scope, unit in left if not all(unit.values()))
        for other in self.assigned_work:
            self._reschedule(other)
        return crashed
