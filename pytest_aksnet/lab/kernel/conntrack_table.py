"""The connection tracking table of a network namespace, read through ctnetlink."""

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from pytest_aksnet.lab.kernel.syscalls import in_netns

_NETLINK_NETFILTER = 12
_GET = 1 << 8 | 1  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_GET
_REQUEST_DUMP = 0x301
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_TYPE_MASK = 0x3FFF  # without the flags for nested and byte order
_ORIGINAL, _REPLY = 1, 2
_IP, _PROTO = 1, 2
_SOURCES, _DESTINATIONS = (1, 3), (2, 4)  # IPv4, IPv6
_PROTO_NUMBER, _SOURCE_PORT, _DESTINATION_PORT = 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A flow: what its initiator sent, and the ends of answers before they are translated back.

    `protocol` is IP's number.
    """

    protocol: int
    source: str
    source_port: int
    destination: str
    destination_port: int
    reply_source: str
    reply_destination: str
    reply_destination_port: int


def flows(netns_fd: int, family: int = socket.AF_INET) -> list[Flow]:
    """All flows of one address family. Raises OSError."""
    with in_netns(netns_fd):
        opened = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER
        )
    with opened:
        opened.bind((0, 0))
        body = struct.pack("=BBH", family, 0, 0)
        opened.send(_HEADER.pack(_HEADER.size + len(body), _GET, _REQUEST_DUMP, 1, 0) + body)
        return list(_answers(opened))


def _answers(opened: socket.socket) -> Iterator[Flow]:
    while True:
        data = opened.recv(1 << 16)
        offset = 0
        while offset < len(data):
            length, kind, *_ = _HEADER.unpack_from(data, offset)
            if kind == _DONE:
                return
            payload = data[offset + _HEADER.size : offset + length]
            if kind == _ERROR:
                code = -struct.unpack_from("=i", payload)[0]
                raise OSError(code, f"ctnetlink: {os.strerror(code)}")
            yield _flow(payload[4:])
            offset += (length + 3) & ~3


def _flow(data: bytes) -> Flow:
    parts = _attributes(data)
    original, reply = _tuple(parts[_ORIGINAL]), _tuple(parts[_REPLY])
    return Flow(
        protocol=original[0],
        source=original[1],
        source_port=original[2],
        destination=original[3],
        destination_port=original[4],
        reply_source=reply[1],
        reply_destination=reply[3],
        reply_destination_port=reply[4],
    )


def _tuple(data: bytes) -> tuple[int, str, int, str, int]:
    parts = _attributes(data)
    addresses, proto = _attributes(parts[_IP]), _attributes(parts[_PROTO])
    source = next(addresses[kind] for kind in _SOURCES if kind in addresses)
    destination = next(addresses[kind] for kind in _DESTINATIONS if kind in addresses)
    return (
        proto[_PROTO_NUMBER][0],
        _address(source),
        int.from_bytes(proto.get(_SOURCE_PORT, b""), "big"),
        _address(destination),
        int.from_bytes(proto.get(_DESTINATION_PORT, b""), "big"),
    )


def _address(data: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(data) == 4 else socket.AF_INET6, data)


def _attributes(data: bytes) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    offset = 0
    while offset + _ATTRIBUTE.size <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        found[kind & _TYPE_MASK] = data[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return found
