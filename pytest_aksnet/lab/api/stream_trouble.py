"""The server's end of one stream, and what goes wrong on the way to the client.

Owns the frames of exec and attach from their channel and payload to the wire: late, cut within a
frame or between two, reset, half open, without their status or with a false one.
"""

import asyncio
import contextlib
import enum
import socket
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import WSMessage, WSMsgType, web

from pytest_aksnet.lab.api import framing
from pytest_aksnet.lab.api.framing import Protocol
from pytest_aksnet.lab.api.trouble import Kind, Trouble

_STATE_CHECK_SECONDS = 0.5
_ESTABLISHED = 1  # of TCP_INFO
# Output that comes this close to the end counts as the tail, which may be lost.
_TAIL_SECONDS = 0.05
_QUEUED_FRAMES = 256
_SOON, _LATE = 1.5, 50.0  # frames on average before a stream breaks


class Break(enum.Enum):
    """How a stream ends before its time."""

    WITHIN_FRAME = "the connection ends in the middle of a frame"
    BETWEEN_FRAMES = "the connection ends between two frames"
    RESET = "the connection is reset in the middle of a frame"
    HALF_OPEN = "the connection stays open and carries nothing any more"


_CUTS = (Break.WITHIN_FRAME, Break.BETWEEN_FRAMES, Break.RESET)


@dataclass(frozen=True, slots=True)
class _Frame:
    due: float
    channel: int
    payload: bytes


class Wire:
    """A stream to one client. With `trouble` None nothing goes wrong on it.

    `broken` says that nothing arrives at the client any more.
    """

    def __init__(
        self,
        frames: web.WebSocketResponse,
        request: web.Request,
        protocol: Protocol,
        trouble: Trouble | None,
    ) -> None:
        self.broken = False
        self._socket = frames
        self._request = request
        self._protocol = protocol
        self._trouble = trouble
        self._break: Break | None = None
        self._frames_left = 0
        self._half_open = False
        self._loses_output = False
        self._ended = False
        self._queue: asyncio.Queue[_Frame] = asyncio.Queue(_QUEUED_FRAMES)
        self._carrying: asyncio.Task[None] | None = None
        if trouble is not None:
            trouble.watch_over(self)
            for kind in (Kind.STREAM_CUT, Kind.STREAM_HALF_OPEN, Kind.OUTPUT_LOST):
                self._decide(trouble, kind)
            half = trouble.random.random() < 0.5
            self._frames_left = 1 + int(trouble.random.expovariate(1 / (_SOON if half else _LATE)))

    # -- trouble.Disturbable ---------------------------------------------------------------

    def strike(self, kind: Kind) -> None:
        """Trouble begins while the stream is open: it breaks at once, or not by this."""
        if self._trouble is None or self.broken or self._break is not None:
            return
        self._decide(self._trouble, kind)
        if self._break is not None:
            self._end_by(self._break, b"")

    def relieve(self, kind: Kind) -> None:
        """Trouble is over: a way that was half open does not know the connection any more."""
        if kind is Kind.STREAM_HALF_OPEN:
            if self._half_open:
                self._abort(reset=True)
            elif self._break is Break.HALF_OPEN:
                self._break = None
        elif kind is Kind.STREAM_CUT and self._break is not Break.HALF_OPEN:
            self._break = None

    def _decide(self, trouble: Trouble, kind: Kind) -> None:
        if kind is Kind.STREAM_CUT and trouble.strikes(kind):
            self._break = trouble.random.choice(_CUTS)
        elif kind is Kind.STREAM_HALF_OPEN and trouble.strikes(kind):
            self._break = Break.HALF_OPEN
        elif kind is Kind.OUTPUT_LOST:
            self._loses_output = trouble.strikes(kind)

    # -- frames ----------------------------------------------------------------------------

    async def messages(self) -> AsyncIterator[WSMessage]:
        """The client's frames until it goes; what it sends on a half-open way is not seen."""
        async for message in self._socket:
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                return
            if not self._half_open:
                yield message

    async def send(self, channel: int, payload: bytes) -> None:
        """Send a frame; nothing where the client has gone."""
        if self.broken or self._socket.closed:
            return
        late = 0.0 if self._trouble is None else self._trouble.latency()
        if channel == framing.STATUS:
            self._ended = True
        elif channel == framing.STDOUT and payload and self._loses_output:
            late = max(late, _TAIL_SECONDS)
        if not late and self._carrying is None:
            await self._transmit(channel, payload)
            return
        if self._carrying is None:
            self._carrying = asyncio.create_task(self._carry())
        due = asyncio.get_running_loop().time() + late
        await self._queue.put(_Frame(due, channel, payload))

    async def _carry(self) -> None:
        """Hand on late frames in their order."""
        loop = asyncio.get_running_loop()
        while True:
            frame = await self._queue.get()
            await asyncio.sleep(max(0.0, frame.due - loop.time()))
            lost = self._loses_output and self._ended and frame.channel == framing.STDOUT
            if not lost:
                await self._transmit(frame.channel, frame.payload)
            self._queue.task_done()

    async def _transmit(self, channel: int, payload: bytes) -> None:
        if self.broken or self._socket.closed:
            return
        if channel == framing.STATUS and self._trouble is not None:
            if self._trouble.strikes(Kind.STATUS_LOST):
                return
            if self._trouble.strikes(Kind.FALSE_SUCCESS):
                payload = framing.exit_status(self._protocol, [], 0) or payload
        encoded = self._protocol.encode(channel, payload)
        if self._break is not None and (self._frames_left <= 0 or channel == framing.STATUS):
            self._end_by(self._break, _raw(encoded))
            return
        self._frames_left -= 1
        try:
            if isinstance(encoded, str):
                await self._socket.send_str(encoded)
            else:
                await self._socket.send_bytes(encoded)
        except ConnectionError:
            self.broken = True

    async def close(self) -> None:
        """End the stream as it is to end: with a close frame, or not at all."""
        if self._carrying is not None:
            await self._queue.join()
            self._carrying.cancel()
        try:
            if self._half_open:
                await self._connection_ended()
            elif not self.broken:
                with contextlib.suppress(ConnectionError):
                    await self._socket.close()
        finally:
            if self._trouble is not None:
                self._trouble.leave(self)

    # -- the end before its time -----------------------------------------------------------

    def _end_by(self, how: Break, frame: bytes) -> None:
        self.broken = True
        transport = self._request.transport
        if transport is None:
            return
        if how is not Break.BETWEEN_FRAMES:
            transport.write(frame[: len(frame) // 2])
        if how is Break.HALF_OPEN:
            self._half_open = True
            if isinstance(transport, asyncio.ReadTransport):
                transport.pause_reading()
            return
        self._abort(reset=how is Break.RESET)

    def _abort(self, *, reset: bool) -> None:
        """End the connection without a close frame and without TLS's own farewell."""
        transport = self._request.transport
        if transport is None:
            return
        if reset:
            reset_on_close(transport)
        transport.abort()

    async def _connection_ended(self) -> None:
        """Wait until the client has given the connection up, or somebody has ended it here."""
        while (transport := self._request.transport) is not None and not transport.is_closing():
            connection = transport.get_extra_info("socket")
            state = connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
            if state != _ESTABLISHED:
                transport.abort()
                return
            await asyncio.sleep(_STATE_CHECK_SECONDS)


def reset_on_close(transport: asyncio.BaseTransport) -> None:
    """Have a TCP connection end with RST instead of FIN."""
    connection = transport.get_extra_info("socket")
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def _raw(encoded: bytes | str) -> bytes:
    """A frame as a WebSocket server writes it (RFC 6455): final, not masked."""
    payload = encoded.encode() if isinstance(encoded, str) else encoded
    opcode = WSMsgType.TEXT if isinstance(encoded, str) else WSMsgType.BINARY
    length = len(payload)
    if length < 126:
        head = struct.pack("!BB", 0x80 | opcode, length)
    elif length < 65536:
        head = struct.pack("!BBH", 0x80 | opcode, 126, length)
    else:
        head = struct.pack("!BBQ", 0x80 | opcode, 127, length)
    return head + payload
