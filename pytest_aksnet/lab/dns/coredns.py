"""One CoreDNS replica with AKS' Corefile: loadbalance, cache, templates, kubernetes, forward.

Every replica has a cache of its own, so two of them may disagree for as long as a TTL lasts.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dnslib import RR

from pytest_aksnet.lab.dns.cache import AnswerCache
from pytest_aksnet.lab.dns.cluster_zone import ClusterZone, External
from pytest_aksnet.lab.dns.message import (
    ADDRESS_TYPES,
    NOERROR,
    NXDOMAIN,
    SERVFAIL,
    Answer,
    Question,
    Resolver,
    is_below,
)

_INTERNAL_SUFFIX = "internal.cloudapp.net"
_DENIED_SUFFIX = "reddog.microsoft.com"
_SHORTEST_DENIED_INTERNAL_NAME = 4 + 3  # labels: four or more before the suffix


@dataclass(slots=True, kw_only=True)
class CustomCorefile:
    """What all replicas have beyond AKS' Corefile (AKS docs: coredns-custom).

    `servfail` is `template ANY ANY { rcode SERVFAIL }`: it answers before the cluster's zone does.
    """

    servfail: bool = False


class CoreDns:
    """The resolver of one replica. `upstream` is what `forward . /etc/resolv.conf` leads to."""

    def __init__(
        self,
        zone: ClusterZone,
        upstream: Resolver,
        *,
        clock: Callable[[], float],
        custom: CustomCorefile | None = None,
    ) -> None:
        self._zone = zone
        self._upstream = upstream
        self._custom = custom or CustomCorefile()
        self._cache = AnswerCache(clock)

    async def resolve(self, question: Question) -> Answer:
        """The answer as a pod gets it, address records in random order."""
        if self._custom.servfail:
            return Answer(rcode=SERVFAIL)
        answer = await self._cached(question)
        return replace(answer, answers=_balanced(answer.answers))

    async def _cached(self, question: Question) -> Answer:
        remembered = self._cache.get(question)
        if remembered is not None:
            return remembered
        return self._cache.put(question, await self._uncached(question))

    async def _uncached(self, question: Question) -> Answer:
        if _denied_by_template(question.name):
            return Answer(rcode=NXDOMAIN)
        found = self._zone.lookup(question)
        if found is None:
            return await self._upstream.resolve(question)
        if isinstance(found, External):
            target = replace(question, name=found.target)
            followed = await self._cached(target)
            return Answer(
                rcode=NOERROR,
                answers=(*found.cnames, *followed.answers),
                authoritative=True,
                truncated=followed.truncated,
                cacheable=followed.cacheable,
            )
        return found


def _denied_by_template(name: str) -> bool:
    """AKS' Corefile keeps search-list expansions of these suffixes from the upstream."""
    if is_below(name, _DENIED_SUFFIX):
        return True
    long_enough = name.count(".") + 1 >= _SHORTEST_DENIED_INTERNAL_NAME
    return long_enough and is_below(name, _INTERNAL_SUFFIX)


def _balanced(answers: Sequence[RR]) -> tuple[RR, ...]:
    addresses = [r for r in answers if r.rtype in ADDRESS_TYPES]
    if len(addresses) < 2:
        return tuple(answers)
    random.shuffle(addresses)
    return (*(r for r in answers if r.rtype not in ADDRESS_TYPES), *addresses)
