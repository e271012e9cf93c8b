"""A DNS server that does not do what it should: what faults bend, in front of its resolver."""

import asyncio
from dataclasses import dataclass, replace

from dnslib import QTYPE

from pytest_aksnet.lab.dns.message import (
    NXDOMAIN,
    Answer,
    Question,
    Resolver,
    is_below,
    soa_record,
)


@dataclass(slots=True, kw_only=True)
class Defect:
    """What is wrong with a server for names in `zone`; "" is every name.

    `silent`: it answers nothing. `rcode`: it answers with this status alone. `delay_seconds`: it
    answers that late. `denial_ttl`: what it denies may be kept for so many seconds.
    """

    zone: str = ""
    silent: bool = False
    rcode: int | None = None
    delay_seconds: float = 0.0
    denial_ttl: int | None = None


class DefectiveResolver:
    """A resolver with the defects of its server, the first that fits strikes; none at first."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self.defects: list[Defect] = []

    async def resolve(self, question: Question) -> Answer:
        """The answer, bent."""
        for defect in self.defects:
            if not is_below(question.name, defect.zone):
                continue
            await asyncio.sleep(defect.delay_seconds)
            if defect.silent:
                return Answer(silent=True, cacheable=False)
            if defect.rcode is not None:
                return Answer(rcode=defect.rcode)
            if defect.denial_ttl is not None:
                return _kept(await self._resolver.resolve(question), defect.denial_ttl)
            break
        return await self._resolver.resolve(question)


def _kept(answer: Answer, seconds: int) -> Answer:
    """A denial that may be kept for so long, by the TTL and the MINIMUM of its SOA record."""
    if answer.rcode != NXDOMAIN:
        return answer
    records = [
        soa_record(
            str(one.rname),
            str(one.rdata.mname),
            str(one.rdata.rname),
            (*one.rdata.times[:4], seconds),
            seconds,
        )
        for one in answer.authority
        if one.rtype == QTYPE.SOA
    ]
    return replace(answer, authority=records)
