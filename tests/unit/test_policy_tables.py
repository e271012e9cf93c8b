"""`assert_policy_table` on a made-up cluster: what comes first, and what is left as evidence."""

from dataclasses import dataclass, field

import pytest

from pytest_aksnet.expectations.policy_entries import Way
from pytest_aksnet.model.errors import ConformanceFailure, ControlFailed, SettingsError
from pytest_aksnet.model.policy_table import CaseResult, Json
from pytest_aksnet.model.verdict import Outcome
from pytest_aksnet.policy_campaign import PolicyCampaign
from pytest_aksnet.policy_tables import PolicyTables
from tests.unit import scripted
from tests.unit.check.table_world import LAYOUT, World, deny

DENY_A = deny("a").policy
# The control resets first; a case that was not run to its end is run a second time, as that is.
FIRST_APPLY, SECOND_APPLY = 2, 5


@dataclass
class Scene:
    """Tables on one world, and where evidence goes."""

    world: World = field(default_factory=World)
    seen: scripted.World = field(
        default_factory=lambda: scripted.World(scripted.always(scripted.REFUSED))
    )

    def expect(self, expected: dict[str, Way], policy: Json = DENY_A) -> CaseResult:
        """Assert what is expected of a policy, by default of one that closes x/a."""
        campaign = PolicyCampaign(
            (),
            sets=1,
            start=lambda layout, number: self.world,
            runner=lambda ending: self.world.runner(),
        )
        try:
            tables = PolicyTables(self.seen.engine, campaign)
            return tables.assert_policy_table([policy], expected, layout=LAYOUT)
        finally:
            campaign.stop()

    def evidence(self) -> list[Outcome]:
        """The verdicts of what was recorded."""
        return [one.verdict.outcome for one in self.seen.recorder.attempts if one.verdict]


def test_policies_that_say_what_is_expected_pass() -> None:
    scene = Scene()
    result = scene.expect({"* -> x/a": "closed", "* -> y/*": "open"})
    assert [step.title for step in result.steps] == ["the policies", "back to no policy"]
    assert scene.evidence() == [Outcome.PASS, Outcome.PASS]


def test_an_entry_that_names_no_cell_is_told_before_anything_is_done() -> None:
    scene = Scene()
    with pytest.raises(SettingsError, match="names no cell"):
        scene.expect({"* -> x/q": "closed"})
    assert (scene.world.calls, scene.world.lists) == (0, 0)


@pytest.mark.parametrize(
    "policy",
    [
        {**DENY_A, "metadata": {"namespace": "q", "name": "deny"}},
        {**DENY_A, "metadata": {"namespace": "x"}},
        {"spec": DENY_A["spec"]},
        {"metadata": DENY_A["metadata"]},
    ],
)
def test_a_policy_that_the_layout_has_no_place_for_is_told_before_too(policy: Json) -> None:
    scene = Scene()
    with pytest.raises(SettingsError, match=r"policies\[0\] has metadata .* which are x, y"):
        scene.expect({}, policy)
    assert (scene.world.calls, scene.world.lists) == (0, 0)


def test_policies_that_say_otherwise_fail_and_leave_their_table() -> None:
    scene = Scene()
    with pytest.raises(ConformanceFailure, match="do not say what is expected of them") as failed:
        scene.expect({"* -> *": "open"})
    assert "y/a to x/a at TCP 8080 is expected to be open, but" in str(failed.value)
    assert "; and 1 more" in str(failed.value)
    assert scene.evidence() == [Outcome.PASS, Outcome.PASS]


def test_a_policy_that_is_refused_proves_nothing_whatever_is_expected() -> None:
    scene = Scene(
        World(refuses=lambda call: "unknown field" * (call in (FIRST_APPLY, SECOND_APPLY)))
    )
    with pytest.raises(ControlFailed, match="unknown field"):
        scene.expect({"* -> x/a": "closed"})
    assert scene.evidence() == [Outcome.INCONCLUSIVE]
