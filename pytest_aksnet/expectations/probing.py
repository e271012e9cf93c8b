"""What may be concluded from the answers of an agent.

Silence is the one finding that a broken look resembles; so "blocked" needs the whole of
`judge_silent`. Every other finding speaks for itself.
"""

from collections.abc import Sequence

from pytest_aksnet.model.probing import SLOW_PATH, Answer, Batch, Finding
from pytest_aksnet.model.verdict import Outcome, Verdict

HOW_IT_FAILED = {
    Finding.TIMEOUT: "nothing answered: the packets are dropped on the way",
    Finding.REFUSED: "it was refused: nothing listens there",
    Finding.RESET: "the connection was reset",
    Finding.UNREACH: "there is no route",
    Finding.PROHIBITED: "a filter rejected it",
    Finding.MUTE: "a connection was made, but nothing came over it",
    Finding.EOF: "the connection was closed without an answer",
    Finding.WRONG: "something else answered",
    Finding.UNRESOLVED: "the name could not be resolved",
}


def judge_reached(answer: Answer | None, *, what: str, source: str) -> Verdict:
    """Whether `what` (a noun) was reached. `source` is where the promise is written."""
    if answer is None or not answer.looked:
        return _not_looked(answer, what)
    if answer.finding is Finding.OK:
        return Verdict(outcome=Outcome.PASS, sentence=f"{what} was reached", source=source)
    said = answer.facts.get("detail")
    return Verdict(
        outcome=Outcome.FAIL,
        sentence=f"{what} should be reached, but {HOW_IT_FAILED[answer.finding]}"
        f"{f' ({said})' if said else ''}",
        source=source,
    )


def judge_path_mtu(answer: Answer | None, *, what: str, source: str) -> Verdict:
    """Whether packets as long as the sender's interface allows get to `what` with DF set.

    A way that loses them silently breaks TCP. One that says so works, with smaller packets than
    AKS documents: that is a warning.
    """
    if answer is None or not answer.looked:
        return _not_looked(answer, what)
    if answer.finding is not Finding.OK:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"packets with DF should get to {what}, but {HOW_IT_FAILED[answer.finding]}",
            source=source,
        )
    reached, sent = answer.facts.get("mtu"), answer.facts.get("out")
    if reached is None:
        return Verdict(
            outcome=Outcome.INCONCLUSIVE,
            sentence=f"how long packets to {what} may be was not told: {answer.detail}",
        )
    if answer.facts.get("silent_above"):
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"packets to {what} of more than {reached} bytes with DF vanish, and nobody "
            f"is told, although the interface takes {sent}: a path MTU black hole, in which large "
            "transfers hang",
            source=source,
        )
    warning = ""
    if reached != sent:
        warning = (
            f"the way to {what} takes packets of {reached} bytes at most and says so, the "
            f"interface takes {sent}"
        )
    return Verdict(
        outcome=Outcome.PASS,
        sentence=f"packets of {reached} bytes with DF get to {what}",
        source=source,
        warning=warning,
    )


def judge_silent(
    batch: Batch,
    index: int,
    *,
    what: str,
    timeout_s: float,
    controls: Sequence[int],
    source: str,
    where: str,
    looks: int = 0,
) -> Verdict:
    """Whether `what` was blocked: nothing else than silence, in a look that proves it.

    That needs the end marker of the whole list, no gap, an answer to each of the `controls` (their
    indexes) in the same list, a wait of several times the slowest good answer, and silence in the
    last `looks` tries where the probe is repeated. `where` names the nodes whose engine had to
    block.
    """
    answer = batch.answers[index]
    if answer is not None and answer.finding is Finding.OK:
        return Verdict(
            outcome=Outcome.FAIL,
            sentence=f"{what} should be blocked, but it answered: the policy is not enforced on "
            f"{where}",
            source=source,
        )
    if answer is None or not answer.looked:
        return _not_looked(answer, what)
    why = ""
    held = [control for control in controls if _ok(batch, control)]
    slowest_ms = max(
        (one.ms for one in batch.answers if one is not None and one.finding is Finding.OK),
        default=0.0,
    )
    if answer.finding is not Finding.TIMEOUT:
        why = f"{HOW_IT_FAILED[answer.finding]}, which is not how a policy blocks"
    elif not batch.ended or batch.gaps:
        why = f"answers of the agent are missing ({batch.problem or 'a gap'})"
    elif not controls or len(held) < len(controls):
        why = "a positive control did not hold, so a missing answer proves nothing"
    elif answer.streak < looks:
        why = f"it was silent only in the last {answer.streak} tries, {looks} are needed"
    else:
        why = too_close(timeout_s, slowest_ms)
    if why:
        return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=f"{what}: {why}", source=source)
    return Verdict(outcome=Outcome.PASS, sentence=f"{what} was blocked", source=source)


def too_close(timeout_s: float, slowest_ms: float) -> str:
    """Why silence of so many seconds proves nothing beside the slowest answer; empty if it does."""
    if 1000 * timeout_s >= SLOW_PATH * slowest_ms:
        return ""
    return (
        f"silent for {timeout_s:g} s, where others answered after {slowest_ms:.0f} ms: too close "
        "to tell"
    )


def _ok(batch: Batch, index: int) -> bool:
    answer = batch.answers[index]
    return answer is not None and answer.finding is Finding.OK


def _not_looked(answer: Answer | None, what: str) -> Verdict:
    why = "no answer of the agent" if answer is None else answer.detail
    return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=f"{what} could not be looked at: {why}")
