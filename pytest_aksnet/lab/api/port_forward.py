"""Port-forward over a WebSocket: plain channels (the Python client) and SPDY inside (kubectl).

Connections to the pod are the kubelet's. Source: k8s.io/kubelet and apimachinery portforward;
recordings of a real server.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable

from aiohttp import WSMsgType, web

from pytest_aksnet.lab.api import errors, exchange, spdy
from pytest_aksnet.lab.api.context import ApiContext
from pytest_aksnet.lab.api.resources import PODS
from pytest_aksnet.lab.api.routes import Target
from pytest_aksnet.lab.contracts import KubeletRefusal

_TUNNEL = "SPDY/3.1+portforward.k8s.io"
_CHANNELS = "v4.channel.k8s.io"
_CHUNK = 32768

Connect = Callable[[int], Awaitable[socket.socket]]


class _Refused(Exception):
    """Nothing listens on the pod's port; the text is the container runtime's."""


async def serve(context: ApiContext, request: web.Request, target: Target) -> web.StreamResponse:
    """Answer pods/portforward. Raises ApiError before the handshake."""
    pod = context.store.revision(PODS, target.name, target.namespace).value
    if not pod["spec"].get("nodeName"):
        raise errors.bad_request(f"pod {target.name} does not have a host assigned")
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise errors.bad_request("Upgrade request required")
    offered = [
        name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    ]

    async def connect(port: int) -> socket.socket:
        try:
            return await context.kubelet.connect(target.namespace, target.name, port)
        except OSError as error:
            why = os.strerror(error.errno or 0).lower()
            raise _Refused(
                f"error forwarding port {port} to pod {target.name}, uid : failed to execute "
                f"portforward in network namespace: failed to connect to localhost:{port} inside "
                f"namespace, IPv4: dial tcp4 127.0.0.1:{port}: connect: {why} "
            ) from error
        except KubeletRefusal as refusal:
            raise _Refused(refusal.text) from refusal

    if _TUNNEL in offered:
        chosen: tuple[str, ...] = (_TUNNEL,)
    elif _CHANNELS in offered:
        chosen = (_CHANNELS,)
    elif offered == [""]:
        chosen = ()
    else:
        return exchange.of_kubelet(403)
    ports = _ports(request) if chosen != (_TUNNEL,) else []
    frames = web.WebSocketResponse(protocols=chosen, compress=False, max_msg_size=0)
    await frames.prepare(request)
    if chosen == (_TUNNEL,):
        await _Tunnel(frames, connect).run()
    else:
        await _Channels(frames, connect, ports).run()
    await frames.close()
    return frames


def _ports(request: web.Request) -> list[int]:
    texts = [text for item in request.query.getall("ports", []) for text in item.split(",")]
    if not texts:
        raise errors.bad_request('query parameter "port" is required')
    if not all(text.isascii() and text.isdigit() and 0 < int(text) < 65536 for text in texts):
        raise errors.bad_request(f"unable to parse {','.join(texts)} as a port")
    return [int(text) for text in texts]


async def _copy_out(connection: socket.socket, send: Callable[[bytes], Awaitable[None]]) -> None:
    """What the pod sends, until it ends or breaks."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(ConnectionError):
        while chunk := await loop.sock_recv(connection, _CHUNK):
            await send(chunk)


class _Channels:
    """Two channels per port: its data, then what went wrong. Each begins with the port's number."""

    def __init__(self, frames: web.WebSocketResponse, connect: Connect, ports: list[int]) -> None:
        self._frames = frames
        self._connect = connect
        self._ports = ports
        self._open: dict[int, socket.socket] = {}

    async def run(self) -> None:
        """Carry until the client goes, or all ports have ended."""
        for index, port in enumerate(self._ports):
            for channel in (2 * index, 2 * index + 1):
                await self._send(channel, port.to_bytes(2, "little"))
        carrying = [
            asyncio.create_task(self._carry(index, port)) for index, port in enumerate(self._ports)
        ]
        reading = asyncio.create_task(self._read(carrying))
        try:
            await asyncio.gather(*carrying)
        finally:
            reading.cancel()
            for task in carrying:
                task.cancel()
            await asyncio.gather(reading, *carrying, return_exceptions=True)
            for connection in self._open.values():
                connection.close()

    async def _carry(self, index: int, port: int) -> None:
        try:
            connection = self._open[index] = await self._connect(port)
        except _Refused as refusal:
            await self._send(2 * index + 1, str(refusal).encode())
            return
        await _copy_out(connection, lambda chunk: self._send(2 * index, chunk))

    async def _read(self, carrying: "list[asyncio.Task[None]]") -> None:
        loop = asyncio.get_running_loop()
        async for message in self._frames:
            if message.type not in (WSMsgType.BINARY, WSMsgType.TEXT):
                break
            data = message.data if isinstance(message.data, bytes) else message.data.encode()
            index = data[0] // 2 if data else len(self._ports)
            while index < len(carrying) and index not in self._open and not carrying[index].done():
                await asyncio.sleep(0.001)
            if index in self._open:
                with contextlib.suppress(ConnectionError):
                    await loop.sock_sendall(self._open[index], data[1:])
        for task in carrying:
            task.cancel()

    async def _send(self, channel: int, payload: bytes) -> None:
        if not self._frames.closed:
            with contextlib.suppress(ConnectionError):
                await self._frames.send_bytes(bytes((channel,)) + payload)


class _Pair:
    """One forwarded connection: the stream of its errors, that of its data, and the pod's end."""

    def __init__(self) -> None:
        self.port = 0
        self.error_stream = 0
        self.data_stream = 0
        self.waiting: asyncio.Queue[bytes | None] = asyncio.Queue()
        self.carrying: asyncio.Task[None] | None = None


class _Tunnel:
    """SPDY in the messages of a WebSocket: any number of connections, one after the other."""

    def __init__(self, frames: web.WebSocketResponse, connect: Connect) -> None:
        self._frames = frames
        self._connect = connect
        self._spdy = spdy.SpdyConnection()
        self._pairs: dict[str, _Pair] = {}
        self._by_stream: dict[int, _Pair] = {}

    async def run(self) -> None:
        """Serve until the client goes, or says something that is no SPDY."""
        try:
            async for message in self._frames:
                if message.type is not WSMsgType.BINARY:
                    break
                for event in self._spdy.feed(message.data):
                    await self._take(event)
        except (ConnectionError, ValueError):
            pass
        finally:
            tasks = [pair.carrying for pair in self._pairs.values() if pair.carrying is not None]
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _take(self, event: spdy.Event) -> None:
        match event:
            case spdy.Opened():
                await self._open(event)
            case spdy.Data():
                pair = self._by_stream.get(event.stream)
                if pair is None or event.stream != pair.data_stream:
                    return
                if event.payload:
                    pair.waiting.put_nowait(event.payload)
                if event.last:
                    pair.waiting.put_nowait(None)
            case spdy.Reset():
                pair = self._by_stream.get(event.stream)
                if pair is not None and pair.carrying is not None:
                    pair.carrying.cancel()
            case spdy.Ping():
                await self._send(self._spdy.pong(event.number))

    async def _open(self, event: spdy.Opened) -> None:
        request = event.headers.get("requestid", "")
        pair = self._pairs.setdefault(request, _Pair())
        self._by_stream[event.stream] = pair
        await self._send(self._spdy.reply(event.stream))
        if event.headers.get("streamtype") == "error":
            pair.error_stream = event.stream
        else:
            pair.data_stream = event.stream
            pair.port = int(event.headers.get("port", "0"))
        if pair.error_stream and pair.data_stream and pair.carrying is None:
            pair.carrying = asyncio.create_task(self._carry(request, pair))

    async def _carry(self, request: str, pair: _Pair) -> None:
        try:
            connection = await self._connect(pair.port)
        except _Refused as refusal:
            await self._send(self._spdy.data(pair.error_stream, str(refusal).encode()))
        else:
            await self._both_ways(pair, connection)
        for stream in (pair.data_stream, pair.error_stream):
            await self._send(self._spdy.data(stream, b"", last=True))
            self._by_stream.pop(stream, None)
        self._pairs.pop(request, None)

    async def _both_ways(self, pair: _Pair, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()

        async def send(chunk: bytes) -> None:
            await self._send(self._spdy.data(pair.data_stream, chunk))

        async def copy_in() -> None:
            with contextlib.suppress(ConnectionError, OSError):
                while (chunk := await pair.waiting.get()) is not None:
                    await loop.sock_sendall(connection, chunk)
                connection.shutdown(socket.SHUT_WR)

        incoming = asyncio.create_task(copy_in())
        try:
            await _copy_out(connection, send)
        finally:
            incoming.cancel()
            await asyncio.gather(incoming, return_exceptions=True)
            connection.close()

    async def _send(self, data: bytes) -> None:
        if not self._frames.closed:
            with contextlib.suppress(ConnectionError):
                await self._frames.send_bytes(data)
