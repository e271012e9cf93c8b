"""What verbs about Azure rest on: topics of ARM with their evidence, and how a finding is judged.

A topic's module `azure_*` has a class on top of `AzureVerbs`; `azure_inventory.Arm` puts the topics
together.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_aksnet.assertions.looker import Reader
from pytest_aksnet.check import Engine
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.expectations.azure_blame import Finding
from pytest_aksnet.model.arm import Exchange, Reading, Sort, Topic, Value
from pytest_aksnet.model.command_line import shell_line
from pytest_aksnet.model.errors import ArmForbidden, ArmUnanswered, NotApplicable
from pytest_aksnet.model.observation import FactSheet
from pytest_aksnet.model.record import Attempt
from pytest_aksnet.model.resource_id import shown_by

_RIGHTS = "docs/azure.md has a role definition with all that the checks read"


class AzureVerbs(Reader):
    """Verbs about what ARM says; see `azure_inventory` for what they raise."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._shown: set[tuple[str, float]] = set()

    def read(self, topic: Topic[Value], *, since: float = 0.0) -> Value:
        """What ARM says of a topic, read once per run; its exchanges become evidence of this check.

        `since` asks for a reading not older than that (seconds since the epoch), for what the check
        itself has changed. Raises ArmNotAsked, ArmForbidden, ArmUnanswered, or NotApplicable off
        Azure.
        """
        reading = self._engine.arm.reading(topic.name, since=since)
        self._show(reading)
        refusal = reading.refusal
        if refusal is None:
            value: Any = reading.value
            return value  # type: ignore[no-any-return]
        if refusal.sort is Sort.FORBIDDEN:
            raise ArmForbidden(
                f"Azure Resource Manager, {topic.name}: {refusal.why}; {_RIGHTS}",
                action=refusal.action,
            )
        if refusal.sort is Sort.UNNAMED and self._engine.profile.get("cloud") == "other":
            raise NotApplicable(f"the cluster is not on Azure, and {refusal.why}")
        raise ArmUnanswered(f"Azure Resource Manager, {topic.name}: {refusal.why}")

    def judge(
        self,
        what: str,
        facts: Mapping[str, str],
        finding: Finding,
        *,
        by_hand: Sequence[str] = (),
        shows: str = "",
    ) -> FactSheet:
        """Keep facts and finding, and end the check by it; see `check_facts.judge_facts`.

        The command that is named shows the resource to change; where nothing is to be changed it is
        `by_hand`, or what shows the resource `shows` (an id).
        """
        if finding.resource:
            by_hand = shown_by(finding.resource)
        elif not by_hand:
            by_hand = shown_by(shows)
        sheet = FactSheet(what=what, source=f"Azure Resource Manager: {what}", facts=dict(facts))
        change = f"{finding.resource} ({finding.change})" if finding.resource else ""
        return judge_facts(self._engine, sheet, finding.verdict, by_hand=by_hand, change=change)

    def _show(self, reading: Reading[Any]) -> None:
        """Leave the exchanges of a reading as evidence, once in each check."""
        if (reading.topic, reading.taken) in self._shown:
            return
        self._shown.add((reading.topic, reading.taken))
        for name in reading.rests_on:
            self._show(self._engine.arm.reading(name))
        for exchange in reading.exchanges:
            self._engine.recorder.attempt(_attempt(reading.topic, exchange))


def _attempt(topic: str, exchange: Exchange) -> Attempt:
    argv = ("az", "rest", f"--method={exchange.method.lower()}", f"--url={exchange.url}")
    return Attempt(
        role="azure",
        source=f"Azure Resource Manager: {topic}",
        command_line=shell_line(argv),
        started=exchange.started,
        execution=exchange,
        observation=None,
        verdict=None,
    )
