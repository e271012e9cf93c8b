"""What may be concluded from answers of an agent; above all, when silence counts as blocked."""

import pytest

from pytest_aksnet.expectations.probing import judge_path_mtu, judge_reached, judge_silent
from pytest_aksnet.model.probing import Answer, Batch, Finding
from pytest_aksnet.model.verdict import Outcome, Verdict

OK = Answer(Finding.OK, 4.0, 5.0, {})
SILENT = Answer(Finding.TIMEOUT, 500.0, 500.0, {})


def _silent(batch: Batch, *, timeout_s: float = 0.5, controls: tuple[int, ...] = (1,)) -> Verdict:
    return judge_silent(
        batch, 0, what="x", timeout_s=timeout_s, controls=controls, source="s", where="node-b"
    )


def _batch(*answers: Answer | None, ended: bool = True, gaps: int = 0) -> Batch:
    return Batch(answers=answers, ended=ended, gaps=gaps, problem="" if ended else "cut")


def test_silence_beside_a_control_that_answers_is_blocked() -> None:
    assert _silent(_batch(SILENT, OK)).outcome is Outcome.PASS


def test_an_answer_is_not_blocked() -> None:
    verdict = _silent(_batch(OK, OK))
    assert verdict.outcome is Outcome.FAIL
    assert "node-b" in verdict.sentence


@pytest.mark.parametrize("finding", [f for f in Finding if f not in (Finding.OK, Finding.TIMEOUT)])
def test_no_other_failure_is_blocked(finding: Finding) -> None:
    assert _silent(_batch(Answer(finding, 1, 1, {}), OK)).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize(
    ("batch", "why"),
    [
        (_batch(None, OK), "no answer"),
        (_batch(SILENT, OK, ended=False), "cut"),
        (_batch(SILENT, OK, gaps=1), "gap"),
        (_batch(SILENT, SILENT), "control"),
        (_batch(SILENT, None), "control"),
        (_batch(SILENT, Answer(Finding.OK, 101.0, 101.0, {})), "too close"),
    ],
)
def test_a_look_that_does_not_prove_it_is_inconclusive(batch: Batch, why: str) -> None:
    verdict = _silent(batch)
    assert verdict.outcome is Outcome.INCONCLUSIVE
    assert why in verdict.sentence


@pytest.mark.parametrize("finding", [one for one in Finding if one is not Finding.OK])
def test_of_a_list_that_is_not_whole_good_answers_alone_count(finding: Finding) -> None:
    other = Answer(finding, 500.0, 500.0, {})
    assert _batch(OK, other, None).counted == (OK, other, None)
    assert _batch(OK, other, None, ended=False).counted == (OK, None, None)
    assert _batch(OK, other, None, gaps=1).counted == (OK, None, None)


def test_silence_must_have_lasted() -> None:
    def judged(streak: int) -> Outcome:
        answer = Answer(Finding.TIMEOUT, 500.0, 500.0, {}, tries=5, streak=streak)
        return judge_silent(
            _batch(answer, OK), 0, what="x", timeout_s=0.5, controls=[1], source="s", where="w",
            looks=2,
        ).outcome  # fmt: skip

    assert [judged(1), judged(2)] == [Outcome.INCONCLUSIVE, Outcome.PASS]


def test_without_a_control_nothing_is_blocked() -> None:
    assert _silent(_batch(SILENT, OK), controls=()).outcome is Outcome.INCONCLUSIVE


@pytest.mark.parametrize("finding", list(Finding))
def test_what_was_not_looked_at_is_never_a_failure(finding: Finding) -> None:
    answer = Answer(finding, 1.0, 1.0, {"detail": "because"})
    outcome = judge_reached(answer, what="x", source="s").outcome
    if finding is Finding.OK:
        assert outcome is Outcome.PASS
    elif finding in (Finding.LOCAL, Finding.AGENT):
        assert outcome is Outcome.INCONCLUSIVE
    else:
        assert outcome is Outcome.FAIL
    assert judge_reached(None, what="x", source="s").outcome is Outcome.INCONCLUSIVE


def test_path_mtu() -> None:
    def judged(**facts: object) -> Verdict:
        answer = Answer(Finding.OK, 1.0, 1.0, {"out": 1500, **facts})
        return judge_path_mtu(answer, what="x", source="s")

    assert judged(mtu=1500) == Verdict(
        outcome=Outcome.PASS, sentence="packets of 1500 bytes with DF get to x", source="s"
    )
    told = judged(mtu=1400, told=True)
    assert told.outcome is Outcome.PASS
    assert "1400" in told.warning
    black_hole = judged(mtu=1400, silent_above=True)
    assert black_hole.outcome is Outcome.FAIL
    assert "more than 1400 bytes" in black_hole.sentence
    assert judge_path_mtu(SILENT, what="x", source="s").outcome is Outcome.FAIL
    assert judge_path_mtu(OK, what="x", source="s").outcome is Outcome.INCONCLUSIVE
    local = Answer(Finding.LOCAL, 1.0, 1.0, {})
    assert judge_path_mtu(local, what="x", source="s").outcome is Outcome.INCONCLUSIVE
