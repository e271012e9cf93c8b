"""What one check leaves behind: its identity, its attempts, its outcome."""

import enum
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from pytest_aksnet.model.arm import Exchange
from pytest_aksnet.model.execution import Execution
from pytest_aksnet.model.observation import Observation
from pytest_aksnet.model.verdict import Verdict


class Severity(enum.Enum):
    """How much a failing check matters."""

    CRITICAL = "critical"
    MAJOR = "major"
    MINOR = "minor"
    INFO = "info"


class CheckOutcome(enum.Enum):
    """The outcome of a check in results.json."""

    PASSED = "passed"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"
    SKIPPED = "skipped"
    ERROR = "error"


class Skip(enum.Enum):
    """Why a check was skipped, as far as a program needs to know."""

    NOT_CONCERNED = "not-concerned"  # its promise does not concern this cluster
    AZURE_NOT_ASKED = "azure-not-asked"  # this run asks nothing of Azure Resource Manager
    AZURE_FORBIDDEN = "azure-forbidden"  # the identity may not read what it needs in Azure
    NOT_RUN_HERE = "not-run-here"  # a right, a permission or a node is missing, or a mark says so


FEATURES = (
    "pod-network",
    "dns",
    "private-link",
    "egress",
    "network-policy",
    "traffic-policy",
    "load-balancer",
    "accelerated-networking",
    "node-health",
    "ipam",
    "ingress",
    "service-mesh",
    "upgrade",
    "azure",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Attempt:
    """One look: the command, what came of it, what was read in it, and how it was judged.

    `role` is "probe", "control", "diagnosis", or "azure" for what was asked of ARM, which is an
    exchange and is judged by no verdict of its own. `started` is seconds since the epoch.
    """

    role: str
    source: str
    command_line: str
    started: float
    execution: Execution | Exchange
    observation: Observation | None
    verdict: Verdict | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Retries:
    """What had to be done again on the way to the cluster; nothing of it says how its network is.

    Counts by cause, such as "http 429": `exec` of commands that were begun again, `rest` of
    requests that were sent again, `streams` of open streams to agents that were replaced.
    """

    exec: Mapping[str, int] = field(default_factory=dict)
    rest: Mapping[str, int] = field(default_factory=dict)
    streams: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All of them."""
        return sum(sum(counts.values()) for counts in (self.exec, self.rest, self.streams))

    def __add__(self, other: "Retries") -> "Retries":
        """Both together."""
        return Retries(
            exec=_ordered(Counter(self.exec) + Counter(other.exec)),
            rest=_ordered(Counter(self.rest) + Counter(other.rest)),
            streams=_ordered(Counter(self.streams) + Counter(other.streams)),
        )

    def __sub__(self, earlier: "Retries") -> "Retries":
        """What came since an earlier count."""
        return Retries(
            exec=_ordered(Counter(self.exec) - Counter(earlier.exec)),
            rest=_ordered(Counter(self.rest) - Counter(earlier.rest)),
            streams=_ordered(Counter(self.streams) - Counter(earlier.streams)),
        )


def _ordered(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRecord:
    """One line of results.jsonl. `evidence` is a path relative to the report directory.

    `attempts` are the looks that were judged; `retries` is what these, and what the check created,
    had to repeat on their way. `remedy` is what the check advises, of failed ones only. `skip` is
    set for skipped ones; `missing_actions` are the actions of Azure without which it was skipped.
    """

    id: str
    nodeid: str
    title: str
    feature: str
    severity: Severity
    controls: tuple[str, ...]
    outcome: CheckOutcome
    reason: str
    duration_s: float
    attempts: int
    retries: Retries = field(default_factory=Retries)
    observations: tuple[dict[str, object], ...] = ()
    evidence: str = ""
    diagnosis: str = ""
    remedy: str = ""
    warnings: tuple[str, ...] = field(default=())
    skip: Skip | None = None
    missing_actions: tuple[str, ...] = ()


class Recorder(Protocol):
    """Where the engine leaves its evidence; each attempt is on disk when `attempt` returns."""

    def attempt(self, attempt: Attempt) -> None:
        """Keep one attempt."""
        ...

    def diagnosis(self, sentence: str) -> None:
        """Keep what a diagnosis found."""
        ...

    def location(self) -> str:
        """Where the evidence of the current check lies, for messages."""
        ...
