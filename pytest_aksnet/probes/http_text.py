"""One GET whose answer is a status and a short text, such as those of agents of a node (curl)."""

import re
from dataclasses import dataclass

from pytest_aksnet.model.errors import OutputUnparsable
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import HttpText
from pytest_aksnet.probes.exit_status import raw_text, require_ran
from pytest_aksnet.probes.target_text import require_host, require_path

_NO_CONNECTION, _TIMED_OUT, _NOTHING_CAME, _RESET = 7, 28, 52, 56
_TLS_FAILED = 35
_WHY = {
    _NO_CONNECTION: "refused",
    _TIMED_OUT: "timeout",
    _NOTHING_CAME: "closed without an answer",
    _RESET: "reset",
    _TLS_FAILED: "no TLS there",
}
_MAX_BODY_BYTES = 65536
_MAX_TIME_S = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class GetText:
    """One GET of `scheme://host:port/path`, without credentials and past any proxy."""

    host: str
    port: int
    path: str
    scheme: str = "http"

    def __post_init__(self) -> None:
        """Raises SettingsError for a host or path that is none."""
        require_host(self.host)
        require_path(self.path)

    @property
    def timeout_s(self) -> float:
        """When to end the command from outside (seconds): well after its own limit."""
        return _MAX_TIME_S + 10

    @property
    def url(self) -> str:
        """What is asked for."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}{self.path}"

    def build(self) -> tuple[str, ...]:
        """The argv. `--insecure`, because it is who answers that is looked at."""
        return (
            "curl",
            "--silent",
            "--insecure",
            "--globoff",
            "--noproxy",
            "*",
            "--max-time",
            str(_MAX_TIME_S),
            "--max-filesize",
            str(_MAX_BODY_BYTES),
            "--write-out",
            "\\n%{http_code}",
            self.url,
        )

    def parse(self, completed: Completed) -> HttpText:
        """What came of it. Raises ToolMissing, or OutputUnparsable where curl did not look."""
        require_ran(completed, "curl")
        body, _, status = completed.stdout.rpartition("\n")
        if completed.exit_code in _WHY:
            return HttpText(url=self.url, status=0, body="", problem=_WHY[completed.exit_code])
        if completed.exit_code != 0 or not re.fullmatch(r"[1-5]\d\d", status):
            raise OutputUnparsable("curl did not get an answer that reads", raw_text(completed))
        return HttpText(url=self.url, status=int(status), body=body)
