"""The health probes of the load balancer, from 168.63.129.16 as in Azure, or by IPv6 from fe80::.

Azure asks every 5 s and counts two answers; here the period is short and the first answer counts,
so that a node leaves the rotation within a second and comes back by itself.
"""

import asyncio
import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pytest_aksnet.lab.kernel.syscalls import in_netns
from pytest_aksnet.lab.network.load_balancer import ProbeTarget

_PERIOD_SECONDS = 0.2
_SILENCE_SECONDS = 0.6  # a loaded machine answers late; a node that says nothing is out by then
_PROBES_PER_SECOND = 60  # each leaves a socket in TIME_WAIT for a minute
_REQUEST = b"GET /healthz HTTP/1.1\r\nHost: %s\r\nUser-Agent: Load Balancer Agent\r\n\r\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeAddress:
    """From where to where a target is asked.

    `scope` is empty for IPv4, flow and interface index for IPv6.
    """

    source: str
    node: str
    scope: tuple[int, ...] = ()


class Prober:
    """Asks each target again and again, one task per target, on the running event loop.

    `changed` is called, in the loop, when a target's answer differs from the last.
    """

    def __init__(
        self,
        *,
        netns_fd: int,
        address_of: Callable[[ProbeTarget], ProbeAddress],
        changed: Callable[[], None],
    ) -> None:
        self._netns_fd = netns_fd
        self._address_of = address_of
        self._changed = changed
        self._expected: dict[ProbeTarget, bool] = {}
        self._answers: dict[ProbeTarget, bool] = {}
        self._tasks: dict[ProbeTarget, asyncio.Task[None]] = {}
        self._running = False

    def healthy(self, target: ProbeTarget) -> bool:
        """The last answer of a target; before the first one, what was expected of it."""
        return self._answers.get(target, False)

    def set_targets(self, targets: Mapping[ProbeTarget, bool]) -> None:
        """Probe exactly these. A new one counts as its expected answer until it has answered.

        Where the expectation changes, the target is asked at once.
        """
        for target in list(self._tasks):
            if targets.get(target) != self._expected.get(target):
                self._tasks.pop(target).cancel()
        self._expected = dict(targets)
        self._answers = {
            target: self._answers.get(target, expected) for target, expected in targets.items()
        }
        if self._running:
            self._follow()

    async def start(self) -> None:
        """Begin to probe."""
        self._running = True
        self._follow()

    async def close(self) -> None:
        """Stop; answers stay as they are."""
        self._running = False
        tasks = list(self._tasks.values())
        self._tasks.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _follow(self) -> None:
        loop = asyncio.get_running_loop()
        for target in self._answers.keys() - self._tasks.keys():
            self._tasks[target] = loop.create_task(self._watch(target))

    async def _watch(self, target: ProbeTarget) -> None:
        while True:
            answer = await self._ask(target)
            if answer != self._answers.get(target):
                self._answers[target] = answer
                self._changed()
            await asyncio.sleep(max(_PERIOD_SECONDS, len(self._tasks) / _PROBES_PER_SECOND))

    async def _ask(self, target: ProbeTarget) -> bool:
        loop = asyncio.get_running_loop()
        way = self._address_of(target)
        family = socket.AF_INET if target.version == 4 else socket.AF_INET6
        try:
            with in_netns(self._netns_fd):
                client = socket.socket(family, socket.SOCK_STREAM)
            with client:
                client.setblocking(False)
                client.bind((way.source, 0, *way.scope))
                async with asyncio.timeout(_SILENCE_SECONDS):
                    await loop.sock_connect(client, (way.node, target.port))
                    if not target.http:
                        return True
                    await loop.sock_sendall(client, _REQUEST % way.node.encode())
                    answer = await loop.sock_recv(client, 4096)
        except (OSError, TimeoutError):
            return False
        return answer.split(b" ", 2)[1:2] == [b"200"]
