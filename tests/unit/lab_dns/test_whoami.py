"""The name server that answers with the address it was asked from."""

import asyncio

import pytest
from dnslib import QTYPE

from pytest_aksnet.lab.dns.message import NOERROR, NXDOMAIN, Question
from pytest_aksnet.lab.dns.whoami import WhoAmI


@pytest.mark.parametrize(
    ("name", "qtype", "client", "rcode", "addresses"),
    [
        ("me.example", QTYPE.A, "198.51.100.1", NOERROR, ["198.51.100.1"]),
        ("me.example", QTYPE.AAAA, "2001:db8::1", NOERROR, ["2001:db8::1"]),
        ("me.example", QTYPE.AAAA, "198.51.100.1", NOERROR, []),
        ("you.example", QTYPE.A, "198.51.100.1", NXDOMAIN, []),
    ],
)
def test_who_asks_is_told(
    name: str, qtype: int, client: str, rcode: int, addresses: list[str]
) -> None:
    question = Question(name=name, qtype=qtype, client=client)
    answer = asyncio.run(WhoAmI("me.example").resolve(question))
    assert answer.rcode == rcode
    assert [str(record.rdata) for record in answer.answers] == addresses
    assert all(record.ttl == 0 for record in answer.answers)
