"""One iptables rule as nf_tables expressions: what iptables-nft(8) would send for its text.

A rule is written as iptables-save prints it. Matches and targets become the same expressions that
iptables 1.8 makes of them: native ones for addresses, protocols, ports and marks, nft_compat ones
(linux/netfilter/nf_tables_compat.h, the structs of linux/netfilter/xt_*.h) for the rest. So
`iptables-save` in the namespace shows the text again. Only what kube-proxy, the kubelet and the
masquerade agents write is known; anything else is a ValueError.
"""

import ipaddress
import re
import socket
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from pytest_aksnet.lab.kernel.attributes import attribute, big32, nested, text

_WORD = re.compile(r'"([^"]*)"|(\S+)')
_PROTOCOLS = {"tcp": 6, "udp": 17, "sctp": 132}
_VERDICTS = {"DROP": 0, "ACCEPT": 1, "RETURN": -5}
_JUMP = -3
_META_MARK, _META_PROTOCOL = 3, 16
_NETWORK, _TRANSPORT = 1, 2
_EQUAL, _DIFFERENT = 0, 1
_LOCAL = 1 << 2  # of RTN_LOCAL, as xt_addrtype counts types
_STATES = {"INVALID": 1, "ESTABLISHED": 2, "RELATED": 4, "NEW": 8, "DNAT": 0x80}
_RANDOM_FULLY = 1 << 4
_MAP_ADDRESSES, _MAP_PORTS = 1, 2


@dataclass(kw_only=True)
class _Rule:
    """The parts of a rule, in the order in which the kernel gets them."""

    family: int
    protocol: bytes = b""
    source: bytes = b""
    destination: bytes = b""
    matches: bytes = b""
    target: bytes = b""


@lru_cache(maxsize=65536)
def rule_attributes(family: int, line: str) -> bytes:
    """The attributes of NFT_MSG_NEWRULE for a rule's text, family AF_INET or AF_INET6.

    `line` begins behind `-A CHAIN`. Raises ValueError for what is not known here.
    """
    rule = _Rule(family=family)
    protocol = 0
    for kind, inverted, words in _parts(line):
        name, *rest = words
        if kind == "-p":
            protocol = _PROTOCOLS[name]
            rule.protocol = _meta(_META_PROTOCOL) + _compare(bytes([protocol]))
        elif kind == "-s":
            rule.source = _address(family, name, inverted=inverted, source=True)
        elif kind == "-d":
            rule.destination = _address(family, name, inverted=inverted, source=False)
        elif kind == "-j":
            rule.target = _target(family, name, rest)
        elif name in _MATCHES:
            rule.matches += _MATCHES[name](_Options.read(rest))
        else:
            raise ValueError(f"iptables rule {line!r}: the lab knows no match {name!r}")
    counter = _expression("counter", attribute(1, bytes(8)), attribute(2, bytes(8)))
    compat = nested(5, big32(1, protocol), big32(2, 0))
    body = rule.protocol + rule.source + rule.destination + rule.matches + counter + rule.target
    return nested(4, body) + compat


def _parts(line: str) -> Iterator[tuple[str, bool, list[str]]]:
    """A rule's parts: the word that begins it, whether `!` stood before, and what follows."""
    kind, inverted, words = "", False, list[str]()
    for quoted, plain in _WORD.findall(line):
        if plain in _KINDS:
            # A `!` at the end of a part belongs to the next one.
            before = words[-1:] == ["!"]
            if kind:
                yield kind, inverted, words[:-1] if before else words
            kind, inverted, words = plain, before, []
        else:
            words.append(quoted or plain)
    yield kind, inverted, words


@dataclass(frozen=True, slots=True)
class _Options:
    """The options of a match: their values, "" where they take none, and which are inverted."""

    values: Mapping[str, str]
    inverted: frozenset[str]

    @classmethod
    def read(cls, words: Sequence[str]) -> "_Options":
        values: dict[str, str] = {}
        inverted, last = set(), ""
        for number, word in enumerate(words):
            if word.startswith("--"):
                last = word
                values[last] = ""
                if number and words[number - 1] == "!":
                    inverted.add(last)
            elif word != "!":
                values[last] = word
        return cls(values, frozenset(inverted))


# -- expressions -----------------------------------------------------------------------------


def _expression(name: str, *attributes: bytes) -> bytes:
    return nested(1, text(1, name), nested(2, *attributes))


def _meta(key: int) -> bytes:
    return _expression("meta", big32(2, key), big32(1, 1))


def _payload(base: int, offset: int, length: int) -> bytes:
    return _expression("payload", big32(1, 1), big32(2, base), big32(3, offset), big32(4, length))


def _compare(value: bytes, *, inverted: bool = False) -> bytes:
    return _expression(
        "cmp",
        big32(1, 1),
        big32(2, _DIFFERENT if inverted else _EQUAL),
        nested(3, attribute(1, value)),
    )


def _and(mask: bytes) -> bytes:
    return _expression(
        "bitwise",
        big32(1, 1),
        big32(2, 1),
        big32(3, len(mask)),
        big32(6, 0),
        nested(4, attribute(1, mask)),
        nested(5, attribute(1, bytes(len(mask)))),
    )


def _extension(kind: str, name: str, revision: int, info: bytes) -> bytes:
    aligned = info + b"\0" * (-len(info) % 8)  # XT_ALIGN
    return _expression(kind, text(1, name), big32(2, revision), attribute(3, aligned))


def _verdict(code: int, chain: str = "") -> bytes:
    parts = [big32(1, code), *([text(2, chain)] if chain else [])]
    return _expression("immediate", big32(1, 0), nested(2, nested(2, *parts)))


# -- matches ---------------------------------------------------------------------------------


def _address(family: int, network: str, *, inverted: bool, source: bool) -> bytes:
    parsed = ipaddress.ip_network(network)
    size = 4 if family == socket.AF_INET else 16
    start = {(4, True): 12, (4, False): 16, (16, True): 8, (16, False): 24}[size, source]
    whole, rest = divmod(parsed.prefixlen, 8)
    packed = parsed.network_address.packed
    if not rest:
        return _payload(_NETWORK, start, whole) + _compare(packed[:whole], inverted=inverted)
    masked = _payload(_NETWORK, start, size) + _and(parsed.netmask.packed)
    return masked + _compare(packed, inverted=inverted)


def _transport(name: str, info: bytes) -> "Callable[[_Options], bytes]":
    def match(options: _Options) -> bytes:
        port = options.values.get("--dport")
        if port is None:
            return _extension("match", name, 0, info)
        value = int(port).to_bytes(2, "big")
        return _payload(_TRANSPORT, 2, 2) + _compare(value, inverted="--dport" in options.inverted)

    return match


def _sctp(options: _Options) -> bytes:
    """The one protocol whose ports iptables does not match natively."""
    port = options.values.get("--dport")
    first, last = (0, 65535) if port is None else (int(port), int(port))
    inverted = _SCTP_DPORT * ("--dport" in options.inverted)
    flags = 0 if port is None else _SCTP_DPORT
    info = struct.pack("=HHHH272xiII", first, last, 0, 65535, 0, flags, inverted)
    return _extension("match", "sctp", 0, info)


def _comment(options: _Options) -> bytes:
    shown = options.values["--comment"].encode()[:255]
    return _extension("match", "comment", 0, shown.ljust(256, b"\0"))


def _address_type(options: _Options) -> bytes:
    types, flags = [0, 0], 0
    for number, name in enumerate(("--src-type", "--dst-type")):
        if name in options.values:
            _only(options.values[name], "LOCAL")
            types[number] = _LOCAL
            flags |= (1 << number) * (name in options.inverted)
    return _extension("match", "addrtype", 1, struct.pack("=HHI", *types, flags))


def _connection(options: _Options) -> bytes:
    states = sum(_STATES[name] for name in options.values["--ctstate"].split(","))
    inverted = "--ctstate" in options.inverted
    info = bytes(146) + struct.pack("=HHHH", 1, inverted, states, 0) + bytes(10)
    return _extension("match", "conntrack", 3, info)


def _marked(options: _Options) -> bytes:
    mark, mask = (struct.pack("=I", int(part, 0)) for part in options.values["--mark"].split("/"))
    return _meta(_META_MARK) + _and(mask) + _compare(mark, inverted="--mark" in options.inverted)


def _chance(options: _Options) -> bytes:
    _only(options.values["--mode"], "random")
    chance = round(float(options.values["--probability"]) * 0x80000000)
    return _extension("match", "statistic", 0, struct.pack("=HHI", 0, 0, chance) + bytes(16))


def _recent(options: _Options) -> bytes:
    flags = sum(flag for name, flag in _RECENT_FLAGS.items() if name in options.values)
    info = struct.pack("=IIBB", int(options.values.get("--seconds", 0)), 0, flags, 0)
    info += options.values["--name"].encode()[:199].ljust(200, b"\0")
    return _extension("match", "recent", 1, info + b"\0\0" + b"\xff" * 16)


def _only(given: str, known: str) -> None:
    if given != known:
        raise ValueError(f"{given!r}: the lab's iptables knows {known} only")


_SCTP_DPORT = 0x2
_RECENT_FLAGS = {"--rcheck": 0x1, "--set": 0x2, "--reap": 0x20}
_KINDS = ("-s", "-d", "-p", "-m", "-j")
_MATCHES: Mapping[str, Callable[[_Options], bytes]] = {
    "tcp": _transport("tcp", struct.pack("=HHHHI", 0, 65535, 0, 65535, 0)),
    "udp": _transport("udp", struct.pack("=HHHHB", 0, 65535, 0, 65535, 0)),
    "sctp": _sctp,
    "comment": _comment,
    "addrtype": _address_type,
    "conntrack": _connection,
    "mark": _marked,
    "statistic": _chance,
    "recent": _recent,
}


# -- targets ---------------------------------------------------------------------------------


def _target(family: int, name: str, rest: Sequence[str]) -> bytes:
    if name in _VERDICTS:
        return _verdict(_VERDICTS[name])
    if name in _TARGETS:
        return _TARGETS[name](family, _Options.read(rest).values)
    return _verdict(_JUMP, name)


def _mark(family: int, options: Mapping[str, str]) -> bytes:
    del family
    mark, mask = (int(part, 0) for part in options["--set-xmark"].split("/"))
    return _extension("target", "MARK", 2, struct.pack("=II", mark, mask))


def _masquerade(family: int, options: Mapping[str, str]) -> bytes:
    flags = _RANDOM_FULLY if "--random-fully" in options else 0
    if family == socket.AF_INET:
        info = struct.pack("=II", 1, flags) + bytes(12)
    else:
        info = struct.pack("=I", flags) + bytes(36)
    return _extension("target", "MASQUERADE", 0, info)


def _translate_destination(family: int, options: Mapping[str, str]) -> bytes:
    del family
    host, _, port = options["--to-destination"].rpartition(":")
    packed = ipaddress.ip_address(host.strip("[]")).packed.ljust(16, b"\0")
    ports = int(port).to_bytes(2, "big")
    flags = struct.pack("=I", _MAP_ADDRESSES | _MAP_PORTS)
    return _extension("target", "DNAT", 2, flags + packed * 2 + ports * 2 + bytes(4))


def _translate_source(family: int, options: Mapping[str, str]) -> bytes:
    if family != socket.AF_INET:
        raise ValueError("SNAT: the lab's iptables knows it for IPv4 only")
    packed = ipaddress.ip_address(options["--to-source"]).packed
    info = struct.pack("=II", 1, _MAP_ADDRESSES) + packed * 2 + bytes(4)
    return _extension("target", "SNAT", 0, info)


def _reject(family: int, options: Mapping[str, str]) -> bytes:
    wanted, code = _REFUSALS[family]
    _only(options["--reject-with"], wanted)
    return _extension("target", "REJECT", 0, struct.pack("=I", code))


_REFUSALS = {
    int(socket.AF_INET): ("icmp-port-unreachable", 3),
    int(socket.AF_INET6): ("icmp6-port-unreachable", 4),
}
_TARGETS: Mapping[str, Callable[[int, Mapping[str, str]], bytes]] = {
    "MARK": _mark,
    "MASQUERADE": _masquerade,
    "DNAT": _translate_destination,
    "SNAT": _translate_source,
    "REJECT": _reject,
}
