"""The API server towards its clients: its listening sockets, and their end and return.

Owns the sockets of one application. What a restart looks like from outside: all connections end at
once, some with RST; new ones are refused for a while; afterwards nothing is remembered of the
changes before (facts of a real server: SIGKILL ends every stream within milliseconds, and it is
ready again after 1.9 s).
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence

from aiohttp import web

from pytest_aksnet.lab.api.context import CONTEXT
from pytest_aksnet.lab.api.round_trip import FarSite
from pytest_aksnet.lab.api.stream_trouble import reset_on_close

_DOWN_SECONDS = (0.6, 1.4)


class Front:
    """Serves an application on sockets that are bound already.

    The sockets are bound to ports that were asked for by number, and stay open while the server is
    down, so that their ports stay its own. Connections with a request to /lab/v1 under way are not
    the API server's and live on.
    """

    def __init__(
        self, app: web.Application, listeners: Sequence[socket.socket], tls: ssl.SSLContext
    ) -> None:
        self._app = app
        self._listeners = listeners
        self._tls = tls
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        self._sites: list[web.SockSite] = []

    async def start(self) -> None:
        """Serve."""
        await self._runner.setup()
        await self._open()

    async def _open(self) -> None:
        self._sites = [
            FarSite(self._runner, self._app[CONTEXT].trouble, listener.dup(), ssl_context=self._tls)
            for listener in self._listeners
        ]
        for site in self._sites:
            await site.start()

    async def restart(self) -> None:
        """Go down, and come back about a second later, even if this is cancelled meanwhile."""
        context = self._app[CONTEXT]
        random = context.trouble.random
        try:
            for site in self._sites:
                await site.stop()
            for listener in self._listeners:
                # The kernel refuses connections until it listens again. Its port stays its own
                # because it was asked for by number.
                listener.shutdown(socket.SHUT_RDWR)
            self._drop_connections()
            context.store.journal.forget(context.store.version)
            await asyncio.sleep(random.uniform(*_DOWN_SECONDS))
        finally:
            self._drop_connections()  # those that were shaking hands
            await self._open()

    def _drop_connections(self) -> None:
        context = self._app[CONTEXT]
        server = self._runner.server
        assert server is not None
        for connection in server.connections:
            transport = connection.transport
            if transport is None or transport in context.own_connections:
                continue
            if context.trouble.random.random() < 0.5:
                reset_on_close(transport)
            transport.abort()
