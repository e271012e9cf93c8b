"""A lab network whose pods, nodes and hosts report which of many packets arrive: truth tables.

Hundreds of connections are tried at once, each of them from a new flow, and an answer is not
needed: TCP is looked at where it was connected, UDP and SCTP where they arrive. SCTP is an INIT in
a raw packet, as kernels need not speak it.
"""

import asyncio
import itertools
import select
import socket
import struct
import time
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from pytest_aksnet.lab.kernel.syscalls import in_netns
from tests.lab.network_bench import POD_PORTS, Bench, Inside, main

PORTS = (80, 81)
PATIENCE_S = 3.0
"""How long what must arrive may take, on a machine that has much to do."""
GRACE_S = 0.01
"""How long after the last of it what must not arrive is waited for."""

_SCTP = 132
_RESEND_S = 0.2
_RESET = struct.pack("ii", 1, 0)  # close by RST: nothing of a flow is left


class Look(NamedTuple):
    """One connection to try: from a machine or pod to an address."""

    start: str
    ip: str
    port: int
    protocol: str


class PolicyInside(Inside):
    """The process inside. Its servers note what arrives and do not answer."""

    def __init__(self, *settings: str) -> None:
        super().__init__(*settings)
        self._family = socket.AF_INET6 if self.spec.dual_stack else socket.AF_INET
        self._arrived: set[int] = set()
        self._rounds = itertools.count(1)
        self._receivers: dict[int, Callable[[], None]] = {}
        self._poll = select.epoll()
        self._senders: dict[tuple[str, int, int], socket.socket] = {}
        self._kept: list[socket.socket] = []

    async def wrong(self, looks: Sequence[Look], expected: Sequence[bool]) -> list[int]:
        """The indexes of looks that came out otherwise than expected."""
        number = next(self._rounds) % 0xFFFF
        self._arrived.clear()
        clients = {
            index: self._connect(look) for index, look in enumerate(looks) if look.protocol == "TCP"
        }
        missing = {index for index, open_ in enumerate(expected) if open_}
        for index, look in enumerate(looks):
            if look.protocol != "TCP":
                self._send(look, number, index)
        deadline = time.monotonic() + PATIENCE_S
        resend = time.monotonic() + _RESEND_S
        connected: set[int] = set()
        while True:
            self._drain()
            here = {mark & 0xFFFF for mark in self._arrived if mark >> 16 == number}
            connected |= {i for i in missing & clients.keys() if _is_connected(clients[i])}
            missing -= here | connected
            now = time.monotonic()
            if not missing or now > deadline:
                break
            if now > resend:
                resend = now + _RESEND_S
                for index in missing - clients.keys():
                    self._send(looks[index], number, index)
            await asyncio.sleep(0.001)
        await asyncio.sleep(GRACE_S)
        self._drain()
        here = {mark & 0xFFFF for mark in self._arrived if mark >> 16 == number}
        connected |= {index for index, client in clients.items() if _is_connected(client)}
        for client in clients.values():
            client.close()
        return [i for i, open_ in enumerate(expected) if (i in here or i in connected) != open_]

    def _connect(self, look: Look) -> socket.socket:
        with in_netns(self.places[look.start].fd):
            client = socket.socket(_family(look.ip), socket.SOCK_STREAM)
        client.setblocking(False)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        client.connect_ex((look.ip, look.port))
        return client

    def _send(self, look: Look, number: int, index: int) -> None:
        mark = number << 16 | index
        protocol = _SCTP if look.protocol == "SCTP" else socket.IPPROTO_UDP
        key = look.start, _family(look.ip), protocol
        if key not in self._senders:
            kind = socket.SOCK_RAW if protocol == _SCTP else socket.SOCK_DGRAM
            with in_netns(self.places[look.start].fd):
                self._senders[key] = socket.socket(key[1], kind, protocol)
        payload = struct.pack("!I", mark)
        if protocol == _SCTP:
            payload = _sctp_init(look.port, mark)
        # A raw IPv6 socket takes the protocol for the port, or 0.
        target = (look.ip, 0 if protocol == _SCTP else look.port)
        self._senders[key].sendto(payload, target)

    def _drain(self) -> None:
        while ready := self._poll.poll(0):
            for fd, _ in ready:
                self._receivers[fd]()

    async def _serve(self, name: str, ports: Sequence[int]) -> None:
        place = self.places[name].fd
        for port in (*PORTS, 8000) if name in self._machines() else ports:
            for kind, receive in (
                (socket.SOCK_STREAM, self._accept),
                (socket.SOCK_DGRAM, self._take),
            ):
                with in_netns(place):
                    server = socket.socket(self._family, kind)
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                server.setblocking(False)
                server.bind(("", port))
                if kind == socket.SOCK_STREAM:
                    server.listen(256)
                self._receive(server, receive(server))
        for family in {socket.AF_INET, self._family}:
            with in_netns(place):
                raw = socket.socket(family, socket.SOCK_RAW, _SCTP)
            raw.setblocking(False)
            self._receive(raw, self._take_sctp(raw, 20 if family == socket.AF_INET else 0))

    def _machines(self) -> set[str]:
        return {host.name for host in self.spec.hosts} | {node.name for node in self.spec.nodes}

    def _receive(self, server: socket.socket, receive: Callable[[], None]) -> None:
        self._kept.append(server)
        self._receivers[server.fileno()] = receive
        self._poll.register(server, select.EPOLLIN)

    def _accept(self, server: socket.socket) -> Callable[[], None]:
        def accept() -> None:
            server.accept()[0].close()

        return accept

    def _take(self, server: socket.socket) -> Callable[[], None]:
        def take() -> None:
            self._arrived.update(struct.unpack("!I", server.recv(64)))

        return take

    def _take_sctp(self, raw: socket.socket, skip: int) -> Callable[[], None]:
        def take() -> None:
            self._arrived.update(struct.unpack_from("!I", raw.recv(256), skip + 16))

        return take


class PolicyBench(Bench):
    """A bench for truth tables. `pods` are node numbers, one for each of pods p0, p1, ...

    All pods serve `ports`.
    """

    program = f"from {__name__} import serve; serve()"

    def __init__(
        self,
        mode: str,
        engine: str,
        pods: Sequence[int],
        *,
        ports: Sequence[int] = POD_PORTS,
        settings: Sequence[str] = (),
    ) -> None:
        super().__init__(mode, engine, settings=settings)
        self.node_of = {f"p{number}": self.nodes[node] for number, node in enumerate(pods)}
        for name, number in zip(self.node_of, pods, strict=True):
            self.add_pod(name, number, ports=ports)

    def wrong(self, looks: Sequence[Look], expected: Sequence[bool]) -> list[int]:
        """The indexes of looks that came out otherwise than expected."""
        return self.call("wrong", list, looks, expected)


def serve() -> None:
    """The process inside."""
    main(PolicyInside)


def _family(ip: str) -> int:
    return socket.AF_INET6 if ":" in ip else socket.AF_INET


def _is_connected(client: socket.socket) -> bool:
    try:
        client.getpeername()
    except OSError:
        return False
    return True


def _sctp_init(port: int, mark: int) -> bytes:
    """An SCTP packet with an INIT chunk (RFC 9260, 3.3.2); its initiate tag is the mark."""
    chunk = struct.pack("!BBHIIHHI", 1, 0, 20, mark, 65536, 1, 1, mark)
    blank = struct.pack("!HHII", 40000 + mark % 20000, port, 0, 0)
    checksum = struct.pack("<I", _crc32c(blank + chunk))
    return blank[:8] + checksum + chunk


def _crc32c(data: bytes) -> int:
    value = 0xFFFFFFFF
    for byte in data:
        value = _CRC_TABLE[(value ^ byte) & 0xFF] ^ value >> 8
    return value ^ 0xFFFFFFFF


def _crc_table() -> Iterator[int]:
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (0x82F63B78 if value & 1 else 0)
        yield value


_CRC_TABLE = tuple(_crc_table())
