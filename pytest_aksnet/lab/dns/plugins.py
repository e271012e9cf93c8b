"""The CoreDNS plugins that ConfigMap coredns-custom may use, apart from forward: pure, no I/O.

Source: CoreDNS manual, plugins hosts, template and rewrite; of rewrite the field `name` alone.
"""

import ipaddress
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dnslib import QTYPE, RCODE, RR, DNSError
from dnslib.dns import CLASS

from pytest_aksnet.lab.dns.corefile import CorefileError, Directive, zone_name
from pytest_aksnet.lab.dns.message import (
    NOERROR,
    SERVFAIL,
    Answer,
    Question,
    address_record,
    is_below,
    ptr_record,
)

_HOSTS_TTL = 3600
_ANY = "ANY"
_MATCHES = ("exact", "prefix", "suffix", "substring", "regex")


class Hosts:
    """`hosts [ZONES...] { IP NAME...; ttl SECONDS; fallthrough [ZONES...] }`."""

    def __init__(self, directive: Directive) -> None:
        self._zones = tuple(map(zone_name, directive.arguments)) or ("",)
        self._ttl = _HOSTS_TTL
        self._fall: tuple[str, ...] | None = None
        self._addresses: dict[str, list[str]] = {}
        self._names: dict[str, list[str]] = {}
        for line in directive.body:
            if line.name == "fallthrough":
                self._fall = tuple(map(zone_name, line.arguments)) or ("",)
            elif line.name == "ttl" and line.arguments:
                self._ttl = int(line.arguments[0])
            elif line.name not in ("no_reverse", "reload"):
                self._add(line)

    def _add(self, line: Directive) -> None:
        try:
            address = ipaddress.ip_address(line.name)
        except ValueError:
            raise CorefileError(f"plugin/hosts: unknown property '{line.name}'") from None
        for name in map(zone_name, line.arguments):
            self._addresses.setdefault(name, []).append(str(address))
            self._names.setdefault(address.reverse_pointer, []).append(name)

    def answer(self, question: Question) -> Answer | None:
        """The answer; None where the next plugin is to answer."""
        name, qtype = question.name, question.qtype
        reverse = qtype == QTYPE.PTR and name in self._names
        if not reverse and not any(is_below(name, zone) for zone in self._zones):
            return None
        found = [ptr_record(name, one, self._ttl) for one in self._names.get(name, ()) if reverse]
        for address in self._addresses.get(name, ()):
            record = address_record(name, address, self._ttl)
            found += [record] if record.rtype == qtype else []
        if found:
            return Answer(answers=found, authoritative=True)
        if name in self._addresses or name in self._names:
            return Answer(authoritative=True)
        if self._fall is not None and any(is_below(name, zone) for zone in self._fall):
            return None
        # A denial needs an SOA record, which a hosts file does not have: the plugin gives up.
        return Answer(rcode=SERVFAIL)


class Template:
    """`template CLASS TYPE [ZONES...] { match REGEX; answer RR; rcode CODE; fallthrough }`.

    Answers may use {{ .Name }}, {{ .Zone }} and the groups of the match by name or number.
    """

    def __init__(self, directive: Directive) -> None:
        if len(directive.arguments) < 2 or directive.arguments[0] not in ("IN", _ANY):
            raise CorefileError("plugin/template: expected are a class (IN, ANY) and a type")
        self._type = directive.arguments[1]
        self._zones = tuple(map(zone_name, directive.arguments[2:])) or ("",)
        self._matches: list[re.Pattern[str]] = []
        self._answers: list[str] = []
        self._rcode = NOERROR
        self._falls = False
        for line in directive.body:
            if line.name == "match":
                self._matches += [_pattern(text, "template") for text in line.arguments]
            elif line.name == "answer":
                self._answers += line.arguments
            elif line.name == "rcode" and line.arguments:
                self._rcode = int(getattr(RCODE, line.arguments[0].upper(), RCODE.SERVFAIL))
            elif line.name == "fallthrough":
                self._falls = True
            else:
                raise CorefileError(f"plugin/template: unknown property '{line.name}'")

    def answer(self, question: Question) -> Answer | None:
        """The answer; None where the next plugin is to answer."""
        zone = next((one for one in self._zones if is_below(question.name, one)), None)
        if zone is None or self._type not in (_ANY, QTYPE.get(question.qtype)):
            return None
        name = f"{question.name}."
        groups: dict[str, str] = {"Name": name, "Zone": f"{zone}."}
        if self._matches:
            found = next((m for one in self._matches if (m := one.search(name))), None)
            if found is None:
                return None if self._falls else Answer(rcode=RCODE.NXDOMAIN, authoritative=True)
            numbered = {str(n): text or "" for n, text in enumerate(found.groups(), 1)}
            named = {key: text or "" for key, text in found.groupdict().items()}
            groups |= {f"Group.{key}": text for key, text in (numbered | named).items()}
        try:
            records = [one for text in self._answers for one in _records(text, groups)]
        except (DNSError, ValueError, IndexError, KeyError):
            return Answer(rcode=RCODE.SERVFAIL)  # as for every answer that is not a record
        return Answer(rcode=self._rcode, answers=records, authoritative=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewrite:
    """`rewrite [stop|continue] name [exact|prefix|suffix|substring|regex] FROM TO`, or as a block.

    `answer` is the pattern and text of `answer name`, which gives answers their names back; a
    rule of the kind exact does so by itself.
    """

    kind: str
    old: str
    new: str
    stops: bool
    answer: tuple[re.Pattern[str], str] | None

    def renamed(self, name: str) -> str | None:
        """The name that is asked instead of this one; None where the rule does not match."""
        dotted = f"{name}."
        old = self.old if self.old.endswith(".") or self.kind != "exact" else f"{self.old}."
        if self.kind == "regex":
            found = _pattern(self.old, "rewrite").search(dotted) or _pattern(
                self.old, "rewrite"
            ).search(name)
            return zone_name(_filled(self.new, found)) if found else None
        matches = {
            "exact": dotted == old,
            "prefix": dotted.startswith(old),
            "suffix": dotted.endswith(f"{old.rstrip('.')}."),
            "substring": old in dotted,
        }[self.kind]
        if not matches:
            return None
        if self.kind == "exact":
            return zone_name(self.new)
        if self.kind == "prefix":
            return zone_name(self.new + dotted[len(old) :])
        if self.kind == "suffix":
            return zone_name(name[: len(name) - len(zone_name(old))] + zone_name(self.new))
        return zone_name(dotted.replace(old, self.new))

    def restored(self, answers: Sequence[RR], asked: str, renamed: str) -> list[RR]:
        """The answers to the new name, as they are given to who asked the old one."""
        result = []
        for record in answers:
            owner = str(record.rname).lower().rstrip(".")
            if self.kind == "exact" and owner == renamed:
                owner = asked
            elif self.answer is not None:
                found = self.answer[0].search(f"{owner}.") or self.answer[0].search(owner)
                owner = zone_name(_filled(self.answer[1], found)) if found else owner
            result.append(
                RR(owner, record.rtype, rclass=record.rclass, ttl=record.ttl, rdata=record.rdata)
            )
        return result


def rewrite_rule(directive: Directive) -> Rewrite:
    """The rule that a directive states. Raises CorefileError."""
    words = [*directive.arguments]
    mode = words.pop(0) if words and words[0] in ("stop", "continue") else "stop"
    answer: tuple[re.Pattern[str], str] | None = None
    for line in directive.body:
        if line.name == "answer" and line.arguments[:1] == ("name",) and len(line.arguments) == 3:
            answer = (_pattern(line.arguments[1], "rewrite"), line.arguments[2])
        elif line.name == "name":
            words = ["name", *line.arguments]
    if words[3:5] == ["answer", "name"] or words[4:6] == ["answer", "name"]:
        start = words.index("answer")
        if len(words) >= start + 4:
            answer = (_pattern(words[start + 2], "rewrite"), words[start + 3])
        words = words[:start]
    if words[:1] != ["name"] or len(words) not in (3, 4):
        raise CorefileError("plugin/rewrite: the lab's CoreDNS rewrites names alone")
    kind = words[1] if len(words) == 4 else "exact"
    if kind not in _MATCHES:
        raise CorefileError(f"plugin/rewrite: unknown matcher '{kind}'")
    if kind == "regex":
        _pattern(words[-2], "rewrite")
    return Rewrite(
        kind=kind,
        old=words[-2] if kind == "regex" else words[-2].lower(),
        new=words[-1],
        stops=mode == "stop",
        answer=answer,
    )


def rewritten(rules: Sequence[Rewrite], question: Question) -> tuple[Question, list[Rewrite]]:
    """The question after the rules, and those that matched."""
    used: list[Rewrite] = []
    for rule in rules:
        name = rule.renamed(question.name)
        if name is not None:
            question = replace(question, name=name)
            used.append(rule)
            if rule.stops:
                break
    return question, used


def _pattern(text: str, plugin: str) -> re.Pattern[str]:
    try:
        return re.compile(text)
    except re.error as error:
        raise CorefileError(f"plugin/{plugin}: invalid regex '{text}': {error}") from error


def _filled(text: str, found: re.Match[str]) -> str:
    for number, group in enumerate(found.groups(), 1):
        text = text.replace(f"{{{number}}}", group or "")
    return text


def _records(text: str, groups: dict[str, str]) -> list[RR]:
    """The records of a template's answer. Raises what dnslib does where it is none."""
    for key, value in groups.items():
        text = re.sub(r"\{\{\s*\." + re.escape(key) + r"\s*\}\}", value.replace("\\", ""), text)
    return [one for one in RR.fromZone(text) if one.rclass == CLASS.IN]
