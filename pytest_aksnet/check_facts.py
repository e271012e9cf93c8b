"""Judges what was read instead of looked at with packets: records it, and ends the check by it.

Owns the way of a fact sheet into evidence and message. Reading and judging are passed in.
"""

import json
import time
from collections.abc import Sequence

from pytest_aksnet.check import Engine
from pytest_aksnet.model.command_line import shell_line
from pytest_aksnet.model.errors import FactUnknown
from pytest_aksnet.model.execution import Completed
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.record import Attempt
from pytest_aksnet.model.verdict import Outcome, Verdict
from pytest_aksnet.report.redaction import one_line

_LONGEST_SENTENCE = 4000


def judge_facts(
    engine: Engine,
    sheet: FactSheet,
    verdict: Verdict,
    *,
    by_hand: Sequence[str],
    change: str = "",
) -> FactSheet:
    """Keep what was read and how it was judged; `by_hand` is an argv that shows the same.

    `change` names what is to be changed, where that is known. Nothing read is nothing judged.
    Raises ConformanceFailure, or FactUnknown where the verdict is inconclusive.
    """
    if verdict.outcome is Outcome.PASS and not sheet.facts:
        verdict = Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"{sheet.what}: nothing was read that could be judged",
            source=verdict.source,
        )
    text = json.dumps(sheet.facts, ensure_ascii=False, indent=1)
    command_line = shell_line(by_hand)
    engine.recorder.attempt(
        Attempt(
            role="probe",
            source=sheet.source,
            command_line=command_line,
            started=time.time(),
            execution=Completed(
                argv=tuple(by_hand), exit_code=0, stdout=text, stderr="", duration_s=0.0
            ),
            observation=sheet,
            verdict=verdict,
        )
    )
    if verdict.outcome is Outcome.PASS:
        return sheet
    message = engine.message(
        f"in: {sheet.source}",
        one_line(verdict.sentence, _LONGEST_SENTENCE),
        f"{len(sheet.facts)} facts",
        source=verdict.source,
        why=f"to change: {change}" if change else "",
        command_line=command_line,
    )
    if verdict.outcome is Outcome.FAIL:
        engine.fail(message)
    raise FactUnknown(message)
