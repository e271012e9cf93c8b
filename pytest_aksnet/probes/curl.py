"""HTTP to a reflector or to an endpoint that answers with the source address it saw (curl).

Works with curl 7.75 and later: the facts come from `--write-out %{json}`, the errno from the
lines that `--verbose` writes, as no field of the JSON holds it. Whoever answers may answer with
anything: the body is bounded in size, by rate where its size is not announced, and is only data.
"""

import ipaddress
import json
import re
from dataclasses import dataclass

from pytest_aksnet.model.errors import OutputUnparsable
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import Connection, ConnectOutcome
from pytest_aksnet.probes.errno_text import agreed, outcome_of
from pytest_aksnet.probes.exit_status import raw_text, require_ran
from pytest_aksnet.probes.target_text import require_host, require_path

_COULD_NOT_RESOLVE, _COULD_NOT_CONNECT, _TIMED_OUT, _TOO_LARGE = 6, 7, 28, 63
# curl itself could not: no initialisation, malformed URL, feature left out, memory, bad function
# argument, unknown option (libcurl-errors(3)).
_DID_NOT_LOOK = frozenset({2, 3, 4, 27, 43, 48})
_MAX_BODY_BYTES = 65536
# --max-filesize bounds a body whose size is not announced from curl 8.4 on only (curl(1)).
_BYTES_PER_SECOND = 65536
_LONGEST_NAME = 253

# curl 7: "connect to A port P failed: WHY"; curl 8: "connect to A port P from B port Q failed: WHY"
_FAILED = re.compile(r"^\* +(?:connect to .* failed|Immediate connect fail for .*?): (.+)$", re.M)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curl:
    """One GET of `scheme://host:port/path` over a new connection, past any proxy.

    `connect_timeout_s` bounds look-up and handshake, `max_time_s` the whole; both in seconds.
    """

    host: str
    port: int
    scheme: str = "http"
    path: str = "/"
    connect_timeout_s: float = 3.0
    max_time_s: float = 5.0

    def __post_init__(self) -> None:
        """Raises SettingsError for a host or path that is none."""
        require_host(self.host)
        require_path(self.path)

    @property
    def timeout_s(self) -> float:
        """When to end the command from outside (seconds): well after its own limit."""
        return self.max_time_s + 10

    def build(self) -> tuple[str, ...]:
        """The argv. `--insecure`, because it is the path that is looked at, not the certificate."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (
            "curl",
            "--silent",
            "--show-error",
            "--verbose",
            "--insecure",
            "--globoff",
            "--noproxy",
            "*",
            "--connect-timeout",
            f"{self.connect_timeout_s:g}",
            "--max-time",
            f"{self.max_time_s:g}",
            "--max-filesize",
            str(_MAX_BODY_BYTES),
            "--limit-rate",
            str(_BYTES_PER_SECOND),
            "--write-out",
            "\\n%{json}",
            f"{self.scheme}://{host}:{self.port}{self.path}",
        )

    def parse(self, completed: Completed) -> Connection:
        """What came of it. Raises ToolMissing, or OutputUnparsable without curl's own facts."""
        require_ran(completed, "curl")
        body, _, last_line = completed.stdout.rpartition("\n")
        facts = _facts(last_line, completed)
        if completed.exit_code in _DID_NOT_LOOK:
            raise OutputUnparsable(
                f"curl did not look: {str(facts.get('errormsg'))[:300]}", raw_text(completed)
            )
        outcome, detail = _classify(completed, facts)
        source, name = _reflected(body) if outcome is ConnectOutcome.CONNECTED else ("", "")
        return Connection(
            host=self.host,
            port=self.port,
            outcome=outcome,
            source_seen=source,
            answered_by=name,
            http_status=_whole(facts.get("http_code")),
            address=str(facts.get("remote_ip") or ""),
            elapsed_s=_number(facts.get("time_total")),
            detail=detail,
        )


def _facts(line: str, completed: Completed) -> dict[str, object]:
    try:
        facts = json.loads(line)
    except (ValueError, RecursionError):
        facts = None
    if not isinstance(facts, dict) or facts.get("exitcode") != completed.exit_code:
        raise OutputUnparsable(
            "curl did not end with its facts as JSON (curl 7.75 or later is needed)",
            raw_text(completed),
        )
    return facts


def _classify(completed: Completed, facts: dict[str, object]) -> tuple[ConnectOutcome, str]:
    code = completed.exit_code
    detail = str(facts.get("errormsg") or "")
    reasons = _FAILED.findall(completed.stderr)
    if code in (0, _TOO_LARGE) or _answers_at_length(facts):
        return ConnectOutcome.CONNECTED, detail
    if code == _COULD_NOT_RESOLVE or (code == _TIMED_OUT and "resolving" in detail.lower()):
        return ConnectOutcome.DNS, detail
    if _number(facts.get("time_connect")) > 0:
        return ConnectOutcome.OTHER, f"connected, but no whole answer came: {detail}"
    if code == _TIMED_OUT:
        return ConnectOutcome.TIMEOUT, detail
    if code == _COULD_NOT_CONNECT and reasons:
        outcomes = [outcome_of(reason) or ConnectOutcome.OTHER for reason in reasons]
        return agreed(outcomes), "; ".join(dict.fromkeys(reasons))
    return ConnectOutcome.OTHER, f"curl ended with {code}: {detail or 'no message'}"


def _answers_at_length(facts: dict[str, object]) -> bool:
    """Whether a whole head and more than any reflector says came before the time was over."""
    head, body = _whole(facts.get("http_code")), _whole(facts.get("size_download"))
    return facts.get("exitcode") == _TIMED_OUT and head > 0 and body > _MAX_BODY_BYTES


def _reflected(body: str) -> tuple[str, str]:
    """Source address and name from a reflector's JSON or from a plain address, else two blanks."""
    text = body.strip()
    name = ""
    try:
        answer = json.loads(text)
    except (ValueError, RecursionError):
        answer = None
    if isinstance(answer, dict):
        text = str(answer.get("source", ""))
        name = str(answer.get("pod") or "")[:_LONGEST_NAME]
    if "%" in text:
        return "", ""  # behind it ipaddress takes any text for the zone of an IPv6 address
    try:
        return str(ipaddress.ip_address(text)), name
    except ValueError:
        return "", ""


def _number(value: object) -> float:
    return value if isinstance(value, float) else float(_whole(value))


def _whole(value: object) -> int:
    return value if isinstance(value, int) and abs(value) < 1 << 31 else 0
