"""One DNS look-up (dig of BIND 9.16 and later): status, addresses, CNAME chain, who answered."""

import math
import re
from dataclasses import dataclass

from pytest_aksnet.model.addresses import is_address
from pytest_aksnet.model.errors import OutputUnparsable, SettingsError
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import DnsAnswer, DnsStatus
from pytest_aksnet.probes.exit_status import raw_text, require_ran
from pytest_aksnet.probes.target_text import require_host, require_name

_NO_REPLY = 9

_HEADER = re.compile(r"^;; ->>HEADER<<- opcode: \w+, status: (\w+), id: \d+", re.M)
_FLAGS = re.compile(r"^;; flags: ([a-z ]*);", re.M)
_ANSWERS = re.compile(r"^;; ANSWER SECTION:\n(.*?)(?:\n\s*\n|\Z)", re.M | re.S)
_RECORD = re.compile(r"^(\S+)\s+\d+\s+(?:IN|CH|HS)\s+(\S+)\s+(.+)$", re.M)
_TIME = re.compile(r"^;; Query time: (\d{1,9}) (msec|usec)", re.M)
_SERVER = re.compile(r"^;; SERVER: ([^#\s]+)#", re.M)
_TROUBLE = re.compile(
    r"^;; ((?:communications error|UDP setup|TCP setup|connection timed out|no servers).*)$", re.M
)
_TRUNCATED = re.compile(r"^;; Truncated", re.M)
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9-]{0,15}")
_WHOLE_ZONES = ("AXFR", "IXFR")
_ADDRESS_TYPES = ("A", "AAAA")


@dataclass(frozen=True, slots=True, kw_only=True)
class Dig:
    """One query for `name`; with `server` to that address, else as the pod's resolv.conf says.

    The search list is honoured unless the name ends with a dot. `wait_s` is in seconds, `buffer`
    how long a datagram may be (bytes), 0 for dig's own choice.
    """

    name: str
    qtype: str = "A"
    server: str = ""
    tcp: bool = False
    wait_s: float = 2.0
    buffer: int = 0

    def __post_init__(self) -> None:
        """Raises SettingsError for a name, type or server that dig could not ask about."""
        require_name(self.name)
        if self.server:
            require_host(self.server)
        if not _TYPE.fullmatch(self.qtype) or self.qtype.upper() in _WHOLE_ZONES:
            raise SettingsError(
                f"{self.qtype!r} is no type of record to look up; give one such as A, AAAA or TXT"
            )

    @property
    def timeout_s(self) -> float:
        """When to end the command from outside (seconds): the search list may hold many names."""
        return 8 * self.wait_s + 10

    def build(self) -> tuple[str, ...]:
        """The argv: one try per server, so that every repetition is seen by the engine."""
        return (
            "dig",
            *((f"@{self.server}",) if self.server else ()),
            "+search",
            "+tries=1",
            f"+time={max(1, math.ceil(self.wait_s))}",
            *(("+tcp",) if self.tcp else ()),
            *((f"+bufsize={self.buffer}",) if self.buffer else ()),
            "-t",
            self.qtype,
            "-q",
            self.name,
        )

    def parse(self, completed: Completed) -> DnsAnswer:
        """The answer, or TIMEOUT where no server gave one. Raises ToolMissing, OutputUnparsable."""
        require_ran(completed, "dig")
        text = completed.stdout
        trouble = "; ".join(dict.fromkeys(_TROUBLE.findall(text)))
        header = list(_HEADER.finditer(text))
        if completed.exit_code == _NO_REPLY and trouble and not header:
            return DnsAnswer(
                name=self.name,
                qtype=self.qtype,
                status=DnsStatus.TIMEOUT,
                server=self.server,
                truncated=bool(_TRUNCATED.search(text)),
                elapsed_s=completed.duration_s,
                detail=trouble,
            )
        if completed.exit_code != 0 or not header:
            raise OutputUnparsable(
                f"dig ended with {completed.exit_code} and no answer that is known",
                raw_text(completed),
            )
        # A truncated UDP answer is followed by the whole one over TCP: the last one counts.
        return self._answer(text[header[-1].start() :], truncated=bool(_TRUNCATED.search(text)))

    def _answer(self, text: str, *, truncated: bool) -> DnsAnswer:
        status = _HEADER.search(text)
        flags = _FLAGS.search(text)
        section = _ANSWERS.search(text)
        records = _RECORD.findall(section.group(1)) if section else []
        time = _TIME.search(text)
        server = _SERVER.search(text)
        word = status.group(1) if status else ""
        return DnsAnswer(
            name=self.name,
            qtype=self.qtype,
            status=DnsStatus(word) if word in DnsStatus.__members__ else DnsStatus.OTHER,
            addresses=_values(records, self.qtype.upper()),
            cname_chain=tuple(
                data.rstrip(".") for _, kind, data in records if kind.upper() == "CNAME"
            ),
            server=server.group(1) if server else self.server,
            truncated=truncated or (flags is not None and "tc" in flags.group(1).split()),
            elapsed_s=int(time.group(1)) / (1e6 if time.group(2) == "usec" else 1e3)
            if time
            else 0.0,
            detail="" if word in DnsStatus.__members__ else f"status {word}",
        )


def _values(records: list[tuple[str, str, str]], qtype: str) -> tuple[str, ...]:
    values = [data.strip() for _, kind, data in records if kind.upper() == qtype]
    if qtype in _ADDRESS_TYPES:
        return tuple(value for value in values if is_address(value))
    return tuple(values)
