"""Connections to the internet that a program on a node opens and never closes."""

import asyncio
import socket
from collections.abc import Mapping

from pytest_aksnet.lab.contracts import Sandbox
from pytest_aksnet.lab.platform_servers import INTERNET
from pytest_aksnet.lab.sockets import tcp_listener, tcp_socket

# A port of its own: the internet's HTTP server hangs up on who says nothing.
_PORT = 9000
_OPEN_SECONDS = 5.0
_AT_ONCE = 100


class Leaks:
    """Those of one lab, by node."""

    def __init__(self, machines: Mapping[str, Sandbox]) -> None:
        self._machines = machines
        self._server: asyncio.Server | None = None
        self._open: dict[str, list[socket.socket]] = {}

    async def open(self, node: str, host: str, count: int) -> None:
        """Have so many connections from the node to an address of the internet's host.

        Those for which there is no port are given up. Raises OSError.
        """
        if self._server is None:
            listener = tcp_listener(self._machines[INTERNET].netns_fd, port=_PORT)
            self._server = await asyncio.start_server(_hold, sock=listener)
        mine = self._open.setdefault(node, [])
        while len(mine) < count:
            some = [
                tcp_socket(self._machines[node].netns_fd)
                for _ in range(min(_AT_ONCE, count - len(mine)))
            ]
            mine += some
            async with asyncio.timeout(_OPEN_SECONDS):
                await asyncio.gather(*(_connect(one, host) for one in some))

    def close(self, node: str) -> None:
        """Close those of a node."""
        for one in self._open.pop(node, ()):
            one.close()


async def _hold(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def _connect(opened: socket.socket, host: str) -> None:
    try:
        await asyncio.get_running_loop().sock_connect(opened, (host, _PORT))
    except OSError:
        opened.close()
