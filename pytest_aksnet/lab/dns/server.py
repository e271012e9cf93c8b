"""A DNS server: UDP and TCP sockets in a network namespace, the wire format, the query log.

Owns header flags, EDNS(0) (RFC 6891), truncation (RFC 2181 9) and DNS over TCP (RFC 7766). What
the answer is, a `message.Resolver` knows.
"""

import asyncio
import socket
import struct
import time
from collections import deque
from dataclasses import dataclass
from typing import cast

from dnslib import CLASS, EDNS0, OPCODE, QR, QTYPE, RCODE, DNSError, DNSHeader, DNSRecord

from pytest_aksnet.lab.dns.message import Answer, Question, Resolver
from pytest_aksnet.lab.sockets import tcp_listener, udp_socket

LOG_LENGTH = 1000
TCP_IDLE_SECONDS = 10.0
_CLASSIC_UDP = 512
_LARGEST_MESSAGE = 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedQuery:
    """One query. `at`: seconds since the epoch; `qtype`, `rcode` by their DNS names.

    `rcode` is "" for a query that got no answer.
    """

    at: float
    client: str
    transport: str
    name: str
    qtype: str
    rcode: str


class DnsServer:
    """Serves a resolver on port 53 of one network namespace. `log` holds the latest queries."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self._servers: list[asyncio.Server] = []
        self._transports: list[asyncio.DatagramTransport] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self.log: deque[LoggedQuery] = deque(maxlen=LOG_LENGTH)

    async def start(self, netns_fd: int, address: str = "", port: int = 53) -> None:
        """Open the sockets and serve, besides what was started before. Raises OSError.

        `address` "" is every IPv4 address, "::" every IPv6 address.
        """
        loop = asyncio.get_running_loop()
        udp = udp_socket(netns_fd, address, port)
        try:
            tcp = tcp_listener(netns_fd, address, port)
        except OSError:
            udp.close()
            raise
        udp.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        transport, _ = await loop.create_datagram_endpoint(lambda: _Udp(self), sock=udp)
        self._transports.append(transport)
        self._servers.append(await asyncio.start_server(self._serve_tcp, sock=tcp))

    async def stop(self) -> None:
        """Close the sockets and end what is under way. Harmless when it was never started."""
        for transport in self._transports:
            transport.close()
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def datagram(
        self, wire: bytes, client: tuple[str, int], transport: asyncio.DatagramTransport
    ) -> None:
        """Take one UDP query and answer it when the resolver has."""

        async def answer() -> None:
            reply = await self._reply(wire, client[0], "udp")
            if reply is not None and not transport.is_closing():
                transport.sendto(reply, client)

        self._keep(asyncio.get_running_loop().create_task(answer()))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _serve_tcp(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._keep(task)
        client = str(writer.get_extra_info("peername")[0])
        try:
            while True:
                async with asyncio.timeout(TCP_IDLE_SECONDS):
                    (length,) = struct.unpack("!H", await reader.readexactly(2))
                    wire = await reader.readexactly(length)
                reply = await self._reply(wire, client, "tcp")
                if reply is None:
                    return
                async with asyncio.timeout(TCP_IDLE_SECONDS):
                    writer.write(struct.pack("!H", len(reply)) + reply)
                    await writer.drain()
        except (asyncio.IncompleteReadError, TimeoutError, ConnectionError):
            return
        finally:
            writer.close()

    async def _reply(self, wire: bytes, client: str, transport: str) -> bytes | None:
        """The reply to one message; None for what gets none (RFC 1035: never answer an answer)."""
        try:
            query = DNSRecord.parse(wire)
        except DNSError:
            return _format_error(wire)
        header = query.header
        if header.qr == QR.RESPONSE:
            return None
        refusal = _refusal(query)
        if refusal is not None:
            return _pack(query, Answer(rcode=refusal), _LARGEST_MESSAGE)
        options = [r for r in query.ar if r.rtype == QTYPE.OPT]
        # An OPT record carries the sender's buffer size in its class field.
        size = max(_CLASSIC_UDP, int(options[0].rclass)) if options else _CLASSIC_UDP
        name = str(query.q.qname).lower().rstrip(".")
        answer = await self._resolver.resolve(
            Question(
                name=name, qtype=query.q.qtype, transport=transport, udp_size=size, client=client
            )
        )
        self.log.append(
            LoggedQuery(
                at=time.time(),
                client=client,
                transport=transport,
                name=name,
                qtype=QTYPE.get(query.q.qtype),
                rcode="" if answer.silent else RCODE.get(answer.rcode),
            )
        )
        if answer.silent:
            return None
        limit = size if transport == "udp" else _LARGEST_MESSAGE
        return _pack(query, answer, limit, edns=bool(options))


class _Udp(asyncio.DatagramProtocol):
    def __init__(self, server: DnsServer) -> None:
        self._server = server
        self._transport: asyncio.DatagramTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The selector loop's transport does not inherit from DatagramTransport before 3.13.
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._server.datagram(data, addr, self._transport)


def _refusal(query: DNSRecord) -> int | None:
    """The rcode for what is not a plain question of class IN, or None."""
    if query.header.opcode != OPCODE.QUERY:
        return int(RCODE.NOTIMP)
    if len(query.questions) != 1:
        return int(RCODE.FORMERR)
    return None if query.q.qclass == CLASS.IN else int(RCODE.REFUSED)


def _format_error(wire: bytes) -> bytes | None:
    if len(wire) < 12 or wire[2] & 0x80:
        return None
    ident: int = struct.unpack("!H", wire[:2])[0]
    packed: bytes = DNSRecord(DNSHeader(id=ident, qr=1, rcode=RCODE.FORMERR)).pack()
    return packed


def _pack(query: DNSRecord, answer: Answer, limit: int, *, edns: bool = False) -> bytes:
    """The reply's bytes, cut to `limit` with TC set where they are too many."""
    reply = DNSRecord(
        DNSHeader(
            id=query.header.id,
            qr=1,
            opcode=query.header.opcode,
            aa=int(answer.authoritative),
            rd=query.header.rd,
            ra=1,
            tc=int(answer.truncated),
            rcode=answer.rcode,
        ),
        questions=list(query.questions),
        rr=list(answer.answers),
        auth=list(answer.authority),
        ar=list(answer.additional),
    )
    options = [EDNS0(udp_len=max(limit, _CLASSIC_UDP))] if edns else []
    reply.ar += options
    packed: bytes = reply.pack()
    if len(packed) <= limit:
        return packed
    reply.ar = options
    packed = reply.pack()
    if len(packed) <= limit:
        return packed
    reply.header.tc = 1
    reply.auth = []
    fitting, too_many = 0, len(answer.answers)
    while too_many - fitting > 1:
        middle = (fitting + too_many) // 2
        reply.rr = list(answer.answers[:middle])
        fitting, too_many = (middle, too_many) if len(reply.pack()) <= limit else (fitting, middle)
    reply.rr = list(answer.answers[:fitting])
    packed = reply.pack()
    return packed
