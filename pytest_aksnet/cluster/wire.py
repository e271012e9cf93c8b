"""A WebSocket client connection on asyncio: the library's sans-I/O protocol on one transport.

Owns bytes in both directions, flow control, and the question whether the other side still lives.
It ends at the server's close frame and does not wait for the server to close TCP as well, which
the library's own connection does. Used on one loop only.
"""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.frames import Close, Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import OPEN

from pytest_aksnet.cluster.experience import Experience

# Seconds of silence after which the server is pinged, and after which the path counts as dead: a
# live server answers a ping in milliseconds, also while the command in the pod says nothing.
PING_AFTER_S = 1.0
DEAD_AFTER_S = 4.0
_BUFFER_LIMIT = 4 * 1024 * 1024
_PIPE_SIZE = 64 * 1024


class WireEnded(Exception):
    """The connection has ended; `close` is the server's close frame, None where there was none.

    `silent`: it was given up because no sign of life came any more.
    """

    def __init__(self, detail: str, close: Close | None = None, *, silent: bool = False) -> None:
        super().__init__(detail)
        self.close = close
        self.silent = silent


class Wire(asyncio.Protocol):
    """One connection. `shake_hands` first, then `receive` and `send`, then `abort`."""

    def __init__(self, protocol: ClientProtocol, experience: Experience) -> None:
        self._protocol = protocol
        self._experience = experience
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._messages: deque[bytes] = deque()
        self._fragments: list[bytes] = []
        self._buffered = 0
        self._paused = False
        self._full = False
        self._upgraded = False
        self._ended: WireEnded | None = None
        self._waiters: set[asyncio.Future[None]] = set()
        self._heard_at = self._loop.time()
        self._sent = self._taken = 0
        self._watch: asyncio.TimerHandle | None = None

    @property
    def subprotocol(self) -> str:
        """What the server chose; empty where it chose nothing."""
        return str(self._protocol.subprotocol or "")

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The TLS connection, None where there is none."""
        found = self._transport.get_extra_info("ssl_object") if self._transport else None
        return found if isinstance(found, ssl.SSLObject) else None

    async def shake_hands(self, request: Request) -> None:
        """Send the request and wait for the answer.

        Raises InvalidStatus (an answer other than 101, with headers and body), InvalidHandshake or
        WireEnded.
        """
        self._protocol.send_request(request)
        self._flush()
        while not self._upgraded:
            if isinstance(self._protocol.handshake_exc, InvalidStatus):
                raise self._protocol.handshake_exc
            if self._ended is not None:
                raise self._ended
            if self._protocol.handshake_exc is not None:
                raise self._protocol.handshake_exc
            await self._change()
        if not self._experience.pings_answered:
            self._ping()  # so that it is known early whether silence will mean anything
        self._look_for_life()

    async def receive(self) -> bytes:
        """The next whole message. Raises WireEnded behind the last one."""
        while not self._messages:
            if self._ended is not None:
                raise self._ended
            await self._change()
        message = self._messages.popleft()
        self._buffered -= len(message)
        if self._paused and self._buffered <= _BUFFER_LIMIT // 2 and self._transport is not None:
            self._paused = False
            self._heard_at = self._loop.time()
            self._transport.resume_reading()
        return message

    async def send(self, message: bytes) -> None:
        """Send one binary message; waits while the other side takes nothing. Raises WireEnded."""
        self._check_open()
        self._sent += len(message)
        self._protocol.send_binary(message)
        self._flush()
        while self._full:
            self._check_open()
            await self._change()
        self._check_open()

    def abort(self) -> None:
        """Say goodbye if that is still possible, and close the socket at once."""
        if self._protocol.state is OPEN:
            self._protocol.send_close(1000)
            self._flush()
        self._end(WireEnded("closed by this side"))
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self._heard_at = self._loop.time()
        self._feed(lambda: self._protocol.receive_data(data))

    def eof_received(self) -> None:
        """Called by asyncio. The transport then closes by itself."""
        self._feed(self._protocol.receive_eof)

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by asyncio."""
        self._feed(self._protocol.receive_eof)
        self._end(WireEnded(str(exc) if exc is not None else "the connection was closed"))

    def pause_writing(self) -> None:
        """Called by asyncio."""
        self._full = True

    def resume_writing(self) -> None:
        """Called by asyncio."""
        self._full = False
        self._wake()

    def _feed(self, give: Callable[[], None]) -> None:
        give()
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                self._take(event)
            elif self._protocol.handshake_exc is None:
                self._upgraded = True
        self._flush()
        if self._protocol.parser_exc is not None and self._ended is None:
            self._end(WireEnded(str(self._protocol.parser_exc) or "the stream broke off"))
        self._wake()

    def _take(self, frame: Frame) -> None:
        if frame.opcode is Opcode.CLOSE:
            self._end(WireEnded("closed by the server", self._protocol.close_rcvd))
        elif frame.opcode is Opcode.PONG:
            self._taken = int.from_bytes(frame.data, "big")
            self._experience.pings_answered = True
        elif frame.opcode in (Opcode.BINARY, Opcode.TEXT, Opcode.CONT):
            self._fragments.append(bytes(frame.data))
            if frame.fin:
                message = b"".join(self._fragments)
                self._fragments.clear()
                self._messages.append(message)
                self._buffered += len(message)
                if self._buffered > _BUFFER_LIMIT and not self._paused and self._transport:
                    self._paused = True
                    self._transport.pause_reading()

    def _flush(self) -> None:
        assert self._transport is not None
        for data in self._protocol.data_to_send():
            if data and not self._transport.is_closing():
                self._transport.write(data)

    def _look_for_life(self) -> None:
        """Ping a silent server; give it up when it stays silent."""
        if self._ended is not None or self._protocol.state is not OPEN:
            return
        if self._paused:
            self._heard_at = self._loop.time()  # it is this side that does not read
        silent = self._loop.time() - self._heard_at
        if (
            silent >= DEAD_AFTER_S
            and self._experience.pings_answered
            and not self._may_be_stuffed()
        ):
            detail = f"the path went silent: for {silent:.0f} s not even a ping was answered"
            self._end(WireEnded(detail, silent=True))
            return
        if silent >= PING_AFTER_S:
            self._ping()
        due = [at - silent for at in (PING_AFTER_S, DEAD_AFTER_S) if at > silent]
        self._watch = self._loop.call_later(min([PING_AFTER_S, *due]), self._look_for_life)

    def _ping(self) -> None:
        self._protocol.send_ping(self._sent.to_bytes(8, "big"))
        self._flush()

    def _may_be_stuffed(self) -> bool:
        """Whether the server may see no pings because the command takes none of its input.

        A pong says that everything sent before its ping was passed on. What a pipe holds is always
        passed on.
        """
        return self._sent > _PIPE_SIZE and self._sent > self._taken

    def _end(self, ended: WireEnded) -> None:
        if self._ended is None:
            self._ended = ended
        if self._watch is not None:
            self._watch.cancel()
        self._wake()

    def _check_open(self) -> None:
        if self._ended is not None:
            raise self._ended
        if self._protocol.state is not OPEN:
            raise WireEnded("the stream is closed")

    async def _change(self) -> None:
        """Wait until something has happened."""
        waiter = self._loop.create_future()
        self._waiters.add(waiter)
        try:
            await waiter
        finally:
            self._waiters.discard(waiter)

    def _wake(self) -> None:
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
