"""Asks an upstream DNS server with real packets from a network namespace, as CoreDNS' forward."""

import asyncio
import contextlib
import random
import secrets
import socket
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dnslib import EDNS0, QTYPE, DNSError, DNSHeader, DNSQuestion, DNSRecord

from pytest_aksnet.lab.dns.message import SERVFAIL, Answer, Question
from pytest_aksnet.lab.sockets import tcp_socket, udp_socket

ATTEMPT_SECONDS = 2.0
TOTAL_SECONDS = 5.0
_LARGEST_UDP = 65535
_MOST_FAILURES = 2
_CHECK_SECONDS = 0.5


@dataclass(slots=True)
class _Upstream:
    """A server, how often it failed since it last answered, and who looks after it then."""

    ip: str
    port: int
    failures: int = 0
    check: asyncio.Task[None] | None = None


class Forwarder:
    """Forwards questions to `upstreams`.

    `transport` is "client" (that of the client), "tcp", or "prefer-udp": UDP, and TCP where the
    answer is truncated. As CoreDNS' forward: one of them at random (the first one with
    `sequential`), the next where it fails, 2 s for an attempt, attempts until 5 s are over, then
    SERVFAIL. One that failed twice is left out until it answers a health check (every 0.5 s); with
    all of them out there is one attempt at any.
    """

    def __init__(
        self,
        upstreams: Sequence[str],
        netns_fd: int,
        *,
        port: int = 53,
        transport: str = "client",
        sequential: bool = False,
        attempt_seconds: float = ATTEMPT_SECONDS,
        total_seconds: float = TOTAL_SECONDS,
    ) -> None:
        self._upstreams = [_Upstream(ip, port) for ip in upstreams]
        self._netns_fd = netns_fd
        self._transport = transport
        self._sequential = sequential
        self._attempt_seconds = attempt_seconds
        self._total_seconds = total_seconds

    async def resolve(self, question: Question) -> Answer:
        """What an upstream answers; SERVFAIL that must not be cached where nobody does."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._total_seconds
        for upstream in self._tries():
            left = deadline - loop.time()
            if left <= 0:
                break
            try:
                async with asyncio.timeout(min(left, self._attempt_seconds)):
                    answer = await self._ask(question, upstream)
            except (OSError, asyncio.IncompleteReadError):
                self._failed(upstream)
            else:
                upstream.failures = 0
                return answer
        return Answer(rcode=SERVFAIL, cacheable=False)

    def close(self) -> None:
        """End the health checks."""
        for upstream in self._upstreams:
            if upstream.check is not None:
                upstream.check.cancel()

    def _tries(self) -> Iterator["_Upstream"]:
        """Whom to ask, one after the other, until all have failed."""
        while healthy := [one for one in self._upstreams if one.failures < _MOST_FAILURES]:
            yield from healthy if self._sequential else random.sample(healthy, len(healthy))
        yield random.choice(self._upstreams)

    def _failed(self, upstream: "_Upstream") -> None:
        upstream.failures += 1
        if upstream.check is None or upstream.check.done():
            upstream.check = asyncio.create_task(self._check(upstream))

    async def _check(self, upstream: "_Upstream") -> None:
        root = Question(name="", qtype=QTYPE.NS)
        while upstream.failures:
            await asyncio.sleep(_CHECK_SECONDS)
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                async with asyncio.timeout(self._attempt_seconds):
                    await self._ask(root, upstream)
                upstream.failures = 0

    async def _ask(self, question: Question, upstream: "_Upstream") -> Answer:
        ident = secrets.randbelow(1 << 16)
        query = DNSRecord(DNSHeader(id=ident, rd=1), q=DNSQuestion(question.name, question.qtype))
        if question.udp_size > 512:
            query.add_ar(EDNS0(udp_len=question.udp_size))
        wire: bytes = query.pack()
        peer = (upstream.ip, upstream.port)
        transport = question.transport if self._transport == "client" else self._transport
        if transport == "tcp":
            return await self._ask_tcp(wire, question, peer)
        answer = await self._ask_udp(wire, question, peer)
        if answer.truncated and transport == "prefer-udp":
            return await self._ask_tcp(wire, question, peer)
        return answer

    async def _ask_udp(self, wire: bytes, question: Question, peer: tuple[str, int]) -> Answer:
        loop = asyncio.get_running_loop()
        with udp_socket(self._netns_fd) as sock:
            await loop.sock_connect(sock, peer)
            await loop.sock_sendall(sock, wire)
            while True:
                answer = _parsed(await loop.sock_recv(sock, _LARGEST_UDP), wire, question)
                if answer is not None:
                    return answer

    async def _ask_tcp(self, wire: bytes, question: Question, peer: tuple[str, int]) -> Answer:
        loop = asyncio.get_running_loop()
        with tcp_socket(self._netns_fd) as sock:
            await loop.sock_connect(sock, peer)
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
