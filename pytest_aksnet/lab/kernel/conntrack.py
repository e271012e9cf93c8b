"""Connection tracking: look at the IPv4 flows of a namespace and forget some of them.

ctnetlink in this process, because a fork of conntrack(8) per node and change would cost more
than the change.
"""

import errno
import os
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pytest_aksnet.lab.kernel.syscalls import in_netns

_NETLINK_NETFILTER = 12
_CTNETLINK = 1 << 8
_GET, _DELETE = _CTNETLINK | 1, _CTNETLINK | 2
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_ERROR, _DONE = 2, 3
_HEADER = struct.Struct("=IHHII")
_NFGENMSG = struct.pack("=BBH", socket.AF_INET, 0, 0)
_TYPE_MASK = 0x3FFF

_ORIGINAL, _REPLY, _ID = 1, 2, 12
_TUPLE_IP, _TUPLE_PROTO = 1, 2
_IP_SRC, _IP_DST = 1, 2
_PROTO_NUM, _SRC_PORT, _DST_PORT = 1, 2, 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """One tracked connection: what the initiator sent, and what answers look like."""

    protocol: int
    source: str
    destination: str
    destination_port: int
    reply_source: str
    reply_source_port: int
    reply_destination: str
    handle: bytes
    """What names the flow to the kernel."""

    def concerns(self, ip: str) -> bool:
        """Whether the address is an end of the flow, before or after translation."""
        return ip in (self.source, self.destination, self.reply_source, self.reply_destination)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    offset = 0
    while offset + 4 <= len(data):
        size, kind = struct.unpack_from("=HH", data, offset)
        yield kind & _TYPE_MASK, data[offset + 4 : offset + size]
        offset += (size + 3) & ~3


def _endpoints(data: bytes) -> tuple[int, str, str, int, int]:
    """Protocol, source, destination, source port and destination port of a tuple."""
    parts = dict(_attributes(data))
    ip = dict(_attributes(parts[_TUPLE_IP]))
    proto = dict(_attributes(parts[_TUPLE_PROTO]))
    return (
        proto[_PROTO_NUM][0],
        socket.inet_ntoa(ip[_IP_SRC]),
        socket.inet_ntoa(ip[_IP_DST]),
        int.from_bytes(proto.get(_SRC_PORT, b"\0\0"), "big"),
        int.from_bytes(proto.get(_DST_PORT, b"\0\0"), "big"),
    )


def _flow(body: bytes) -> Flow:
    parts = dict(_attributes(body))
    protocol, source, destination, _, destination_port = _endpoints(parts[_ORIGINAL])
    _, reply_source, reply_destination, reply_source_port, _ = _endpoints(parts[_REPLY])
    original, identity = parts[_ORIGINAL], parts[_ID]
    handle = struct.pack("=HH", 4 + len(original), _ORIGINAL | 0x8000) + original
    handle += struct.pack("=HH", 4 + len(identity), _ID) + identity
    return Flow(
        protocol=protocol,
        source=source,
        destination=destination,
        destination_port=destination_port,
        reply_source=reply_source,
        reply_source_port=reply_source_port,
        reply_destination=reply_destination,
        handle=handle,
    )


class Conntrack:
    """The connection tracking table of one network namespace."""

    def __init__(self, netns_fd: int) -> None:
        with in_netns(netns_fd):
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER
            )
        self._socket.bind((0, 0))

    def flows(self) -> list[Flow]:
        """All IPv4 flows. Raises OSError."""
        self._send(_GET, _DUMP, b"")
        found = []
        while True:
            for kind, body in self._messages():
                if kind == _DONE:
                    return found
                if kind == _ERROR:
                    self._check(body, ())
                else:
                    found.append(_flow(body[len(_NFGENMSG) :]))

    def forget(self, matches: Callable[[Flow], bool]) -> int:
        """Delete the flows for which `matches` is true; how many there were. Raises OSError."""
        chosen = [flow for flow in self.flows() if matches(flow)]
        for flow in chosen:
            self._send(_DELETE, _ACK, flow.handle)
            for _, body in self._messages():
                # It may have ended by itself meanwhile.
                self._check(body, (errno.ENOENT,))
        return len(chosen)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _send(self, kind: int, flags: int, attributes: bytes) -> None:
        body = _NFGENMSG + attributes
        self._socket.send(
            _HEADER.pack(_HEADER.size + len(body), kind, _REQUEST | flags, 1, 0) + body
        )

    def _messages(self) -> Iterator[tuple[int, bytes]]:
        data = self._socket.recv(1 << 17)
        offset = 0
        while offset < len(data):
            size, kind, _, _, _ = _HEADER.unpack_from(data, offset)
            yield kind, data[offset + _HEADER.size : offset + size]
            offset += (size + 3) & ~3

    @staticmethod
    def _check(body: bytes, ignore: tuple[int, ...]) -> None:
        code = -struct.unpack_from("=i", body)[0]
        if code and code not in ignore:
            raise OSError(code, f"ctnetlink: {os.strerror(code)}")
