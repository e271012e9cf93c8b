"""SPDY/3.1 as a server: frames to events and back. Pure, without flow control.

kubectl speaks it inside a WebSocket for port-forward (KEP-4006). Source: the SPDY protocol, draft
3.1; moby/spdystream, which kubectl has, does not use flow control either.
"""

import dataclasses
import struct
import zlib
from collections.abc import Iterator, Mapping

_VERSION = 3
_SYN_STREAM, _SYN_REPLY, _RST_STREAM, _PING = 1, 2, 3, 6
_FIN = 1
_HEAD = struct.Struct(">IB3s")
_NAMES = (
    "options head post put delete trace accept accept-charset accept-encoding accept-language "
    "accept-ranges age allow authorization cache-control connection content-base "
    "content-encoding content-language content-length content-location content-md5 "
    "content-range content-type date etag expect expires from host if-match "
    "if-modified-since if-none-match if-range if-unmodified-since last-modified location "
    "max-forwards pragma proxy-authenticate proxy-authorization range referer retry-after "
    "server te trailer transfer-encoding upgrade user-agent vary via warning "
    "www-authenticate method get status"
)
_TAIL = (
    "100101201202205206300302303304305306307402405406407408409410411412413414415416417502504505"
    "203 Non-Authoritative Information204 No Content301 Moved Permanently400 Bad Request401 "
    "Unauthorized403 Forbidden404 Not Found500 Internal Server Error501 Not Implemented503 "
    "Service UnavailableJan Feb Mar Apr May Jun Jul Aug Sept Oct Nov Dec 00:00:00 Mon, Tue, Wed, "
    "Thu, Fri, Sat, Sun, GMTchunked,text/html,image/png,image/jpg,image/gif,application/xml,"
    "application/xhtml+xml,text/plain,text/javascript,publicprivatemax-age=gzip,deflate,sdch"
    "charset=utf-8charset=iso-8859-1,utf-,*,enq=0."
)


def _dictionary() -> bytes:
    """What both sides' compression starts from (section 2.6.10.1)."""
    words = [*_NAMES.split(), "200 OK", "version", "HTTP/1.1", "url", "public"]
    words += ["set-cookie", "keep-alive", "origin"]
    listed = b"".join(struct.pack(">I", len(word)) + word.encode() for word in words)
    return listed + _TAIL.encode()


DICTIONARY = _dictionary()


@dataclasses.dataclass(frozen=True, slots=True)
class Opened:
    """The client opens a stream."""

    stream: int
    headers: Mapping[str, str]


@dataclasses.dataclass(frozen=True, slots=True)
class Data:
    """Bytes of a stream; `last` where the client sends no more."""

    stream: int
    payload: bytes
    last: bool


@dataclasses.dataclass(frozen=True, slots=True)
class Reset:
    """The client gives up a stream."""

    stream: int


@dataclasses.dataclass(frozen=True, slots=True)
class Ping:
    """The client wants to see this number again."""

    number: int


Event = Opened | Data | Reset | Ping


class SpdyConnection:
    """One connection: what comes in as events, what goes out as bytes."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._inflate = zlib.decompressobj(zdict=DICTIONARY)
        self._deflate = zlib.compressobj(zdict=DICTIONARY)

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events in what arrives, in order. Raises ValueError for what is no SPDY/3.1."""
        self._buffer += data
        while len(self._buffer) >= _HEAD.size:
            word, flags, size_bytes = _HEAD.unpack_from(self._buffer)
            end = _HEAD.size + int.from_bytes(size_bytes, "big")
            if len(self._buffer) < end:
                return
            payload = bytes(self._buffer[_HEAD.size : end])
            del self._buffer[:end]
            if not word >> 31:
                yield Data(word, payload, bool(flags & _FIN))
                continue
            if word >> 16 & 0x7FFF != _VERSION:
                raise ValueError("no SPDY/3.1")
            try:
                yield from self._control(word & 0xFFFF, flags, payload)
            except struct.error as error:
                raise ValueError(f"no SPDY/3.1 frame: {error}") from error

    def _control(self, kind: int, flags: int, payload: bytes) -> Iterator[Event]:
        if kind == _SYN_STREAM:
            stream = struct.unpack_from(">I", payload)[0] & 0x7FFFFFFF
            yield Opened(stream, self._headers(payload[10:]))
            if flags & _FIN:
                yield Data(stream, b"", last=True)
        elif kind == _RST_STREAM:
            yield Reset(struct.unpack_from(">I", payload)[0] & 0x7FFFFFFF)
        elif kind == _PING:
            yield Ping(struct.unpack(">I", payload)[0])

    def _headers(self, block: bytes) -> dict[str, str]:
        try:
            data = self._inflate.decompress(block)
        except zlib.error as error:
            raise ValueError(f"no SPDY/3.1 headers: {error}") from error
        at = 4
        texts = []
        while at < len(data):
            size = struct.unpack_from(">I", data, at)[0]
            texts.append(data[at + 4 : at + 4 + size].decode("latin-1"))
            at += 4 + size
        return {name.lower(): value for name, value in zip(texts[::2], texts[1::2], strict=True)}

    def reply(self, stream: int) -> bytes:
        """The answer to an opened stream, without headers."""
        block = self._deflate.compress(struct.pack(">I", 0))
        block += self._deflate.flush(zlib.Z_SYNC_FLUSH)
        return _control_frame(_SYN_REPLY, struct.pack(">I", stream) + block)

    def data(self, stream: int, payload: bytes, *, last: bool = False) -> bytes:
        """Bytes of a stream, at most 16 MiB."""
        size = len(payload).to_bytes(3, "big")
        return _HEAD.pack(stream, _FIN if last else 0, size) + payload

    def pong(self, number: int) -> bytes:
        """The answer to a ping."""
        return _control_frame(_PING, struct.pack(">I", number))


def _control_frame(kind: int, payload: bytes) -> bytes:
    head = _HEAD.pack(1 << 31 | _VERSION << 16 | kind, 0, len(payload).to_bytes(3, "big"))
    return head + payload
