"""What one answer says about a cell of a truth table, beside those that prove the look; pure.

Silence is what a policy does, and what every broken look resembles. It is "closed" only where the
source reached itself in the same list, the destination answered itself at the same port, and the
wait was several times their slowest answer; where not, the cell was not seen.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pytest_aksnet.expectations.probing import HOW_IT_FAILED, too_close
from pytest_aksnet.model.policy import Decision
from pytest_aksnet.model.policy_table import CellName, CellResult, Mark
from pytest_aksnet.model.probing import Answer, Finding, Probe

_OTHERS_ASKED = 0.1


@dataclass(frozen=True, slots=True)
class Asked:
    """A cell that was asked: what is expected of it, and what came. None: no answer that counts."""

    decision: Decision
    answer: Answer | None
    probe: Probe


def seen_cells(
    asked: Mapping[CellName, Asked], selves: Mapping[CellName, Answer | None], problem: str
) -> dict[CellName, CellResult]:
    """How each cell was seen. `selves` are the answers of pods to themselves in the same lists.

    `problem` says why answers are missing.
    """
    alive = {name.source for name, answer in selves.items() if _ok(answer)}
    slowest: dict[str, float] = {}
    for name, one in (*((n, a.answer) for n, a in asked.items()), *selves.items()):
        if one is not None and one.finding is Finding.OK:
            slowest[name.source] = max(slowest.get(name.source, 0.0), one.ms)
    return {
        name: _seen(name, one, selves, alive, slowest.get(name.source, 0.0), problem)
        for name, one in asked.items()
    }


def _seen(
    name: CellName,
    asked: Asked,
    selves: Mapping[CellName, Answer | None],
    alive: set[str],
    slowest_ms: float,
    problem: str,
) -> CellResult:
    decision, answer = asked.decision, asked.answer
    mark, detail = Mark.UNSEEN, ""
    own = CellName(name.destination, name.destination, name.port, name.version)
    if answer is None:
        detail = problem or "no answer of the agent"
    elif not answer.looked:
        detail = answer.detail
    elif answer.finding in asked.probe.until and answer.streak < asked.probe.times:
        mark = Mark.CLOSED if decision.allowed else Mark.OPEN
        detail = f"now open, now closed, in {answer.tries} looks"
    elif answer.finding is Finding.OK:
        mark = Mark.OPEN
    elif name.source not in alive:
        detail = f"{name.source} does not reach itself"
    elif not _ok(selves.get(own)):
        detail = f"{name.destination} does not answer itself"
    elif answer.finding is not Finding.TIMEOUT:
        mark, detail = Mark.ODD, HOW_IT_FAILED[answer.finding]
    else:
        slowest_ms = max(slowest_ms, _ms(selves.get(own)))
        detail = too_close(asked.probe.timeout_s, slowest_ms)
        mark = Mark.UNSEEN if detail else Mark.CLOSED
    return CellResult(
        expected=decision.allowed,
        why=decision.why,
        seen=mark,
        detail=detail,
        caveat=decision.caveat,
    )


def sample(
    asked: Mapping[CellName, Decision], flips: Sequence[CellName], salt: str
) -> dict[CellName, Decision]:
    """The cells that policies close or change, and a tenth of the others, the same with each salt.

    The others show an engine that blocks too much; they are drawn anew in each case.
    """
    draw = random.Random(salt)
    wanted = set(flips)
    return {
        name: decision
        for name, decision in asked.items()
        if not decision.allowed or name in wanted or draw.random() < _OTHERS_ASKED
    }


def _ms(answer: Answer | None) -> float:
    return answer.ms if answer is not None else 0.0


def _ok(answer: Answer | None) -> bool:
    return answer is not None and answer.finding is Finding.OK
