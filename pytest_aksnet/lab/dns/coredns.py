"""One CoreDNS replica with AKS' Corefile and what ConfigMap coredns-custom adds to it.

Owns which server block answers and the order of its plugins (coredns: plugin.cfg): cache, rewrite,
template, hosts, kubernetes, forward; loadbalance orders the answers. Every replica has caches of
its own, so two of them may disagree for as long as a TTL lasts.

The plugins errors, log, loop, reload, health, ready and prometheus are taken in coredns-custom and
change nothing here; others than these and those above are refused.
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from dnslib import RCODE, RR

from pytest_aksnet.lab.dns.aks_corefile import COREFILE
from pytest_aksnet.lab.dns.cache import AnswerCache
from pytest_aksnet.lab.dns.cluster_zone import ClusterZone, External
from pytest_aksnet.lab.dns.corefile import (
    CorefileError,
    Directive,
    server_blocks,
    zone_name,
)
from pytest_aksnet.lab.dns.message import (
    ADDRESS_TYPES,
    NOERROR,
    SERVFAIL,
    Answer,
    Question,
    Resolver,
    is_below,
)
from pytest_aksnet.lab.dns.plugins import Hosts, Rewrite, Template, rewrite_rule, rewritten

RESOLV_CONF = "/etc/resolv.conf"
_CACHE_SECONDS = 3600  # of the plugin cache without an argument
_WITHOUT_EFFECT = (
    *("bind", "bufsize", "debug", "errors", "health", "log", "loop"),
    *("prometheus", "ready", "reload"),
)
Upstreams = Callable[[Sequence[str]], Resolver]


@dataclass(slots=True, kw_only=True)
class _Block:
    """A server block: what it is for, and its plugins in CoreDNS' order."""

    zones: tuple[str, ...]
    cache: AnswerCache | None = None
    rewrites: list[Rewrite] = field(default_factory=list)
    templates: list[Template] = field(default_factory=list)
    hosts: Hosts | None = None
    kubernetes: ClusterZone | None = None
    balanced: bool = False
    forwards: list[tuple[str, tuple[str, ...], Resolver]] = field(default_factory=list)


class CoreDns:
    """The resolver of one replica.

    `upstreams` makes a resolver that forwards to these addresses; /etc/resolv.conf is one of them.
    `custom` is the data of ConfigMap coredns-custom. Raises CorefileError where CoreDNS would not
    start with it.
    """

    def __init__(
        self,
        zone: ClusterZone,
        upstreams: Upstreams,
        *,
        clock: Callable[[], float],
        custom: Mapping[str, str] | None = None,
    ) -> None:
        self._zone = zone
        self._upstreams = upstreams
        self._clock = clock
        self._blocks: list[_Block] = []
        self.configure(custom or {})

    def configure(self, custom: Mapping[str, str]) -> None:
        """Start anew, with empty caches. Raises CorefileError."""
        files = {f"custom/{name}": text for name, text in custom.items()}
        blocks = []
        for parsed in server_blocks(COREFILE, files):
            block = _Block(zones=parsed.zones)
            self._fill(block, parsed.plugins)
            blocks.append(block)
        known: set[str] = set()
        for zone in (one for block in blocks for one in block.zones):
            if zone in known:
                raise CorefileError(f"cannot serve dns://{zone}.:53 - it is already defined")
            known.add(zone)
        self._blocks = blocks

    def _fill(self, block: _Block, directives: Sequence[Directive]) -> None:
        for directive in directives:
            name = directive.name
            if name == "cache":
                most = next(iter(directive.arguments), "")
                seconds = int(most) if most.isdigit() else _CACHE_SECONDS
                block.cache = AnswerCache(self._clock, cap_seconds=seconds)
            elif name == "kubernetes":
                block.kubernetes = self._zone
            elif name == "loadbalance":
                block.balanced = True
            elif name == "rewrite":
                block.rewrites.append(rewrite_rule(directive))
            elif name == "template":
                block.templates.append(Template(directive))
            elif name == "hosts":
                if block.hosts is not None:
                    text = "this plugin can only be used once per Server Block"
                    raise CorefileError(f"plugin/hosts: {text}")
                block.hosts = Hosts(directive)
            elif name == "forward":
                if len(directive.arguments) < 2:
                    raise CorefileError("plugin/forward: Wrong argument count")
                zone, *to = directive.arguments
                excepted = tuple(map(zone_name, directive.property("except") or ()))
                block.forwards.append((zone_name(zone), excepted, self._upstreams(to)))
            elif name not in _WITHOUT_EFFECT:
                raise CorefileError(f"Unknown directive '{name}'")

    async def resolve(self, question: Question) -> Answer:
        """The answer as a pod gets it."""
        block = self._block(question.name)
        answer = await self._cached(block, question)
        return replace(answer, answers=_balanced(answer.answers)) if block.balanced else answer

    def _block(self, name: str) -> _Block:
        """The server block with the longest zone that the name is of."""
        found = [
            (len(zone), -index)
            for index, block in enumerate(self._blocks)
            for zone in block.zones
            if is_below(name, zone)
        ]
        return self._blocks[-max(found)[1]]

    async def _cached(self, block: _Block, question: Question) -> Answer:
        if block.cache is None:
            return await self._uncached(block, question)
        remembered = block.cache.get(question)
        if remembered is not None:
            return remembered
        return block.cache.put(question, await self._uncached(block, question))

    async def _uncached(self, block: _Block, question: Question) -> Answer:
        asked, rules = rewritten(block.rewrites, question)
        answer = await self._answer(block, asked)
        for rule in reversed(rules):
            answers = rule.restored(answer.answers, question.name, asked.name)
            answer = replace(answer, answers=answers)
        return answer

    async def _answer(self, block: _Block, question: Question) -> Answer:
        local = (*block.templates, *([block.hosts] if block.hosts else ()))
        for plugin in local:
            answer: Answer | None = plugin.answer(question)
            if answer is not None:
                return answer
        if block.kubernetes is not None:
            found = block.kubernetes.lookup(question)
            if isinstance(found, External):
                return await self._followed(found, question)
            if found is not None:
                return found
        for zone, excepted, upstream in block.forwards:
            if is_below(question.name, zone) and not any(
                is_below(question.name, one) for one in excepted
            ):
                return await upstream.resolve(question)
        return Answer(rcode=SERVFAIL if block.forwards else int(RCODE.REFUSED))

    async def _followed(self, found: External, question: Question) -> Answer:
        target = replace(question, name=found.target)
        followed = await self._cached(self._block(target.name), target)
        return Answer(
            rcode=NOERROR,
            answers=(*found.cnames, *followed.answers),
            authoritative=True,
            truncated=followed.truncated,
            cacheable=followed.cacheable,
        )


def _balanced(answers: Sequence[RR]) -> tuple[RR, ...]:
    addresses = [r for r in answers if r.rtype in ADDRESS_TYPES]
    if len(addresses) < 2:
        return tuple(answers)
    random.shuffle(addresses)
    return (*(r for r in answers if r.rtype not in ADDRESS_TYPES), *addresses)
