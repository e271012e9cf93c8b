"""A way between the API server and its clients that takes time.

Owns the delay lines of connections: whatever comes or goes is handed on in its order, each piece
half a round trip after it came, so that a far server is late and no less fast. A new connection
pays two round trips more, for the handshakes of TCP and TLS (RFC 8446: one round trip each). The
routes of the lab itself, /lab/v1, are near. What is under way on a line is not bounded: it is what
comes within half a round trip.
"""

import asyncio
import re
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any

from aiohttp import web

from pytest_aksnet.lab.api.trouble import Kind, Trouble

_HANDSHAKES = 2
_REQUEST = re.compile(rb"[A-Z]+ (/lab/)?")

_Data = bytes | bytearray | memoryview


class _Line:
    """Does what it is told in that order, each as late as it is told."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[float, Callable[[], None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._last = 0.0

    @property
    def empty(self) -> bool:
        """Whether nothing is under way."""
        return not self._waiting

    def put(self, late: float, action: Callable[[], None]) -> None:
        """Do it `late` seconds from now, and never before what was put earlier."""
        loop = asyncio.get_running_loop()
        self._last = max(loop.time() + late, self._last)
        self._waiting.append((self._last, action))
        if self._timer is None:
            self._timer = loop.call_at(self._last, self._due)

    def clear(self) -> None:
        """Lose what is under way."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        # One at a time: the server's tasks run between data and the end of the connection.
        _, action = self._waiting.popleft()
        self._timer = None
        if self._waiting:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_at(self._waiting[0][0], self._due)
        action()


class _FarTransport(asyncio.Transport):
    """The server's end of a connection."""

    def __init__(self, real: asyncio.Transport, way: "Way") -> None:
        super().__init__()
        self._real = real
        self._way = way
        self._out = _Line()
        self.closed_here = False

    def lost(self) -> None:
        """The client has gone: nothing gets to it any more."""
        self._out.clear()

    def write(self, data: _Data) -> None:
        late = self._way.late()
        if not late and self._out.empty:
            self._real.write(data)
        else:
            kept = bytes(data)
            self._out.put(late, lambda: self._real.write(kept))

    def writelines(self, list_of_data: Iterable[_Data]) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        self.closed_here = True
        if self._out.empty:
            self._real.close()
        else:
            self._out.put(0, self._real.close)

    def abort(self) -> None:
        self.closed_here = True
        self._out.clear()
        self._real.abort()

    def is_closing(self) -> bool:
        return self.closed_here or self._real.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._real.get_extra_info(name, default)

    def pause_reading(self) -> None:
        self._real.pause_reading()

    def resume_reading(self) -> None:
        self._real.resume_reading()

    def is_reading(self) -> bool:
        return self._real.is_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self._real.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        return self._real.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        return self._real.get_write_buffer_limits()

    def get_protocol(self) -> asyncio.BaseProtocol:
        return self._way.server


class Way(asyncio.Protocol):
    """One connection of a client to `server`, as long a way as `trouble` says at each moment."""

    def __init__(self, server: asyncio.Protocol, trouble: Trouble) -> None:
        self.server = server
        self._trouble = trouble
        self._in = _Line()
        self._near = False
        self._transport: _FarTransport | None = None

    def late(self) -> float:
        """Seconds that a piece takes in one direction now."""
        return 0.0 if self._near else self._trouble.value(Kind.ROUND_TRIP) / 2

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A client is there; its first words are still under way."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = _FarTransport(transport, self)
        self.server.connection_made(self._transport)
        late = self.late()
        if late:
            self._in.put((2 * _HANDSHAKES + 1) * late, lambda: None)

    def data_received(self, data: bytes) -> None:
        """Hand on what the client said."""
        request = _REQUEST.match(data)
        if request is not None:
            self._near = request[1] is not None
        if self._near:
            self._in.clear()
        late = self.late()
        if not late and self._in.empty:
            self.server.data_received(data)
        else:
            self._in.put(late, lambda: self.server.data_received(data))

    def connection_lost(self, exc: Exception | None) -> None:
        """The client has gone; the server learns it behind all that was under way."""
        assert self._transport is not None
        self._transport.lost()
        if self._transport.closed_here:
            self._in.clear()
        if self._in.empty:
            self.server.connection_lost(exc)
        else:
            self._in.put(0, lambda: self.server.connection_lost(exc))

    def pause_writing(self) -> None:
        """The client takes no more for now."""
        self.server.pause_writing()

    def resume_writing(self) -> None:
        """The client takes more."""
        self.server.resume_writing()


class FarSite(web.SockSite):
    """A listening socket whose clients are as far as `trouble` says."""

    def __init__(self, runner: web.AppRunner, trouble: Trouble, *args: Any, **options: Any) -> None:
        super().__init__(runner, *args, **options)
        self._trouble = trouble

    async def start(self) -> None:
        """Listen."""
        await web.BaseSite.start(self)
        server = self._runner.server
        assert server is not None
        self._server = await asyncio.get_running_loop().create_server(
            lambda: Way(server(), self._trouble),
            sock=self._sock,
            ssl=self._ssl_context,
            backlog=self._backlog,
        )
