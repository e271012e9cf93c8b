"""What can be wrong with a node's kubelet: it is not heard, or late with its probes."""

import asyncio
import contextlib


class NodeLink:
    """Between one kubelet and the API server, and how late the kubelet is with its probes.

    `clock_ahead` is by how many seconds the kubelet's clock is ahead. Without `tunnel` the API
    server does not get through to the kubelet, which itself is heard.
    """

    def __init__(self) -> None:
        self.clock_ahead = 0.0
        self.tunnel = True
        self._open = asyncio.Event()
        self._open.set()
        self._lateness = 0.0
        self._other_pace = asyncio.Event()

    @property
    def up(self) -> bool:
        """Whether the kubelet is heard."""
        return self._open.is_set()

    def cut(self) -> None:
        """It is heard no more."""
        self._open.clear()

    def restore(self) -> None:
        """It is heard again."""
        self._open.set()

    async def wait(self) -> None:
        """Until it is heard."""
        await self._open.wait()

    def be_late(self, seconds: float) -> None:
        """By how many seconds each look of a probe comes late from now on."""
        self._lateness = seconds
        self._other_pace.set()
        self._other_pace = asyncio.Event()

    async def pause(self, seconds: float) -> None:
        """The time between two looks of a probe, longer by the lateness."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        while (left := begun + seconds + self._lateness - clock()) > 0:
            pace = self._other_pace
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await pace.wait()
