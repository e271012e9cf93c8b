"""Looks with packets that are held against what ARM says: what passed, and what was silent.

The looks become evidence and judge nothing: whoever asks has both views.
"""

import enum
import time
from collections.abc import Mapping, Sequence

from pytest_aksnet.assertions.azure_looker import AzureVerbs
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check_many import execution_of
from pytest_aksnet.model.addresses import is_address
from pytest_aksnet.model.probing import Answer, Finding, Kind, Probe
from pytest_aksnet.model.record import Attempt

_GRACE_S = 2.0
# A machine that refuses has been reached as well as one that answers.
_PASSED = frozenset(
    {Finding.OK, Finding.REFUSED, Finding.RESET, Finding.MUTE, Finding.EOF, Finding.WRONG}
)

_GOOD = frozenset({Finding.OK})


class Seen(enum.Enum):
    """What became of a packet and its answer; UNKNOWN is neither an answer nor silence."""

    PASSED = "passed"
    SILENT = "silent"
    UNKNOWN = "unknown"


class AzurePackets(AzureVerbs):
    """Verbs about Azure that look with packets as well."""

    def packets(
        self, pod: AnyPod, probes: Sequence[Probe], *, what: str, by_hand: Sequence[str]
    ) -> list[Seen]:
        """What became of each probe from this pod; `by_hand` is an argv that does the same."""
        return [seen(answer) for answer in self.answers(pod, probes, what=what, by_hand=by_hand)]

    def answers(
        self, pod: AnyPod, probes: Sequence[Probe], *, what: str, by_hand: Sequence[str]
    ) -> tuple[Answer | None, ...]:
        """The answer to each probe; None where nothing is known of it."""
        engine, ref = self._engine, pod_of(pod)
        engine.uses(ref)
        longest = max(
            (max(one.within_s, one.timeout_s) + one.timeout_s for one in probes), default=0
        )
        started = time.time()
        batch = engine.prober.probe(ref, probes, budget_s=longest + _GRACE_S)
        engine.recorder.attempt(
            Attempt(
                role="probe",
                source=f"{ref.namespace}/{ref.name}: {what}",
                command_line=engine.command_line(ref, by_hand),
                started=started,
                execution=execution_of(by_hand, batch),
                observation=None,
                verdict=None,
            )
        )
        return batch.counted

    def patient_probe(self, kind: Kind, host: str, port: int, **options: str) -> Probe:
        """A probe that is repeated until something answers, or patience is over."""
        within_s = self._engine.pacing.control_patience_s
        return self._probe(kind, host, port, options, until=_PASSED, within_s=within_s)

    def good_probe(self, kind: Kind, host: str, port: int, **options: str) -> Probe:
        """A probe that is repeated until it is answered well, or patience is over."""
        within_s = self._engine.pacing.patience_s
        return self._probe(kind, host, port, options, until=_GOOD, within_s=within_s)

    def _probe(
        self,
        kind: Kind,
        host: str,
        port: int,
        options: Mapping[str, str],
        *,
        until: frozenset[Finding],
        within_s: float,
    ) -> Probe:
        return Probe(
            kind=kind,
            host=host,
            port=port,
            timeout_s=self._engine.pacing.connect_timeout_s,
            options=options,
            until=until,
            within_s=within_s,
        )


def address_told(answer: Answer | None) -> str:
    """The address that a host says it saw, in the body of its answer; empty where it told none."""
    if answer is None or answer.finding is not Finding.OK:
        return ""
    text = str(answer.facts.get("body", "")).strip()
    return text if is_address(text) else ""


def got_there(became: Seen) -> bool | None:
    """Whether packets got there; None where that is not known."""
    return None if became is Seen.UNKNOWN else became is Seen.PASSED


def seen(answer: Answer | None) -> Seen:
    """What an answer means for the way."""
    if answer is None or not answer.looked:
        return Seen.UNKNOWN
    if answer.finding in _PASSED:
        return Seen.PASSED
    silent = answer.finding in (Finding.TIMEOUT, Finding.UNREACH)
    return Seen.SILENT if silent else Seen.UNKNOWN
