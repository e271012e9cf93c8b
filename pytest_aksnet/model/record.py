"""What one check leaves behind: its identity, its attempts, its outcome."""

import enum
from dataclasses import dataclass, field
from typing import Protocol

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

    `role` is "probe", "control" or "diagnosis". `started` is seconds since the epoch.
    """

    role: str
    source: str
    command_line: str
    started: float
    execution: Execution
    observation: Observation | None
    verdict: Verdict | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRecord:
    """One line of results.jsonl. `evidence` is a path relative to the report directory."""

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
    observations: tuple[dict[str, object], ...] = ()
    evidence: str = ""
    diagnosis: str = ""
    warnings: tuple[str, ...] = field(default=())


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
