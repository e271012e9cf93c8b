"""Connection tracking: forget flows of a namespace, chosen by the kernel itself.

ctnetlink with CTA_FILTER (Linux 5.8): no dump of the table in this process and no fork of
conntrack(8), so the cost does not grow with the number of flows that stay. It is that of a walk
through the one hash table that all namespaces share, about 10 ms of the kernel for each filter.
"""

import ipaddress
import os
import socket
import struct
import threading
from dataclasses import dataclass

from pytest_aksnet.lab.kernel.attributes import attribute
from pytest_aksnet.lab.kernel.syscalls import in_netns

UDP = 17

_NETLINK_NETFILTER = 12
_DELETE = 1 << 8 | 2  # NFNL_SUBSYS_CTNETLINK, IPCTNL_MSG_CT_DELETE
_REQUEST_ACK = 0x5
_NESTED = 0x8000
_ORIGINAL, _REPLY, _FILTER = 1 | _NESTED, 2 | _NESTED, 25 | _NESTED
_TUPLE_IP, _TUPLE_PROTO = 1 | _NESTED, 2 | _NESTED
_BY_SOURCE, _BY_DESTINATION, _BY_PROTOCOL, _BY_DESTINATION_PORT = 0x1, 0x2, 0x8, 0x20


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowFilter:
    """Which flows: those that agree with everything that is not None.

    `source`, `destination`, `destination_port` are what the initiator sent, `reply_source` and
    `reply_destination` the ends of answers before they are translated back. Addresses tell the IP
    version; `version` does where there is none.
    """

    protocol: int | None = None
    source: str | None = None
    destination: str | None = None
    destination_port: int | None = None
    reply_source: str | None = None
    reply_destination: str | None = None
    version: int = 4

    @property
    def family(self) -> int:
        """The address family of the flows."""
        ends = (self.source, self.destination, self.reply_source, self.reply_destination)
        is_6 = self.version == 6 or any(":" in one for one in ends if one is not None)
        return int(socket.AF_INET6 if is_6 else socket.AF_INET)


def flows_of(ip: str) -> tuple[FlowFilter, ...]:
    """The filters that together name every flow with that address at either end.

    Who was asked is who answers, whatever address was asked for it.
    """
    return (FlowFilter(source=ip), FlowFilter(reply_source=ip))


def _address(kind: int, address: str) -> bytes:
    """CTA_IP_V4_SRC and _DST are 1 and 2, those of IPv6 3 and 4."""
    parsed = ipaddress.ip_address(address)
    return attribute(kind if parsed.version == 4 else kind + 2, parsed.packed)


def _tuple(
    kind: int, source: str | None, destination: str | None, protocol: int | None, port: int | None
) -> tuple[int, bytes]:
    """The flags of the parts that are given, and the attribute that holds them."""
    flags, ip, proto = 0, b"", b""
    if source is not None:
        flags |= _BY_SOURCE
        ip += _address(1, source)
    if destination is not None:
        flags |= _BY_DESTINATION
        ip += _address(2, destination)
    if protocol is not None:
        flags |= _BY_PROTOCOL
        proto += attribute(1, bytes([protocol]))
    if port is not None:
        flags |= _BY_DESTINATION_PORT
        proto += attribute(3, port.to_bytes(2, "big"))
    parts = attribute(_TUPLE_IP, ip) if ip else b""
    parts += attribute(_TUPLE_PROTO, proto) if proto else b""
    return flags, attribute(kind, parts) if flags else b""


class Conntrack:
    """The connection tracking table of one network namespace. Safe to share between threads."""

    def __init__(self, netns_fd: int) -> None:
        self._lock = threading.Lock()
        with in_netns(netns_fd):
            self._socket = socket.socket(
                socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_NETFILTER
            )
        self._socket.bind((0, 0))

    def forget(self, *filters: FlowFilter) -> None:
        """Delete the flows that agree with any of the filters. Raises OSError."""
        for chosen in filters:
            self._forget(chosen)

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def _forget(self, chosen: FlowFilter) -> None:
        original_flags, original = _tuple(
            _ORIGINAL,
            chosen.source,
            chosen.destination,
            chosen.protocol,
            chosen.destination_port,
        )
        reply_flags, reply = _tuple(
            _REPLY, chosen.reply_source, chosen.reply_destination, None, None
        )
        if not original_flags | reply_flags:
            raise ValueError("a filter without any part would forget every flow")
        flags = attribute(1, struct.pack("=I", original_flags))
        flags += attribute(2, struct.pack("=I", reply_flags))
        body = (
            struct.pack("=BBH", chosen.family, 0, 0) + attribute(_FILTER, flags) + original + reply
        )
        head = struct.pack("=IHHII", 16 + len(body), _DELETE, _REQUEST_ACK, 1, 0)
        with self._lock:
            self._socket.send(head + body)
            said = self._socket.recv(65536)
        code = -struct.unpack_from("=i", said, 16)[0]
        if code:
            raise OSError(code, f"ctnetlink: {os.strerror(code)}")
