"""docs/azure-role.json: enough for all that is read of ARM, and nothing in it is for nothing."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import pytest

from pytest_aksnet.arm.topics import READERS
from pytest_aksnet.lab.arm.roles import ROLES
from pytest_aksnet.lab.options import LabOptions
from pytest_aksnet.model.arm import Sort
from tests.lab.arm_readings import readings_of
from tests.lab.arm_server import RunningArm, arm_server

DOCS = Path(__file__).parents[2] / "docs"
ACTIONS: tuple[str, ...] = tuple(
    json.loads((DOCS / "azure-role.json").read_text(encoding="utf-8"))["Actions"]
)
# Of outbound addresses that are a prefix, which this lab has not.
_NOT_MET = ("Microsoft.Network/publicIPPrefixes/read",)
TOPICS = [reader.topic.name for reader in READERS]


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningArm]:
    """The stand-in, whose service principal has that role."""
    options = LabOptions(mode="overlay", arm_role="Reader")
    role = replace(ROLES["Reader"], actions=ACTIONS, custom=True)
    with (
        patch.dict(ROLES, {"Reader": role}),
        arm_server(tmp_path_factory.mktemp("arm"), options) as running,
    ):
        running.add_service("web", "198.51.100.17", up=[running.world.spec.nodes[0].name])
        yield running


def forbidden(arm: RunningArm) -> dict[str, str]:
    """The topics that the service principal may not read, with the action that it is told."""
    with readings_of(arm) as readings:
        refusals = {name: readings.reading(name).refusal for name in TOPICS}
    return {
        name: refusal.action
        for name, refusal in refusals.items()
        if refusal is not None and refusal.sort is Sort.FORBIDDEN
    }


def test_the_role_is_enough(arm: RunningArm) -> None:
    assert forbidden(arm) == {}


@pytest.mark.thorough
@pytest.mark.parametrize("action", [one for one in ACTIONS if one not in _NOT_MET])
def test_without_an_action_it_is_named(arm: RunningArm, action: str) -> None:
    arm.trouble.denied.add(action)
    try:
        hidden = forbidden(arm)
    finally:
        arm.trouble.denied.clear()
    assert {told.lower() for told in hidden.values()} == {action.lower()}
