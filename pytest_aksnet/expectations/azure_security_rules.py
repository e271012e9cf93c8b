"""How Azure judges a flow by network security groups: priorities, prefixes, service tags. Pure.

What cannot be known here stays open: members of application security groups, the ranges of most
service tags, networks behind gateways. Sources: "Azure docs: network-security-groups-overview,
service-tags-overview".
"""

import enum
import functools
import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_aksnet.expectations.addresses import is_private
from pytest_aksnet.model.azure_security import SecurityGroup, SecurityRule

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

INBOUND, OUTBOUND = "inbound", "outbound"
PROBE_SOURCE = "168.63.129.16"
METADATA = "169.254.169.254"
LAST_PORT = 65535
# Traffic with these is judged only by rules that name one of Azure's platform tags.
_PLATFORM = (PROBE_SOURCE, METADATA)
_PLATFORM_TAG = "azureplatform"
_TAGS_OF_PLATFORM = {
    "azureplatformdns": PROBE_SOURCE,
    "azureplatformlkm": PROBE_SOURCE,
    "azureplatformimds": METADATA,
}
_ANY = ("*", "any")


class Effect(enum.Enum):
    """What becomes of a flow. OPEN: what is known here does not decide it."""

    ALLOW = "allow"
    DENY = "deny"
    OPEN = "open"


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What the tag VirtualNetwork means for a subnet: its `networks`.

    With `may_be_all` it may be every address, as it is where a default route is user-defined.
    """

    networks: tuple[Network, ...]
    may_be_all: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """What begins a connection: `direction` as the group's machine sees it, `protocol` tcp or udp.

    Its source port is any.
    """

    direction: str
    protocol: str
    source: str
    destination: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What a group makes of a flow: the `rule` that decides, as far as is known.

    `doubts` are rules before it that may match and say the opposite.
    """

    effect: Effect
    group: SecurityGroup | None = None
    rule: SecurityRule | None = None
    doubts: tuple[SecurityRule, ...] = ()

    @property
    def named(self) -> str:
        """The rule that decides, in words."""
        rule = self.rule.name if self.rule else "unknown"
        return f"rule {rule} of security group {self.group.name if self.group else 'unknown'}"

    @property
    def why_open(self) -> str:
        """Why more is not known, in words."""
        where = self.group.name if self.group else "unknown"
        names = ", ".join(one.name for one in self.doubts)
        said = f"has rules that may match ({names})" if names else "was not told whole"
        return f"security group {where} {said}"

    @property
    def to_change(self) -> str:
        """The id of the rule; of a default one that of the group, as those cannot be changed."""
        if self.rule is not None and not self.rule.is_default:
            return self.rule.id
        return self.group.id if self.group else ""


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    """The ranges among these texts; others, such as service tags, are left out."""
    return tuple(one for one in map(_network, texts) if one is not None)


@functools.lru_cache(maxsize=4096)
def _network(text: str) -> Network | None:
    try:
        return ipaddress.ip_network(text, strict=False)
    except ValueError:
        return None


def ruling(group: SecurityGroup, flow: Flow, around: Surroundings) -> Ruling:
    """What one group makes of a flow."""
    matching = _matching(
        group, flow.direction, flow.protocol, flow.source, flow.destination, around
    )
    return _decided(group, matching, flow)


def ruling_of_all(groups: Sequence[SecurityGroup], flow: Flow, around: Surroundings) -> Ruling:
    """What groups in a row make of it, as those of subnet and interface: all must allow."""
    rulings = [ruling(group, flow, around) for group in groups]
    for effect in (Effect.DENY, Effect.OPEN):
        for one in rulings:
            if one.effect is effect:
                return one
    return rulings[0] if rulings else Ruling(effect=Effect.ALLOW)


def lets_others_in(found: Ruling, flow: Flow, around: Surroundings) -> bool:
    """Whether a rule before the one that decides lets somebody else in to the same place.

    Whoever wrote these means to let in some and not all: another load balancer or a gateway before
    the Service. Rules for the health probes, and for the virtual network alone where the flow comes
    from the internet, say nothing of that.
    """
    if found.group is None or found.rule is None or found.rule.is_default:
        return False
    if found.rule.access.lower() != "deny":
        return False
    for rule in found.group.rules:
        if rule.is_default or rule.access.lower() != "allow" or rule.priority is None:
            continue
        here = _all(
            (
                rule.direction.lower() == flow.direction,
                rule.priority < (found.rule.priority or 0),
                _is_protocol(rule.protocol, flow.protocol),
                _any(is_in(one, flow.destination, around) for one in rule.destinations),
                _any(_has_port(one, flow.port) for one in rule.destination_ports),
            )
        )
        if here and any(_is_of_clients(one, flow.source) for one in rule.sources):
            return True
    return False


def _is_of_clients(entry: str, source: str) -> bool:
    """Whether an entry may be of clients like this source: of the internet, or of networks."""
    word = entry.lower()
    if word in (*_ANY, "azureloadbalancer") or word.startswith(_PLATFORM_TAG):
        return False
    if is_private(source):
        return True
    network = _network(entry)
    if network is None:
        return word != "virtualnetwork"
    return bool(network.prefixlen) and not is_private(str(network.network_address))


def ports_denied(
    group: SecurityGroup,
    direction: str,
    protocol: str,
    source: str,
    destination: str,
    around: Surroundings,
) -> Iterator[tuple[int, int, Ruling]]:
    """Ranges of destination ports (first, last) that are denied or open, each with its ruling."""
    matching = _matching(group, direction, protocol, source, destination, around)
    starts = sorted({0, *(start for rule, _ in matching for start in _starts(rule))})
    found: tuple[int, int, Ruling] | None = None
    for start, following in zip(starts, [*starts[1:], LAST_PORT + 1], strict=True):
        flow = Flow(
            direction=direction,
            protocol=protocol,
            source=source,
            destination=destination,
            port=start,
        )
        one = _decided(group, matching, flow)
        if found is not None and found[2] == one:
            found = (found[0], following - 1, one)
            continue
        if found is not None and found[2].effect is not Effect.ALLOW:
            yield found
        found = (start, following - 1, one)
    if found is not None and found[2].effect is not Effect.ALLOW:
        yield found


def is_in(entry: str, address: str, around: Surroundings) -> bool | None:
    """Whether an entry of a rule (prefix, `*`, service tag) has an address; None: not known."""
    word = entry.lower()
    if word in _ANY:
        return True
    if (prefix := _network(entry)) is not None:
        return _has((prefix,), address)
    inside = _has(around.networks, address) or address == PROBE_SOURCE
    match word:
        case "virtualnetwork":
            if inside:
                return True
            # Networks behind a gateway count too, and nobody names them here.
            return None if around.may_be_all or is_private(address) else False
        case "internet":
            return not inside and not is_private(address) and address not in _PLATFORM
        case "azureloadbalancer":
            return address == PROBE_SOURCE
    if word.startswith(_PLATFORM_TAG):
        return _TAGS_OF_PLATFORM.get(word) == address
    # The other tags stand for public addresses of Azure's services.
    return False if inside or is_private(address) else None


def _matching(
    group: SecurityGroup,
    direction: str,
    protocol: str,
    source: str,
    destination: str,
    around: Surroundings,
) -> list[tuple[SecurityRule, bool]]:
    """Rules for these addresses in order, each with whether that is certain, ports aside."""
    found = []
    of_platform = direction == OUTBOUND and destination in _PLATFORM
    for rule in sorted(group.rules, key=lambda one: one.priority or 0):
        if rule.direction and rule.direction.lower() != direction:
            continue
        if of_platform and not any(_is_platform_tag(one) for one in rule.destinations):
            continue
        certain = _all(
            (
                None if rule.is_by_members or rule.priority is None or not rule.direction else True,
                _is_protocol(rule.protocol, protocol),
                _any(is_in(one, source, around) for one in rule.sources),
                _any(is_in(one, destination, around) for one in rule.destinations),
                True if "*" in rule.source_ports else None,
            )
        )
        if certain is not False:
            found.append((rule, certain is True))
    return found


def _decided(
    group: SecurityGroup, matching: Sequence[tuple[SecurityRule, bool]], flow: Flow
) -> Ruling:
    doubts: list[SecurityRule] = []
    for rule, certain in matching:
        at_port = _any(_has_port(one, flow.port) for one in rule.destination_ports)
        if at_port is False:
            continue
        if not certain or at_port is None or not rule.access:
            doubts.append(rule)
            continue
        others = tuple(one for one in doubts if one.access.lower() != rule.access.lower())
        effect = Effect.ALLOW if rule.access.lower() == "allow" else Effect.DENY
        if others or not group.is_whole:
            effect = Effect.OPEN
        return Ruling(effect=effect, group=group, rule=rule, doubts=others)
    if flow.direction == OUTBOUND and flow.destination in _PLATFORM and not doubts:
        return Ruling(effect=Effect.ALLOW if group.is_whole else Effect.OPEN, group=group)
    return Ruling(effect=Effect.OPEN, group=group, doubts=tuple(doubts))


def _starts(rule: SecurityRule) -> Iterator[int]:
    """Where ports begin, or end, to match a rule."""
    for text in rule.destination_ports:
        ports = _port_range(text)
        if ports is not None:
            yield ports[0]
            if ports[1] < LAST_PORT:
                yield ports[1] + 1


def _has_port(text: str, port: int) -> bool | None:
    ports = _port_range(text)
    return None if ports is None else ports[0] <= port <= ports[1]


def _port_range(text: str) -> tuple[int, int] | None:
    if text in _ANY:
        return 0, LAST_PORT
    first, _, last = text.partition("-")
    if first.isdecimal() and (last or first).isdecimal():
        return int(first), int(last or first)
    return None


def _is_protocol(text: str, protocol: str) -> bool | None:
    return None if not text else text in _ANY or text.lower() == protocol


def _is_platform_tag(text: str) -> bool:
    return text.lower().startswith(_PLATFORM_TAG)


def _has(ranges: Iterable[Network], address: str) -> bool:
    wanted = ipaddress.ip_address(address)
    return any(wanted in one for one in ranges)


def _any(answers: Iterable[bool | None]) -> bool | None:
    """Whether one of them is true; None where none is and one is not known, or none is there."""
    seen = list(answers)
    if True in seen:
        return True
    return None if None in seen or not seen else False


def _all(answers: Iterable[bool | None]) -> bool | None:
    seen = list(answers)
    if False in seen:
        return False
    return None if None in seen else True
