"""Reads Corefiles as CoreDNS does, as far as promises rest on them: blocks, plugins, settings.

Source: CoreDNS manual, "Corefile Explained" and the pages of its plugins; AKS docs: coredns-custom.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pytest_aksnet.model.verdict import Outcome, Verdict

CUSTOM = "AKS docs: coredns-custom; CoreDNS manual: Corefile Explained"
_OVERRIDE = ".override"
SUFFIXES = (".server", _OVERRIDE)
# Those that CoreDNS is built with (plugin.cfg): AKS adds none.
# fmt: off
PLUGINS = frozenset((
    "acl", "any", "auto", "autopath", "azure", "bind", "bufsize", "cache", "cancel", "chaos",
    "clouddns", "debug", "dns64", "dnssec", "dnstap", "erratic", "errors", "etcd", "file",
    "forward", "geoip", "grpc", "grpc_server", "header", "health", "hosts", "https", "https3",
    "import", "k8s_external", "kubernetes", "loadbalance", "local", "log", "loop", "metadata",
    "minimal", "multisocket", "nomad", "nsid", "on", "pprof", "prometheus", "quic", "ready",
    "reload", "renumber", "rewrite", "root", "route53", "secondary", "sign", "template",
    "timeouts", "tls", "trace", "transfer", "tsig", "view", "whoami",
))
# fmt: on
_KUBERNETES_TTL_S = 5
_LEAST_TTL_S = 5  # the plugin cache raises shorter ones
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|#[^\n]*|\n|[^\s"]\S*')


class CorefileBroken(ValueError):
    """A text that CoreDNS would not start with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Directive:
    """A line: a plugin, a property or the zones of a server block, with what is in its braces."""

    words: tuple[str, ...]
    body: tuple["Directive", ...] = ()


def parse(text: str) -> tuple[Directive, ...]:
    """The lines of a Corefile, nested. Raises CorefileBroken."""
    stack: list[list[Directive]] = [[]]
    heads: list[tuple[str, ...]] = []
    words: list[str] = []
    for token in _tokens(text):
        if token == "{":
            if not words:
                raise CorefileBroken("a brace opens without anything before it")
            heads.append(tuple(words))
            stack.append([])
            words = []
        elif token in ("\n", "}"):
            if words:
                stack[-1].append(Directive(words=tuple(words)))
                words = []
            if token == "}":
                if not heads:
                    raise CorefileBroken("a brace closes that none has opened")
                body = tuple(stack.pop())
                stack[-1].append(Directive(words=heads.pop(), body=body))
        else:
            words.append(token)
    if heads:
        raise CorefileBroken(f"the brace after {' '.join(heads[-1])} is not closed")
    return tuple(stack[0])


def has_plugin(text: str, plugin: str) -> bool:
    """Whether a server block of a Corefile has this plugin; not where it does not parse."""
    try:
        blocks = parse(text)
    except CorefileBroken:
        return False
    return any(one.words[0] == plugin for block in blocks for one in block.body)


def pod_records(text: str) -> str:
    """What the plugin kubernetes does with names of pods: disabled, insecure or verified."""
    return _setting(text, "kubernetes", "pods") or "disabled"


def denial_ttl_s(text: str) -> int:
    """How long denials of the cluster's names may be kept (seconds)."""
    ttl = _setting(text, "kubernetes", "ttl")
    return max(_LEAST_TTL_S, int(ttl) if ttl and ttl.isdigit() else _KUBERNETES_TTL_S)


def judge_custom(data: Mapping[str, str], *, unknown_plugins_fail: bool) -> Verdict:
    """Whether ConfigMap coredns-custom is one that CoreDNS starts with.

    A plugin that CoreDNS does not come with is a warning where it may have been built with it.
    """
    problems = [problem for key in sorted(data) for problem in _problems(key, data[key])]
    unknown = [problem for key in sorted(data) for problem in _unknown_plugins(key, data[key])]
    if unknown_plugins_fail:
        problems += unknown
    if problems:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence="CoreDNS does not read coredns-custom, or does not start with it any more: "
            + "; ".join(problems),
            source=CUSTOM,
        )
    keys = ", ".join(sorted(data)) or "no key"
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"coredns-custom has {keys}, and parses",
        source=CUSTOM,
        warning="; ".join(unknown),
    )


def _problems(key: str, text: str) -> Iterator[str]:
    if not key.endswith(SUFFIXES):
        yield f"the key {key} ends neither with .server nor with .override, so it is never read"
        return
    try:
        lines = parse(text)
    except CorefileBroken as broken:
        yield f"{key}: {broken}"
        return
    for line in () if key.endswith(_OVERRIDE) else lines:
        if not line.body and line.words[0] != "import":
            yield f"{key}: {' '.join(line.words)} is no server block, which has braces"


def _unknown_plugins(key: str, text: str) -> Iterator[str]:
    try:
        lines = parse(text) if key.endswith(SUFFIXES) else ()
    except CorefileBroken:
        return
    inside = lines if key.endswith(_OVERRIDE) else [one for block in lines for one in block.body]
    for plugin in inside:
        if plugin.words[0] not in PLUGINS:
            yield f"{key}: {plugin.words[0]} is no plugin of CoreDNS"


def _setting(text: str, plugin: str, name: str) -> str | None:
    """The first argument of a property of the first such plugin; None without one."""
    try:
        blocks = parse(text)
    except CorefileBroken:
        return None
    for directive in (one for block in blocks for one in block.body):
        if directive.words[0] == plugin:
            for line in directive.body:
                if line.words[0] == name and len(line.words) > 1:
                    return line.words[1]
    return None


def _tokens(text: str) -> Iterator[str]:
    at = 0
    while at < len(text):
        found = _TOKEN.match(text, at)
        if found is None:
            if text[at] == '"':
                raise CorefileBroken("a quotation mark is not closed")
            at += 1
            continue
        at = found.end()
        token = found.group()
        if not token.startswith("#"):
            yield token
    yield "\n"
