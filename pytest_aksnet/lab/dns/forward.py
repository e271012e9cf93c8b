"""Asks an upstream DNS server with real packets from a network namespace, as CoreDNS' forward."""

import asyncio
import secrets
import socket
import struct

from dnslib import EDNS0, QTYPE, DNSError, DNSHeader, DNSQuestion, DNSRecord

from pytest_aksnet.lab.dns.message import SERVFAIL, Answer, Question
from pytest_aksnet.lab.sockets import tcp_socket, udp_socket

ATTEMPT_SECONDS = 2.0
TOTAL_SECONDS = 5.0
_LARGEST_UDP = 65535


class Forwarder:
    """Forwards questions to `upstream` over the transport that the client used.

    Times as CoreDNS: 2 s for an attempt, attempts until 5 s are over, then SERVFAIL.
    """

    def __init__(
        self,
        upstream: str,
        netns_fd: int,
        *,
        port: int = 53,
        attempt_seconds: float = ATTEMPT_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._peer = (upstream, port)
        self._netns_fd = netns_fd
        self._attempt_seconds = attempt_seconds
        self._total_seconds = total_seconds

    async def resolve(self, question: Question) -> Answer:
        """What the upstream answers; SERVFAIL that must not be cached where nobody does."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._total_seconds
        while (left := deadline - loop.time()) > 0:
            try:
                async with asyncio.timeout(min(left, self._attempt_seconds)):
                    return await self._ask(question)
            except TimeoutError:
                continue
            except (OSError, asyncio.IncompleteReadError):
                # The network said no at once; asking again within these 5 s would only repeat it.
                break
        return Answer(rcode=SERVFAIL, cacheable=False)

    async def _ask(self, question: Question) -> Answer:
        ident = secrets.randbelow(1 << 16)
        query = DNSRecord(DNSHeader(id=ident, rd=1), q=DNSQuestion(question.name, question.qtype))
        if question.udp_size > 512:
            query.add_ar(EDNS0(udp_len=question.udp_size))
        wire: bytes = query.pack()
        ask = self._ask_tcp if question.transport == "tcp" else self._ask_udp
        return await ask(wire, question)

    async def _ask_udp(self, wire: bytes, question: Question) -> Answer:
        loop = asyncio.get_running_loop()
        with udp_socket(self._netns_fd) as sock:
            await loop.sock_connect(sock, self._peer)
            await loop.sock_sendall(sock, wire)
            while True:
                answer = _parsed(await loop.sock_recv(sock, _LARGEST_UDP), wire, question)
                if answer is not None:
                    return answer

    async def _ask_tcp(self, wire: bytes, question: Question) -> Answer:
        loop = asyncio.get_running_loop()
        with tcp_socket(self._netns_fd) as sock:
            await loop.sock_connect(sock, self._peer)
            await loop.sock_sendall(sock, struct.pack("!H", len(wire)) + wire)
            (length,) = struct.unpack("!H", await _exactly(sock, 2))
            answer = _parsed(await _exactly(sock, length), wire, question)
        if answer is None:
            raise ConnectionError("the upstream answered another question")
        return answer


async def _exactly(sock: socket.socket, size: int) -> bytes:
    loop = asyncio.get_running_loop()
    data = b""
    while len(data) < size:
        more = await loop.sock_recv(sock, size - len(data))
        if not more:
            raise asyncio.IncompleteReadError(data, size)
        data += more
    return data


def _parsed(reply: bytes, wire: bytes, question: Question) -> Answer | None:
    """The answer in a reply; None where it is not the reply to this query."""
    if reply[:2] != wire[:2]:
        return None
    try:
        record = DNSRecord.parse(reply)
    except DNSError:
        return None
    asked = str(record.q.qname).lower().rstrip(".")
    if (asked, record.q.qtype) != (question.name, question.qtype):
        return None
    return Answer(
        rcode=record.header.rcode,
        answers=tuple(record.rr),
        authority=tuple(record.auth),
        additional=tuple(r for r in record.ar if r.rtype != QTYPE.OPT),
        authoritative=bool(record.header.aa),
        truncated=bool(record.header.tc),
    )
