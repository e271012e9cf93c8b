"""The judgement: pass, fail or inconclusive, each with one sentence."""

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class Outcome(enum.Enum):
    """The three verdicts of conformance testing (ISO/IEC 9646, TTCN-3)."""

    PASS = "pass"
    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`sentence` says what was expected and what was seen.

    `source` is where the promise is written. `warning` is set where a promise that nobody
    confirmed was not kept: it is shown, and never fails a check.
    """

    outcome: Outcome
    sentence: str
    source: str = ""
    warning: str = ""


_MERGE_ORDER = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS)


def merge(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict over many: fail before inconclusive before pass; nothing looked at is no pass."""
    ordered = sorted(verdicts, key=lambda verdict: _MERGE_ORDER.index(verdict.outcome))
    if not ordered:
        return Verdict(outcome=Outcome.INCONCLUSIVE, sentence="nothing was looked at")
    worst = ordered[0].outcome
    decisive = [verdict for verdict in ordered if verdict.outcome is worst]
    return Verdict(
        outcome=worst,
        sentence="; ".join(dict.fromkeys(verdict.sentence for verdict in decisive)),
        source="; ".join(dict.fromkeys(v.source for v in decisive if v.source)),
        warning="; ".join(dict.fromkeys(v.warning for v in ordered if v.warning)),
    )
