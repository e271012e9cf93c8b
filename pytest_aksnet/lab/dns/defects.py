"""A DNS server that does not do what it should: what faults bend, in front of its resolver."""

import asyncio
from dataclasses import dataclass

from pytest_aksnet.lab.dns.message import Answer, Question, Resolver, is_below


@dataclass(slots=True, kw_only=True)
class Defect:
    """What is wrong with a server for names in `zone`; "" is every name.

    `silent`: it answers nothing. `rcode`: it answers with this status alone. `delay_seconds`: it
    answers that late.
    """

    zone: str = ""
    silent: bool = False
    rcode: int | None = None
    delay_seconds: float = 0.0


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
            break
        return await self._resolver.resolve(question)
