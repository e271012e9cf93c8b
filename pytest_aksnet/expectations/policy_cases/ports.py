"""Cases 123 to 192: the base policy with no port, each of 27 ports, and seven times two ports."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_aksnet.expectations.policy_cases.layout import FIRST, SECOND, port_name
from pytest_aksnet.expectations.policy_cases.policies import Json, base_changed
from pytest_aksnet.expectations.policy_cases.steps import generated, step
from pytest_aksnet.model.policy_table import PolicyCase

_PROTOCOLS = ("tcp", "udp", "sctp")
_BELOW, _AMONG, _ABOVE = 8053, 8080, 8084
_SERVED_BY_NOBODY = 7981


@dataclass(frozen=True, kw_only=True)
class _Port:
    """A port of a rule: what is None is left out of it."""

    protocol: str | None = None
    port: int | str | None = None
    end: int | None = None
    pathological: bool = False

    @property
    def says(self) -> str:
        protocol = self.protocol.upper() if self.protocol else "no protocol"
        if self.port is None:
            return f"{protocol}, no port"
        return f"{protocol} {self.port}" + (f" to {self.end}" if self.end else "")

    @property
    def kind(self) -> str:
        if self.port is None:
            return "any-port"
        return "named-port" if isinstance(self.port, str) else "numbered-port"

    @property
    def tags(self) -> tuple[str, ...]:
        return (
            self.kind,
            *((self.protocol,) if self.protocol else ()),
            *(("end-port",) if self.end else ()),
        )

    @property
    def field(self) -> Json:
        made: dict[str, Any] = {}
        if self.protocol:
            made["protocol"] = self.protocol.upper()
        if self.port is not None:
            made["port"] = self.port
        if self.end:
            made["endPort"] = self.end
        return made


def _named(protocol: str, number: int) -> str:
    return port_name(number, protocol)


_ONE = (
    *(
        _Port(protocol=protocol, port=port)
        for protocol in (None, *_PROTOCOLS)
        for port in (None, FIRST, SECOND)
    ),
    *(
        _Port(protocol=protocol, port=_named(protocol, number))
        for protocol in _PROTOCOLS
        for number in (FIRST, SECOND)
    ),
    *(
        _Port(protocol=protocol, port=_BELOW, end=end)
        for protocol in _PROTOCOLS
        for end in (_AMONG, _ABOVE)
    ),
    _Port(protocol="tcp", port=_named("udp", SECOND), pathological=True),
    _Port(protocol="tcp", port="nobody-has-it", pathological=True),
    _Port(protocol="tcp", port=_SERVED_BY_NOBODY, pathological=True),
)
_UDP_SECOND = _Port(protocol="udp", port=_named("udp", SECOND))
_TWO = (
    (_Port(), _Port(port=FIRST)),
    (_Port(), _Port(port=_named("tcp", FIRST))),
    (_Port(), _Port(protocol="udp")),
    (_Port(port=FIRST), _Port(port=SECOND)),
    (_Port(port=FIRST), _Port(port=_named("tcp", SECOND))),
    (_Port(port=FIRST), _UDP_SECOND),
    (_Port(protocol="udp", port=FIRST), _UDP_SECOND),
)


def cases() -> Iterator[PolicyCase]:
    """Families ports-0, ports-1 and ports-2."""
    for number, direction in ((123, "egress"), (124, "ingress")):
        nothing = (direction, "any-port-protocol")
        yield _case(number, "ports-0", direction, (), nothing, default=True)
    for first, direction in ((125, "egress"), (152, "ingress")):
        for number, one in enumerate(_ONE, first):
            odd = ("pathological",) if one.pathological else ()
            tags = (*odd, direction, *one.tags)
            yield _case(number, "ports-1", direction, (one,), tags, default=one.end is None)
    for first, direction in ((179, "egress"), (186, "ingress")):
        for number, pair in enumerate(_TWO, first):
            kinds = sorted({one.kind for one in pair})
            protocols = sorted({one.protocol for one in pair if one.protocol})
            both = ("multi-port/protocol", direction, *kinds, *protocols)
            yield _case(number, "ports-2", direction, pair, both, default=True)


def _case(
    number: int,
    family: str,
    direction: str,
    ports: Sequence[_Port],
    tags: Sequence[str],
    *,
    default: bool,
) -> PolicyCase:
    says = ", or ".join(one.says for one in ports) or "an empty list of ports"
    title = f"{direction} with {says}"
    changed = base_changed(direction, ports=[one.field for one in ports])
    return generated(number, family, title, tags, step(title, changed), default=default)
