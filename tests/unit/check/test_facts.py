"""What was read instead of looked at with packets: a verdict needs something that was read."""

import pytest

from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.model.errors import ConformanceFailure, FactUnknown
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.verdict import Outcome, Verdict
from tests.unit.scripted import Text, World, always


def judged(outcome: Outcome, **facts: str) -> FactSheet:
    sheet = FactSheet(what="the nodes", source="API server", facts=facts)
    verdict = Verdict(outcome=outcome, sentence="as judged", source="a document")
    engine = World(always(Text())).engine
    return judge_facts(engine, sheet, verdict, by_hand=("kubectl", "get", "nodes"))


def test_facts_are_judged_as_the_verdict_says() -> None:
    assert judged(Outcome.PASS, node="ready").facts == {"node": "ready"}
    with pytest.raises(ConformanceFailure, match="as judged"):
        judged(Outcome.FAIL, node="ready")
    with pytest.raises(FactUnknown, match="as judged"):
        judged(Outcome.INCONCLUSIVE, node="ready")


def test_nothing_read_is_nothing_judged() -> None:
    with pytest.raises(FactUnknown, match="the nodes: nothing was read"):
        judged(Outcome.PASS)
    with pytest.raises(ConformanceFailure, match="as judged"):
        judged(Outcome.FAIL)
