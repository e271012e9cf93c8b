"""SPDY/3.1 as kubectl speaks it inside a WebSocket."""

import struct
import zlib

import pytest

from pytest_aksnet.lab.api import spdy


def _opening(stream: int, headers: dict[str, str], deflate: "zlib._Compress") -> bytes:
    """A SYN_STREAM as a client sends it."""
    block = struct.pack(">I", len(headers))
    for name, value in headers.items():
        for text in (name, value):
            block += struct.pack(">I", len(text)) + text.encode()
    packed = deflate.compress(block) + deflate.flush(zlib.Z_SYNC_FLUSH)
    payload = struct.pack(">IIBB", stream, 0, 0, 0) + packed
    return struct.pack(">I", 1 << 31 | 3 << 16 | 1) + struct.pack(">I", len(payload)) + payload


def test_the_dictionary_is_the_one_of_the_specification() -> None:
    # What the first header block of every SPDY/3 connection begins with: 78 bb e3 c6 a7 c2.
    assert (len(spdy.DICTIONARY), zlib.adler32(spdy.DICTIONARY)) == (1423, 0xE3C6A7C2)


def test_streams_are_opened_fed_and_closed_however_the_bytes_are_cut() -> None:
    deflate = zlib.compressobj(zdict=spdy.DICTIONARY)
    first = {"streamtype": "error", "port": "80", "requestid": "0"}
    second = {**first, "streamtype": "data"}
    server = spdy.SpdyConnection()
    data = _opening(1, first, deflate) + _opening(3, second, deflate)
    data += server.data(3, b"hello") + server.data(3, b"", last=True) + server.pong(7)
    events = [event for byte in data for event in server.feed(bytes((byte,)))]
    assert events == [
        spdy.Opened(1, first),
        spdy.Opened(3, second),
        spdy.Data(3, b"hello", last=False),
        spdy.Data(3, b"", last=True),
        spdy.Ping(7),
    ]


def test_replies_have_no_headers_and_share_one_compression() -> None:
    server = spdy.SpdyConnection()
    inflate = zlib.decompressobj(zdict=spdy.DICTIONARY)
    for stream in (1, 3):
        frame = server.reply(stream)
        assert struct.unpack_from(">I", frame)[0] == 1 << 31 | 3 << 16 | 2
        assert struct.unpack_from(">I", frame, 8)[0] == stream
        assert inflate.decompress(frame[12:]) == struct.pack(">I", 0)


@pytest.mark.parametrize(
    "data", [b"\x80\x02\0\x01\0\0\0\0", b"\x80\x03\0\x01\0\0\0\x14" + b"x" * 20]
)
def test_what_is_no_spdy_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"no SPDY/3\.1"):
        list(spdy.SpdyConnection().feed(data))
