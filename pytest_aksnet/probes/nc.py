"""TCP connect to a port that need not speak HTTP (OpenBSD netcat, as in netshoot and Debian)."""

import math
import re
from dataclasses import dataclass

from pytest_aksnet.model.errors import OutputUnparsable
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import Connection, ConnectOutcome
from pytest_aksnet.probes.errno_text import agreed, outcome_of
from pytest_aksnet.probes.exit_status import raw_text, require_ran
from pytest_aksnet.probes.target_text import require_host

_SUCCEEDED = re.compile(r"^Connection to (\S+)(?: \(([^)]*)\))? .*succeeded!$", re.M)
_FAILED = re.compile(r"^nc: connect to .* failed: (.+)$", re.M)
_TIMED_OUT = re.compile(r"^nc: connect to .* timed out: (.+)$", re.M)
_NO_NAME = re.compile(r"^nc: getaddrinfo.*: (.+)$", re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Nc:
    """One TCP handshake with `host:port`, closed at once; `connect_timeout_s` in seconds."""

    host: str
    port: int
    connect_timeout_s: float = 3.0

    def __post_init__(self) -> None:
        """Raises SettingsError for a host that is none."""
        require_host(self.host)

    @property
    def timeout_s(self) -> float:
        """When to end the command from outside (seconds); a name may have several addresses."""
        return 4 * self.connect_timeout_s + 10

    def build(self) -> tuple[str, ...]:
        """The argv. nc takes whole seconds only, so the time-out is rounded up."""
        wait = max(1, math.ceil(self.connect_timeout_s))
        return ("nc", "-z", "-v", "-w", str(wait), self.host, str(self.port))

    def parse(self, completed: Completed) -> Connection:
        """What came of it. Raises ToolMissing or OutputUnparsable."""
        require_ran(completed, "nc")
        address = ""
        if completed.exit_code == 0:
            succeeded = _SUCCEEDED.search(completed.stderr)
            if succeeded is None:
                raise OutputUnparsable("nc ended well without saying so", raw_text(completed))
            address = succeeded.group(2) or succeeded.group(1)
            outcome, detail = ConnectOutcome.CONNECTED, ""
        else:
            outcome, detail = _failure(completed)
        return Connection(
            host=self.host,
            port=self.port,
            outcome=outcome,
            address=address,
            elapsed_s=completed.duration_s,
            detail=detail,
        )


def _failure(completed: Completed) -> tuple[ConnectOutcome, str]:
    no_name = _NO_NAME.search(completed.stderr)
    if no_name:
        return ConnectOutcome.DNS, no_name.group(1)
    reasons = _FAILED.findall(completed.stderr)
    outcomes = [outcome_of(reason) or ConnectOutcome.OTHER for reason in reasons]
    if _TIMED_OUT.search(completed.stderr):
        outcomes.append(ConnectOutcome.TIMEOUT)
        reasons.append("timed out")
    if not outcomes:
        raise OutputUnparsable("nc failed without a reason that is known", raw_text(completed))
    return agreed(outcomes), "; ".join(dict.fromkeys(reasons))
