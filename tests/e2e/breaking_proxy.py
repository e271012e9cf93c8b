"""A proxy in front of an API server that breaks chosen exec streams once their command has begun.

It ends TLS with a certificate of its own, because what is to be broken stands in the URL and in
the WebSocket frames; everything else it hands through unchanged.
"""

import asyncio
import base64
import contextlib
import enum
import json
import socket
import ssl
import struct
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self
from urllib.parse import unquote_plus, urlsplit

import yaml

from pytest_aksnet.lab.tls import Authority

_HOST = "127.0.0.1"
_STDOUT, _STDERR, _STATUS = 1, 2, 3
_END_OF_HEAD = b"\r\n\r\n"
_SWITCHING = b"HTTP/1.1 101 "
_START_SECONDS = 10.0


class Break(enum.Enum):
    """What happens to a stream. The first four come with the first output of the command."""

    NONE = "nothing"
    CUT = "the connection ends in the middle of a frame"
    RESET = "the connection is reset in the middle of a frame"
    FREEZE = "the connection stays open and carries nothing any more"
    BEGUN = "nothing, but the hook is called"
    STATUS_LOST = "all frames arrive but the one with the exit status"
    TAIL_LOST = "all frames arrive but those that end standard output"
    FALSE_SUCCESS = "the exit status says that all was well"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a check wants broken: execs whose URL holds all `words`. Pods are namespace/name."""

    words: tuple[str, ...]
    source: str
    target: str


Hook = Callable[[Wanted], None]


class BreakingProxy:
    """Serves in a thread of its own while it is entered. `broken` counts the streams it broke.

    `wanted_dir` holds one JSON file for each Wanted. `begun` is called at the first output of a
    stream that Break.BEGUN meets, in a thread, before that output is handed on.
    """

    def __init__(
        self, kubeconfig: Path, folder: Path, kind: Break, *, begun: Hook | None = None
    ) -> None:
        self.broken = 0
        self.kubeconfig = folder / "kubeconfig"
        self.wanted_dir = folder / "breaks"
        self.wanted_dir.mkdir(parents=True)
        self._kind = kind
        self._begun = begun
        self._config: dict[str, Any] = yaml.safe_load(kubeconfig.read_text("utf-8"))
        cluster = self._config["clusters"][0]["cluster"]
        server = urlsplit(cluster["server"])
        self._upstream = (server.hostname, server.port)
        self._trust = ssl.create_default_context(
            cadata=base64.b64decode(cluster["certificate-authority-data"]).decode("ascii")
        )
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, name="breaking-proxy", daemon=True)
        self._ready = threading.Event()
        self._end = asyncio.Event()

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(_START_SECONDS), "the proxy does not serve"
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._end.set)
        self._thread.join()

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._main())

    async def _main(self) -> None:
        authority = Authority("breaking-proxy")
        context = authority.server_context(["localhost"], [_HOST])
        server = await asyncio.start_server(self._connection, _HOST, 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        cluster = self._config["clusters"][0]["cluster"]
        cluster["server"] = f"https://{_HOST}:{port}"
        trusted = base64.b64encode(authority.certificate_pem).decode("ascii")
        cluster["certificate-authority-data"] = trusted
        self.kubeconfig.write_text(yaml.safe_dump(self._config), "utf-8")
        self._ready.set()
        await self._end.wait()
        server.close()

    async def _connection(
        self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        upstream, to_upstream = await asyncio.open_connection(*self._upstream, ssl=self._trust)
        try:
            with contextlib.suppress(OSError, EOFError):
                await self._exchange(client, to_client, upstream, to_upstream)
        finally:
            to_upstream.transport.abort()
            to_client.transport.abort()

    async def _exchange(
        self,
        client: asyncio.StreamReader,
        to_client: asyncio.StreamWriter,
        upstream: asyncio.StreamReader,
        to_upstream: asyncio.StreamWriter,
    ) -> None:
        head = await client.readuntil(_END_OF_HEAD)
        to_upstream.write(head)
        upwards = asyncio.create_task(_pump(client, to_upstream))
        wanted = self._wanted(head)
        try:
            answer = await upstream.readuntil(_END_OF_HEAD)
            to_client.write(answer)
            if wanted is None or not answer.startswith(_SWITCHING):
                await _pump(upstream, to_client)
            else:
                await self._break(wanted, upstream, to_client)
        finally:
            upwards.cancel()

    def _wanted(self, head: bytes) -> Wanted | None:
        """What wants this request broken, if it is an exec and something does."""
        url = unquote_plus(head.split(b" ", 2)[1].decode("ascii"))
        if "/exec?" not in url or self._kind is Break.NONE:
            return None
        for file in self.wanted_dir.glob("[!.]*.json"):
            content = json.loads(file.read_text("utf-8"))
            wanted = Wanted(**{**content, "words": tuple(content["words"])})
            if all(word in url for word in wanted.words):
                return wanted
        return None

    async def _break(
        self, wanted: Wanted, upstream: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        self.broken += 1
        begun = False
        async for channel, frame in _frames(upstream):
            first = not begun and channel in (_STDOUT, _STDERR)
            begun = begun or first
            match self._kind:
                case Break.CUT | Break.RESET | Break.FREEZE if first:
                    await self._stop_within(frame, upstream, to_client)
                    return
                case Break.BEGUN if first and self._begun is not None:
                    await asyncio.to_thread(self._begun, wanted)
                case Break.STATUS_LOST if channel == _STATUS:
                    continue
                case Break.TAIL_LOST if channel == _STDOUT and b"\naksnet-" in frame:
                    continue
                case Break.FALSE_SUCCESS if channel == _STATUS:
                    status = {"metadata": {}, "status": "Success"}
                    frame = _frame(_STATUS, json.dumps(status).encode("ascii"))
            to_client.write(frame)
            await to_client.drain()

    async def _stop_within(
        self, frame: bytes, upstream: asyncio.StreamReader, to_client: asyncio.StreamWriter
    ) -> None:
        to_client.write(frame[: len(frame) // 2])
        await to_client.drain()
        if self._kind is Break.RESET:
            linger = struct.pack("ii", 1, 0)
            connection = to_client.get_extra_info("socket")
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        elif self._kind is Break.FREEZE:
            await upstream.read()  # until the client gives up, which `_pump` hands on


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
    """Hand on until the source ends, then end the sink."""
    with contextlib.suppress(OSError):
        while chunk := await source.read(65536):
            sink.write(chunk)
            await sink.drain()
    sink.transport.abort()


async def _frames(source: asyncio.StreamReader) -> AsyncIterator[tuple[int, bytes]]:
    """The frames of a WebSocket server (RFC 6455), whole, each with its channel; -1 for others."""
    with contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            head = await source.readexactly(2)
            length = head[1] & 0x7F
            extended = b""
            if length >= 126:
                extended = await source.readexactly(2 if length == 126 else 8)
                length = int.from_bytes(extended, "big")
            payload = await source.readexactly(length)
            binary = head[0] & 0x0F == 2 and len(payload) > 1
            yield (payload[0] if binary else -1), head + extended + payload


def _frame(channel: int, payload: bytes) -> bytes:
    """An unmasked binary frame of less than 64 KiB."""
    length = len(payload) + 1
    extended = struct.pack("!BBH", 0x82, 126, length)
    return (extended if length > 125 else bytes((0x82, length))) + bytes((channel,)) + payload
