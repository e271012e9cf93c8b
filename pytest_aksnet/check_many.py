"""Judges a list of probes of one pod: asks its agent once, judges each, records them as one look.

Owns the outcome of a list: one that failed fails it; else one that could not be looked at makes it
inconclusive. Whether a failed list proves anything, a positive control in it decides.
"""

import functools
import json
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_aksnet.check import Engine, seen_from
from pytest_aksnet.model.errors import ControlFailed, ExecNotCompleted
from pytest_aksnet.model.execution import Completed, Execution, NotCompleted, Reason
from pytest_aksnet.model.observation import ProbeList
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import Answer, Batch, Finding, Probe
from pytest_aksnet.model.record import Attempt
from pytest_aksnet.model.verdict import Outcome, Verdict
from pytest_aksnet.report.redaction import one_line

_MOST_SENTENCES = 10
_MOST_RECORDED = 500
_LONGEST_SENTENCE = 600


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One probe of a list. `judge` sees the whole batch and the probe's own place in it.

    `diagnose` is asked after a failure, for the first failed cell.
    """

    probe: Probe
    judge: Callable[[Batch, int], Verdict]
    diagnose: Callable[[Answer], str] | None = None


def look_at_all(
    engine: Engine,
    pod: PodRef,
    cells: Sequence[Cell],
    *,
    what: str,
    by_hand: Sequence[str],
    budget_s: float,
    control: int | None = None,
    overall: Callable[[Batch], Verdict] | None = None,
) -> Batch:
    """Ask all cells at once and judge them. `by_hand` is an argv that does about the same.

    `control` is the index of the cell that must be good for a failure to count: it is judged as the
    others are, and a list in which it is not good fails nobody. With `overall` the verdict is what
    it says of them all, such as of their share or their times. Raises ConformanceFailure,
    ControlFailed, or ExecNotCompleted where something could not be looked at and nothing failed.
    """
    started = time.time()
    batch = engine.prober.probe(pod, [cell.probe for cell in cells], budget_s=budget_s)
    return judge_all(
        engine,
        pod,
        cells,
        batch,
        what=what,
        by_hand=by_hand,
        started=started,
        control=control,
        overall=overall,
    )


def judge_all(
    engine: Engine,
    pod: PodRef,
    cells: Sequence[Cell],
    batch: Batch,
    *,
    what: str,
    by_hand: Sequence[str],
    started: float,
    control: int | None = None,
    overall: Callable[[Batch], Verdict] | None = None,
) -> Batch:
    """`look_at_all` for a list that was asked already, at `started` (seconds of the epoch)."""
    verdicts = [cell.judge(batch, index) for index, cell in enumerate(cells)]
    blind = control is not None and verdicts[control].outcome is not Outcome.PASS
    merged = overall(batch) if overall is not None else _merged(verdicts, what, blind=blind)
    command_line = engine.command_line(pod, by_hand)
    engine.recorder.attempt(
        Attempt(
            role="probe",
            source=f"{pod.namespace}/{pod.name}",
            command_line=command_line,
            started=started,
            execution=execution_of(by_hand, batch),
            observation=_observation(batch, verdicts, what),
            verdict=merged,
        )
    )
    if merged.outcome is Outcome.PASS:
        return batch
    why = ""
    if merged.outcome is Outcome.FAIL:
        if cause := _diagnosis(engine, cells, verdicts, batch):
            why = f"diagnosis: {one_line(cause, _LONGEST_SENTENCE)}"
    elif batch.problem:
        why = f"the agent: {one_line(batch.problem, _LONGEST_SENTENCE)}"
    message = engine.message(
        seen_from(pod),
        merged.sentence,
        f"{len(cells)} probes in {batch.duration_s:.1f} s",
        source=merged.source,
        why=why,
        command_line=command_line,
    )
    if merged.outcome is Outcome.FAIL:
        engine.fail(message)
    if blind or batch.complete:
        raise ControlFailed(message)
    raise ExecNotCompleted(message)


def _merged(verdicts: Sequence[Verdict], what: str, *, blind: bool) -> Verdict:
    """The verdict over a list, with the first sentences of those that decide it."""
    by_outcome = {
        outcome: [verdict for verdict in verdicts if verdict.outcome is outcome]
        for outcome in Outcome
    }
    failed, unseen = by_outcome[Outcome.FAIL], by_outcome[Outcome.INCONCLUSIVE]
    warnings = tuple(dict.fromkeys(verdict.warning for verdict in verdicts if verdict.warning))
    if not verdicts:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE, sentence=f"{what}: there is nothing to look at"
        )
    if blind and failed:
        sentence = (
            f"{what}: the positive control did not hold, so failures prove nothing: "
            f"{_listed(failed)}"
        )
        return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=sentence, source=failed[0].source)
    decisive = failed or unseen
    if not decisive:
        sentence = f"{what}: all {len(verdicts)} as expected"
        return Verdict(
            outcome=Outcome.PASS,
            sentence=sentence,
            source=verdicts[0].source,
            warning=_shortened(warnings),
        )
    sentence = f"{what}: {len(decisive)} of {len(verdicts)}: {_listed(decisive)}"
    if failed and unseen:
        sentence += f"; {len(unseen)} more could not be looked at"
    return Verdict(
        outcome=decisive[0].outcome,
        sentence=sentence,
        source=decisive[0].source,
        warning=_shortened(warnings),
    )


def _listed(verdicts: Sequence[Verdict]) -> str:
    return _shortened([one_line(verdict.sentence, _LONGEST_SENTENCE) for verdict in verdicts])


def _shortened(sentences: Sequence[str]) -> str:
    text = "; ".join(sentences[:_MOST_SENTENCES])
    more = len(sentences) - _MOST_SENTENCES
    return f"{text}; and {more} more" if more > 0 else text


def _diagnosis(
    engine: Engine, cells: Sequence[Cell], verdicts: Sequence[Verdict], batch: Batch
) -> str:
    for cell, verdict, answer in zip(cells, verdicts, batch.answers, strict=True):
        if verdict.outcome is Outcome.FAIL and answer is not None and cell.diagnose is not None:
            return engine.diagnosis(functools.partial(cell.diagnose, answer))
    return ""


def execution_of(argv: Sequence[str], batch: Batch) -> Execution:
    """The batch as what was run: its answers, one JSON line each, are the output."""
    lines = [_line(index, answer) for index, answer in enumerate(batch.answers[:_MOST_RECORDED])]
    more = len(batch.answers) - _MOST_RECORDED
    if more > 0:
        lines.append(f"and {more} more")
    output = "\n".join(lines) + "\n"
    if batch.ended:
        return Completed(
            argv=tuple(argv),
            exit_code=0,
            stdout=output,
            stderr="",
            duration_s=batch.duration_s,
            attempts=max(1, batch.streams),
        )
    return NotCompleted(
        argv=tuple(argv),
        reason=Reason.CUT if batch.streams else Reason.REFUSED,
        detail=batch.problem,
        stdout=output,
        stderr="",
        duration_s=batch.duration_s,
        attempts=max(1, batch.streams),
    )


def _line(index: int, answer: Answer | None) -> str:
    if answer is None:
        return json.dumps({"i": index, "v": None})
    said = {"i": index, "v": answer.finding.value, "ms": answer.ms, "at": answer.at_ms}
    if answer.tries > 1:
        said["tries"] = answer.tries
    return json.dumps({**said, **answer.facts})


def _observation(batch: Batch, verdicts: Sequence[Verdict], what: str) -> ProbeList:
    findings = Counter(
        "not looked" if answer is None else answer.finding.value for answer in batch.answers
    )
    good = [a.ms for a in batch.answers if a is not None and a.finding is Finding.OK]
    unlike = [
        one_line(verdict.sentence, _LONGEST_SENTENCE)
        for verdict in verdicts
        if verdict.outcome is not Outcome.PASS
    ]
    return ProbeList(
        what=what,
        asked=len(batch.answers),
        findings=dict(sorted(findings.items())),
        unlike=tuple(unlike[:_MOST_SENTENCES]),
        slowest_ok_ms=max(good, default=0.0),
        stall_ms=batch.stall_ms,
        streams=batch.streams,
    )
