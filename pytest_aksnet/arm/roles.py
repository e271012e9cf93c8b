"""The role that allows all that is read of ARM, and nothing else: docs/azure-role.json.

python -m pytest_aksnet.arm.roles docs/azure-role.json
"""

import json
import sys
from collections.abc import Sequence
from pathlib import Path

from pytest_aksnet.arm.topics import READERS
from pytest_aksnet.model.arm import PLACE
from pytest_aksnet.model.azure_role import role_definition

_USAGE = "usage: python -m pytest_aksnet.arm.roles FILE"
_NAME = "pytest-aksnet reader"
_ABOUT = "All that pytest-aksnet reads of an AKS cluster's network; nothing is changed"


def role_text() -> str:
    """The role definition, as it is tracked."""
    topics = (PLACE, *(reader.topic for reader in READERS))
    actions = [action for topic in topics for action in topic.actions]
    return json.dumps(role_definition(_NAME, _ABOUT, actions), indent=2) + "\n"


def main(arguments: Sequence[str]) -> int:
    """Write the file. Returns the exit status."""
    if len(arguments) != 1:
        sys.stderr.write(f"{_USAGE}\n")
        return 2
    Path(arguments[0]).write_text(role_text(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
