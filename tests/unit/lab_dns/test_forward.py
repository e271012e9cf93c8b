"""Forwarding to several servers: who is asked, who is left out, who comes back."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from dnslib import QTYPE

from pytest_aksnet.lab.dns.defects import Defect, DefectiveResolver
from pytest_aksnet.lab.dns.forward import Forwarder
from pytest_aksnet.lab.dns.message import SERVFAIL, Answer, Question, address_record
from pytest_aksnet.lab.dns.server import DnsServer

PORT = 20_000 + os.getpid() % 20_000  # other tests run beside this one
QUESTION = Question(name="www.example.com", qtype=QTYPE.A)


class Named:
    """Gives every name its own address; large answers do not fit a datagram."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.large = False
        self.transports: list[str] = []

    async def resolve(self, question: Question) -> Answer:
        self.transports.append(question.transport)
        count = 100 if self.large else 1
        return Answer(answers=[address_record(question.name, self.address, 60)] * count)


class Servers:
    """Two servers on the loopback interface, each with what may be wrong with it."""

    def __init__(self) -> None:
        self.fd = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.ips = ("127.0.0.41", "127.0.0.42")
        self.named = [Named(ip) for ip in self.ips]
        self.resolvers = [DefectiveResolver(named) for named in self.named]

    def forwarder(self, *, transport: str = "client", sequential: bool = False) -> Forwarder:
        return Forwarder(
            self.ips,
            self.fd,
            port=PORT,
            transport=transport,
            sequential=sequential,
            attempt_seconds=0.2,
            total_seconds=1.0,
        )


@asynccontextmanager
async def two_servers() -> AsyncIterator[Servers]:
    found = Servers()
    running = [DnsServer(resolver) for resolver in found.resolvers]
    for server, ip in zip(running, found.ips, strict=True):
        await server.start(found.fd, ip, PORT)
    try:
        yield found
    finally:
        for server in running:
            await server.stop()
        os.close(found.fd)


async def address(forwarder: Forwarder) -> str:
    answer = await forwarder.resolve(QUESTION)
    return str(answer.answers[0].rdata) if answer.answers else str(answer.rcode)


def test_servers_are_asked_at_random_or_in_their_order() -> None:
    async def look() -> None:
        async with two_servers() as servers:
            anyone = servers.forwarder()
            assert {await address(anyone) for _ in range(40)} == set(servers.ips)
            first = servers.forwarder(sequential=True)
            assert {await address(first) for _ in range(10)} == {servers.ips[0]}

    asyncio.run(look())


def test_a_silent_server_is_left_out_until_it_answers_again() -> None:
    async def look() -> None:
        async with two_servers() as servers:
            forwarder = servers.forwarder(sequential=True)
            servers.resolvers[0].defects.append(Defect(silent=True))
            for _ in range(3):
                assert await address(forwarder) == servers.ips[1]
            asked = len(servers.named[1].transports)
            servers.resolvers[0].defects.clear()
            while await address(forwarder) != servers.ips[0]:
                await asyncio.sleep(0.05)
            assert len(servers.named[1].transports) > asked
            forwarder.close()

    asyncio.run(asyncio.wait_for(look(), 20))


def test_silence_of_all_is_a_failure_that_is_not_remembered() -> None:
    async def look() -> None:
        async with two_servers() as servers:
            for resolver in servers.resolvers:
                resolver.defects.append(Defect(silent=True))
            forwarder = servers.forwarder()
            answer = await forwarder.resolve(QUESTION)
            assert (answer.rcode, answer.cacheable) == (SERVFAIL, False)
            forwarder.close()

    asyncio.run(look())


def test_truncated_answers_are_fetched_by_tcp_where_udp_is_only_preferred() -> None:
    async def look() -> None:
        async with two_servers() as servers:
            servers.named[0].large = True
            forwarder = servers.forwarder(sequential=True, transport="prefer-udp")
            assert len((await forwarder.resolve(QUESTION)).answers) == 100
            by_tcp = servers.forwarder(sequential=True, transport="tcp")
            await by_tcp.resolve(QUESTION)
            assert servers.named[0].transports == ["udp", "tcp", "tcp"]
            as_client = servers.forwarder(sequential=True)
            assert (await as_client.resolve(QUESTION)).truncated

    asyncio.run(look())
