"""docs/azure-role.json allows what the topics of ARM need, and docs/azure.md tells of each."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from pytest_aksnet.arm.roles import main, role_text
from pytest_aksnet.arm.topics import READERS
from pytest_aksnet.model.arm import PLACE, Topic

DOCS = Path(__file__).parents[2] / "docs"
TOPICS = (PLACE, *(reader.topic for reader in READERS))


def test_the_tracked_role_is_the_one_of_the_topics() -> None:
    assert (DOCS / "azure-role.json").read_text(encoding="utf-8") == role_text(), (
        "write it anew: python -m pytest_aksnet.arm.roles docs/azure-role.json"
    )


def test_the_role_can_do_nothing_but_read() -> None:
    actions = json.loads(role_text())["Actions"]
    assert len(actions) == len(set(actions))
    others = [action for action in actions if not action.endswith("/read")]
    assert others == ["Microsoft.Network/loadBalancers/loadBalancingRules/health/action"]


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
def test_each_topic_has_its_row(topic: Topic[Any]) -> None:
    text = (DOCS / "azure.md").read_text("utf-8")
    rows = re.findall(r"^\| (\S+) \| (.+?) \| (.+?) \|$", text, re.MULTILINE)
    told = {name: (re.findall(r"`([^`]+)`", actions), unknown) for name, actions, unknown in rows}
    assert topic.name in told
    actions, unknown = told[topic.name]
    assert actions == list(topic.actions)
    assert len(unknown) > 10


def test_wrong_arguments_get_the_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage:" in capsys.readouterr().err
