"""A cache of answers as CoreDNS' cache plugin keeps it: no I/O, own clock only."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from dnslib import QTYPE

from pytest_aksnet.lab.dns.message import (
    NOERROR,
    NXDOMAIN,
    SERVFAIL,
    Answer,
    Question,
    with_ttl,
)

CAP_SECONDS = 30
MINIMUM_SECONDS = 5
SERVFAIL_SECONDS = 5
CAPACITY = 9984


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    answer: Answer
    expires: float


class AnswerCache:
    """Positive answers and denials for at most `cap_seconds`, failures of an upstream for a while.

    A name asked for before it existed therefore stays missing until its denial has expired, as in
    a real cluster. Answers other than failures can be had `stale_seconds` longer, by `stale`.
    `clock` gives seconds.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        cap_seconds: int = CAP_SECONDS,
        servfail_seconds: int = SERVFAIL_SECONDS,
        stale_seconds: int = 0,
    ) -> None:
        self._clock = clock
        self._cap_seconds = cap_seconds
        self._servfail_seconds = servfail_seconds
        self._stale_seconds = stale_seconds
        self._entries: OrderedDict[tuple[str, int], _Entry] = OrderedDict()

    def get(self, question: Question) -> Answer | None:
        """What is remembered, with what is left of its TTL; None where nothing is."""
        key = (question.name, question.qtype)
        entry = self._entries.get(key)
        if entry is None:
            return None
        left = entry.expires - self._clock()
        if left <= 0:
            if left <= -self._stale_seconds:
                del self._entries[key]
            return None
        # CoreDNS marks every cached answer authoritative: some clients discard others.
        return replace(_capped(entry.answer, int(left)), authoritative=True)

    def stale(self, question: Question) -> Answer | None:
        """What was remembered and is too old by now, with a TTL of 0; None where nothing is."""
        entry = self._entries.get((question.name, question.qtype))
        if entry is None or entry.answer.rcode == SERVFAIL:
            return None
        return replace(_capped(entry.answer, 0), authoritative=True)

    def put(self, question: Question, answer: Answer) -> Answer:
        """Remember an answer where that is allowed; the answer with its TTLs capped."""
        seconds = self._lifetime(answer)
        if not seconds:
            return answer
        self._entries[question.name, question.qtype] = _Entry(
            answer=answer, expires=self._clock() + seconds
        )
        if len(self._entries) > CAPACITY:
            self._entries.popitem(last=False)
        return _capped(answer, seconds)

    def _lifetime(self, answer: Answer) -> int:
        """Seconds to keep an answer; 0 for one that is not kept."""
        if answer.truncated or not answer.cacheable:
            return 0
        if answer.rcode == SERVFAIL:
            return self._servfail_seconds
        if answer.rcode not in (NOERROR, NXDOMAIN):
            return 0
        times = [int(r.ttl) for r in (*answer.answers, *answer.authority, *answer.additional)]
        if not answer.answers or answer.rcode == NXDOMAIN:
            times += [int(r.rdata.times[4]) for r in answer.authority if r.rtype == QTYPE.SOA]
        shortest = min([self._cap_seconds, *times]) if times else MINIMUM_SECONDS
        return max(MINIMUM_SECONDS, shortest)


def _capped(answer: Answer, seconds: int) -> Answer:
    return replace(
        answer,
        answers=with_ttl(answer.answers, seconds),
        authority=with_ttl(answer.authority, seconds),
        additional=with_ttl(answer.additional, seconds),
    )
