"""What running one command in one pod gave: `Completed`, or `NotCompleted` with the reason.

An `Execution` is never a judgement. Only `Completed` has output that a parser may read.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pytest_aksnet.model.peers import PodRef


class Reason(enum.Enum):
    """Why a command did not run to a known end."""

    REFUSED = "the exec stream was refused"
    CUT = "the exec stream was cut"
    DEADLINE = "the deadline passed"
    STATUS_LOST = "the exit status was lost"
    POD_GONE = "the pod is gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """The command ran to its end: nonce and stream status agree. Output is UTF-8, replaced."""

    argv: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str
    duration_s: float
    attempts: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class NotCompleted:
    """The command did not run to a known end. What arrived until then is kept as evidence."""

    argv: tuple[str, ...]
    reason: Reason
    detail: str
    stdout: str
    stderr: str
    duration_s: float
    attempts: int = 1


Execution = Completed | NotCompleted


class Executor(Protocol):
    """The one door into a pod."""

    def run(self, pod: PodRef, argv: Sequence[str], *, timeout_s: float) -> Execution:
        """Run `argv` in `pod`; end it after `timeout_s` seconds. Never raises for a bad exit."""
        ...

    def command_line(self, pod: PodRef, argv: Sequence[str]) -> str:
        """The kubectl command that repeats this by hand."""
        ...
