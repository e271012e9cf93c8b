"""One fact sheet that was read from the API server, judged: shared by topics about objects."""

from collections.abc import Mapping, Sequence

from pytest_aksnet.check import Engine
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.verdict import Verdict


def judge_sheet(
    engine: Engine,
    what: str,
    facts: Mapping[str, str],
    verdict: Verdict,
    by_hand: Sequence[str],
) -> FactSheet:
    """The sheet, kept as evidence. Raises what `judge_facts` raises."""
    sheet = FactSheet(what=what, source=f"API server: {what}", facts=dict(facts))
    return judge_facts(engine, sheet, verdict, by_hand=by_hand)
