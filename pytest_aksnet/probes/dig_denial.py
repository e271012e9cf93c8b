"""A look-up of a name that does not exist (dig): its status, and for how long it may be kept."""

import math
import re
from dataclasses import dataclass

from pytest_aksnet.model.errors import OutputUnparsable
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import Denial, DnsStatus
from pytest_aksnet.probes.dig import Dig
from pytest_aksnet.probes.exit_status import raw_text
from pytest_aksnet.probes.target_text import require_name

_AUTHORITY = re.compile(r"^;; AUTHORITY SECTION:\n(.*?)(?:\n\s*\n|\Z)", re.M | re.S)
_SOA = re.compile(
    r"^(\S+)\s+(\d{1,10})\s+IN\s+SOA\s+\S+\s+\S+(?:\s+\d{1,10}){4}\s+(\d{1,10})$", re.M
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DigDenial:
    """One query for the A record of `name`, as the pod's resolv.conf says; no search list.

    `wait_s` is in seconds.
    """

    name: str
    wait_s: float = 2.0

    def __post_init__(self) -> None:
        """Raises SettingsError for what is no name."""
        require_name(self.name)

    @property
    def timeout_s(self) -> float:
        """When to end the command from outside (seconds)."""
        return 4 * self.wait_s + 10

    def build(self) -> tuple[str, ...]:
        """The argv."""
        wait = f"+time={max(1, math.ceil(self.wait_s))}"
        return ("dig", "+nosearch", "+tries=1", wait, "-t", "A", "-q", self.name)

    def parse(self, completed: Completed) -> Denial:
        """What came. Raises ToolMissing, or OutputUnparsable."""
        answer = Dig(name=self.name, wait_s=self.wait_s).parse(completed)
        if answer.status is DnsStatus.TIMEOUT:
            return Denial(name=self.name, status=answer.status)
        section = _AUTHORITY.search(completed.stdout)
        if section is None:
            return Denial(name=self.name, status=answer.status)
        found = _SOA.search(section.group(1).strip())
        if found is None:
            raise OutputUnparsable(
                "dig shows an authority section without a readable SOA record", raw_text(completed)
            )
        # RFC 2308, 5: the smaller one of the record's own TTL and its field MINIMUM.
        return Denial(
            name=self.name,
            status=answer.status,
            zone=found[1].rstrip("."),
            ttl_s=min(int(found[2]), int(found[3])),
        )
