"""Probes by the list: what the agent in a pod is asked, and what it answers. Data only.

An `Answer` is never a judgement. `Batch` says which probes were not looked at: for them nothing is
known, and `expectations.probing` says what may be concluded from the others.
"""

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pytest_aksnet.model.peers import PodRef

SLOW_PATH = 5  # a silent peer is waited for this many times longer than the slowest answer took


class Kind(enum.Enum):
    """What is done; the values are the words of the agent's protocol.

    TCP, UDP and SCTP want the answer of a reflector with their nonce, CONNECT only the handshake of
    TCP. Where the pod's kernel has no SCTP, that is `LOCAL` with the fact `lacks`: "sctp". MTU is
    the path MTU with DF set, by ICMP where it is answered, else by UDP towards a reflector. LOSS is
    a row of datagrams to a reflector, none of them repeated; it tells how many were answered.
    """

    TCP = "t"
    CONNECT = "c"
    UDP = "u"
    SCTP = "x"
    DNS = "d"
    HTTP = "h"
    TLS = "s"
    ICMP = "i"
    MTU = "m"
    LOSS = "l"


class Finding(enum.Enum):
    """How a probe ended. LOCAL and AGENT mean that nothing was looked at, whatever else they say.

    TIMEOUT is silence; MUTE and EOF are a connection without an answer; WRONG is an answer, but not
    of whom or what was asked; UNRESOLVED is a host name without an address.
    """

    OK = "ok"
    REFUSED = "refused"
    TIMEOUT = "timeout"
    RESET = "reset"
    UNREACH = "unreach"
    PROHIBITED = "prohibited"
    MUTE = "mute"
    EOF = "eof"
    WRONG = "wrong"
    UNRESOLVED = "unresolved"
    LOCAL = "local"
    AGENT = "agent"


NOT_LOOKED = frozenset({Finding.LOCAL, Finding.AGENT})


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One probe. `timeout_s` is for one try, from its start to its answer (seconds).

    With `until` it is repeated inside the agent until one of these findings has come `times` times
    in a row, or until `within_s` seconds after the start of the list. `options` by kind:
    TCP, UDP and SCTP `pod`, the name that must answer; TCP, HTTP and TLS `hold`, seconds for which
    the connection is open before the first word (`held` in the facts: whether it lived through
    them); UDP `from`, its source port; CONNECT `mss`, to be told segment sizes;
    LOSS `count` and `gap_ms`;
    DNS `name`, `type`, `tcp`, `search`, `once` (any text means yes; once: never sent again, else
    after a quarter and half of the time-out), with `host` the server's address or empty for those
    of resolv.conf; HTTP `path`, `name`, `bytes`; TLS `name`, `ca` (PEM); MTU `via` ("icmp" or
    "udp").
    """

    kind: Kind
    host: str
    port: int = 0
    timeout_s: float = 2.0
    options: Mapping[str, str] = field(default_factory=dict)
    until: frozenset[Finding] = frozenset()
    within_s: float = 0.0
    times: int = 1


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of one probe, as of its last try.

    `ms` is how long that try took, without time that the agent itself missed; `at_ms` is when it
    ended, counted from the start of the list. `tries` is how many there were, `first` how the first
    one ended, `streak` how many wanted findings came last in a row (repeated probes only). `facts`
    are what the kind tells, as JSON types.
    """

    finding: Finding
    ms: float
    at_ms: float
    facts: Mapping[str, object]
    tries: int = 1
    first: Finding | None = None
    streak: int = 0

    @property
    def looked(self) -> bool:
        """Whether the network was looked at."""
        return self.finding not in NOT_LOOKED

    @property
    def detail(self) -> str:
        """The finding, with the agent's own words for it."""
        said = self.facts.get("detail")
        return f"{self.finding.value} ({said})" if said else self.finding.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The answers to one list, in the order of its probes; None where nothing came.

    `ended` says that the end marker with the full count was seen for all that was asked. `gaps` are
    breaks in the numbers of the agent's lines, `stall_ms` the time that the agent missed and did
    not count as waiting, `streams` how many streams it took, `asked_again` how many probes were
    asked a second time because a stream broke, `duration_s` seconds as the client saw them.
    `problem` says why something was not looked at.
    """

    answers: tuple[Answer | None, ...]
    ended: bool
    gaps: int = 0
    stall_ms: float = 0.0
    duration_s: float = 0.0
    streams: int = 1
    asked_again: int = 0
    problem: str = ""

    @property
    def counted(self) -> tuple[Answer | None, ...]:
        """The answers that prove something: a good one always, any other in a whole list alone.

        Silence is the one finding that a broken look resembles.
        """
        whole = self.ended and not self.gaps
        return tuple(
            one if whole or (one is not None and one.finding is Finding.OK) else None
            for one in self.answers
        )

    @property
    def complete(self) -> bool:
        """Whether every probe was looked at, and this is proven by the marker."""
        return self.ended and all(answer is not None and answer.looked for answer in self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentScript:
    """One way to start an agent in a pod.

    `argv` is what is started, which reads `text` from its standard input and then speaks the
    protocol. The agent ends itself after `lease_s` seconds without a line.
    """

    argv: tuple[str, ...]
    text: str
    lease_s: float


class Prober(Protocol):
    """Asks the agent of a pod. Never raises for what the network, the pod or the stream did."""

    def probe(self, pod: PodRef, probes: Sequence[Probe], *, budget_s: float) -> Batch:
        """Ask all of these at once; what has no answer after `budget_s` seconds is not looked at.

        Returns at most two seconds later. Raises SettingsError for a probe that cannot be asked.
        """
        ...
