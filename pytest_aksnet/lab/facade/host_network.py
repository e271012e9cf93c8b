"""What a node shows that its host-network pods have to show as well.

A mount on a node is not seen in its pods, which have mounts of their own: whoever puts something in
place on a node does it here, and pods that come later get it too.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from pytest_aksnet.lab.contracts import Sandbox

Change = Callable[[Sandbox], Awaitable[None]]


class Facade(Protocol):
    """One thing that host-network pods are shown of their node."""

    async def add_host_network_pod(self, node: str, pod: Sandbox) -> None:
        """Show it to a new pod."""
        ...

    def forget_pod(self, node: str, pod: Sandbox) -> None:
        """The pod ends."""
        ...


class NodeViews:
    """What is in place on each node, in the node and in its host-network pods."""

    def __init__(self, machines: Mapping[str, Sandbox]) -> None:
        self._machines = machines
        self._pods: dict[str, list[Sandbox]] = {}
        self._shown: dict[str, dict[str, Change]] = {}

    async def add_host_network_pod(self, node: str, pod: Sandbox) -> None:
        """Show it all to a new pod. Raises OSError."""
        self._pods.setdefault(node, []).append(pod)
        for show in self._shown.get(node, {}).values():
            await show(pod)

    def forget_pod(self, node: str, pod: Sandbox) -> None:
        """The pod ends. Harmless for pods never added."""
        if pod in self._pods.get(node, []):
            self._pods[node].remove(pod)

    async def show(self, node: str, what: str, change: Change) -> None:
        """Put something in place; harmless where `what` is there already. Raises OSError."""
        if what in self._shown.setdefault(node, {}):
            return
        self._shown[node][what] = change
        await self._everywhere(node, change)

    async def hide(self, node: str, what: str, change: Change) -> None:
        """Take it away by `change`; harmless where it is not there. Raises OSError."""
        if self._shown.get(node, {}).pop(what, None) is not None:
            await self._everywhere(node, change)

    def shows(self, node: str, what: str) -> bool:
        """Whether it is in place."""
        return what in self._shown.get(node, {})

    async def _everywhere(self, node: str, change: Change) -> None:
        sandboxes = [self._machines[node], *self._pods.get(node, [])]
        await asyncio.gather(*map(change, sandboxes))


class Facades:
    """Several as one."""

    def __init__(self, *facades: Facade) -> None:
        self._facades = facades

    async def add_host_network_pod(self, node: str, pod: Sandbox) -> None:
        """Show them all to a new pod."""
        for facade in self._facades:
            await facade.add_host_network_pod(node, pod)

    def forget_pod(self, node: str, pod: Sandbox) -> None:
        """The pod ends."""
        for facade in self._facades:
            facade.forget_pod(node, pod)
