"""A question and an answer between the wire (`server`) and whoever knows names: data only."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from dnslib import AAAA, CNAME, PTR, QTYPE, RCODE, RR, SOA, SRV, TXT, A

NOERROR: int = RCODE.NOERROR
SERVFAIL: int = RCODE.SERVFAIL
NXDOMAIN: int = RCODE.NXDOMAIN
ADDRESS_TYPES: tuple[int, int] = (QTYPE.A, QTYPE.AAAA)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked. `name` is in lower case without the final dot; "" is the root.

    `client` is the address that asks.
    """

    name: str
    qtype: int
    transport: str = "udp"
    udp_size: int = 512
    client: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is answered; the sections hold dnslib resource records.

    `truncated` says that an upstream cut its answer short. `cacheable` is false for what was made
    up here because nobody answered, `silent` is true for no answer at all.
    """

    rcode: int = NOERROR
    answers: Sequence[RR] = ()
    authority: Sequence[RR] = ()
    additional: Sequence[RR] = ()
    authoritative: bool = False
    truncated: bool = False
    cacheable: bool = True
    silent: bool = False


class Resolver(Protocol):
    """Knows the answer to questions. Never raises: what goes wrong is SERVFAIL."""

    async def resolve(self, question: Question) -> Answer:
        """The answer to one question of class IN."""
        ...


def address_record(name: str, address: str, ttl: int) -> RR:
    """An A or AAAA record, as the address demands."""
    if ":" in address:
        return RR(name, QTYPE.AAAA, rdata=AAAA(address), ttl=ttl)
    return RR(name, QTYPE.A, rdata=A(address), ttl=ttl)


def cname_record(name: str, target: str, ttl: int) -> RR:
    """A CNAME record."""
    return RR(name, QTYPE.CNAME, rdata=CNAME(target), ttl=ttl)


def ptr_record(name: str, target: str, ttl: int) -> RR:
    """A PTR record."""
    return RR(name, QTYPE.PTR, rdata=PTR(target), ttl=ttl)


def txt_record(name: str, text: str, ttl: int) -> RR:
    """A TXT record of one string of at most 255 bytes."""
    return RR(name, QTYPE.TXT, rdata=TXT(text), ttl=ttl)


def srv_record(name: str, target: str, port: int, weight: int, ttl: int) -> RR:
    """An SRV record of priority 0."""
    return RR(name, QTYPE.SRV, rdata=SRV(0, weight, port, target), ttl=ttl)


def soa_record(zone: str, server: str, mailbox: str, times: Sequence[int], ttl: int) -> RR:
    """An SOA record. `times`: serial, refresh, retry, expire, minimum (seconds)."""
    return RR(zone, QTYPE.SOA, rdata=SOA(server, mailbox, tuple(times)), ttl=ttl)


def with_ttl(records: Iterable[RR], ttl: int) -> tuple[RR, ...]:
    """Copies of the records with another TTL in seconds."""
    return tuple(RR(r.rname, r.rtype, rclass=r.rclass, ttl=ttl, rdata=r.rdata) for r in records)


def is_below(name: str, zone: str) -> bool:
    """Whether a name is the zone or lies in it. Both in lower case without the final dot."""
    return not zone or name == zone or name.endswith("." + zone)
