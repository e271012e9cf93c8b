"""What a container says of itself: its state in the status of the pod, and its events."""

import asyncio
from collections.abc import Callable

from pytest_aksnet.lab.controllers.kubelet.pod_context import PodContext
from pytest_aksnet.lab.controllers.kubelet.status import ContainerState, waiting


class ContainerReport:
    """The `state` of one container: whoever writes to it calls `changed`.

    `on_change` is called then. `field_path` is the container's in the events of its pod.
    """

    def __init__(
        self, state: ContainerState, field_path: str, on_change: Callable[[], None]
    ) -> None:
        self.state = state
        self._field_path = field_path
        self._on_change = on_change
        self._moved = asyncio.Event()

    def changed(self) -> None:
        """Have the state published."""
        self._on_change()
        self._moved.set()
        self._moved = asyncio.Event()

    def waits(self, reason: str, message: str) -> None:
        """The container waits for this reason."""
        self.state.state = waiting(reason, message)
        self.changed()

    async def until_started(self) -> None:
        """Wait until its start is complete, startup probe included."""
        while not self.state.started:
            await self._moved.wait()

    def event(self, context: PodContext, kind: str, reason: str, message: str) -> None:
        """Record an event of the container; `kind` is NORMAL or WARNING."""
        context.events.record(context.pod, kind, reason, message, field_path=self._field_path)
