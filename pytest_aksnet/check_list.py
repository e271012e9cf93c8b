"""Judges a list of probes as a whole, again and again until it is good or the patience is over.

Owns when such a list counts as looked at, what is recorded of each try, and the message at the end.
For promises over many answers at once, such as who takes part; `check_many` judges each by itself.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_aksnet.check import Engine
from pytest_aksnet.check_many import execution_of
from pytest_aksnet.model.errors import ControlFailed, ExecNotCompleted
from pytest_aksnet.model.observation import ProbeList
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import Batch, Finding, Probe, Prober
from pytest_aksnet.model.record import Attempt
from pytest_aksnet.model.verdict import Outcome, Verdict
from pytest_aksnet.report.redaction import one_line

_GRACE_S = 4.0
_LOST_LISTS = 3
_LONGEST_SENTENCE = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """Who is asked: `pod`, by way of `prober`. `where` completes "seen ...", for people.

    `by_hand` is a command line that does about the same as a probe, `argv` the words of it.
    """

    prober: Prober
    pod: PodRef
    where: str
    argv: Sequence[str]
    by_hand: str


def converge_list(
    engine: Engine,
    asking: Asking,
    probes: Sequence[Probe],
    judge: Callable[[Batch], Verdict],
    *,
    what: str,
    patience_s: float,
    hold_s: float = 0.0,
    diagnose: Callable[[Batch], str] | None = None,
) -> Batch:
    """Ask all probes at once until their answers together are good; `what` is a noun for them.

    With `hold_s` they must stay good for so many seconds, in lists one after the other.
    Raises ConformanceFailure, ControlFailed where what was seen proves nothing, and
    ExecNotCompleted where the list did not come back whole.
    """
    budget_s = max(probe.timeout_s + probe.within_s for probe in probes) + _GRACE_S
    started, pause_s, looks, lost, bad = engine.now(), engine.pacing.first_pause_s, 0, 0, False
    good_since: float | None = None
    while True:
        begun = time.time()
        batch = asking.prober.probe(asking.pod, probes, budget_s=budget_s)
        looks += 1
        verdict = judge(batch) if batch.complete else _not_looked(what, batch)
        engine.recorder.attempt(
            Attempt(
                role="probe",
                source=asking.where,
                command_line=asking.by_hand,
                started=begun,
                execution=execution_of(asking.argv, batch),
                observation=_observation(what, batch, verdict),
                verdict=verdict,
            )
        )
        elapsed_s = engine.now() - started
        if verdict.outcome is Outcome.PASS:
            if good_since is None:
                good_since = engine.now()
            if engine.now() - good_since >= hold_s:
                if bad:
                    engine.recorder.diagnosis(f"as expected after {elapsed_s:.1f} s, not at first")
                return batch
        else:
            good_since, bad = None, True
            lost += not batch.complete
            if lost >= _LOST_LISTS or (batch.complete and elapsed_s >= patience_s):
                break
        engine.rest(pause_s)
        pause_s = min(2 * pause_s, engine.pacing.longest_pause_s)
    failed = verdict.outcome is Outcome.FAIL
    cause = ""
    if failed and diagnose is not None:
        cause = engine.diagnosis(lambda: diagnose(batch))
    message = engine.message(
        f"from: {asking.where}",
        one_line(verdict.sentence, _LONGEST_SENTENCE),
        f"{looks} lists of {len(probes)} probes in {elapsed_s:.1f} s",
        source=verdict.source,
        why=f"diagnosis: {one_line(cause, _LONGEST_SENTENCE)}" if cause else "",
        command_line=asking.by_hand,
    )
    if failed:
        engine.fail(message)
    if batch.complete:
        raise ControlFailed(message)
    raise ExecNotCompleted(message)


def _not_looked(what: str, batch: Batch) -> Verdict:
    return Verdict(
        outcome=Outcome.INCONCLUSIVE,
        sentence=f"{what} could not be looked at: {_why(batch)}",
    )


def _why(batch: Batch) -> str:
    if batch.problem:
        return batch.problem
    unseen = (one.detail for one in batch.answers if one is not None and not one.looked)
    return next(unseen, "answers are missing")


def _observation(what: str, batch: Batch, verdict: Verdict) -> ProbeList:
    findings = Counter(
        "not looked" if answer is None else answer.finding.value for answer in batch.answers
    )
    good = [one.ms for one in batch.answers if one is not None and one.finding is Finding.OK]
    return ProbeList(
        what=what,
        asked=len(batch.answers),
        findings=dict(sorted(findings.items())),
        unlike=() if verdict.outcome is Outcome.PASS else (verdict.sentence,),
        slowest_ok_ms=max(good, default=0.0),
        stall_ms=batch.stall_ms,
        streams=batch.streams,
    )
