"""Azure's packages are found whatever else is called azure; and it is said where they cannot be."""

import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from pytest_aksnet.arm.installed import why_not_importable

SCRIPT = """
import sys
from pytest_aksnet.arm.installed import uncover, why_not_importable
if sys.argv[1:]:
    import azure
    print(azure.MINE)
print(why_not_importable())
uncover()
import azure.core
from azure.identity import DefaultAzureCredential
import azure.tests_of_mine
print(azure.tests_of_mine.MINE)
"""


@pytest.mark.parametrize("imported", [True, False])
def test_a_package_of_that_name_hides_nothing(imported: bool, tmp_path: Path) -> None:
    own = tmp_path / "azure"
    own.mkdir()
    (own / "__init__.py").write_text("MINE = 'first'")
    (own / "tests_of_mine.py").write_text("MINE = 'second'")
    (tmp_path / "script.py").write_text(SCRIPT)
    arguments = ["imported"] if imported else []
    ended = subprocess.run(
        [sys.executable, tmp_path / "script.py", *arguments],
        capture_output=True,
        text=True,
        check=True,
    )
    assert ended.stdout.split("\n") == [*(["first"] if imported else []), "", "second", ""]


def test_a_module_of_that_name_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ModuleType("azure")
    own.__file__ = "/home/me/azure.py"
    monkeypatch.setitem(sys.modules, "azure", own)
    assert "/home/me/azure.py" in why_not_importable()


def test_missing_packages_are_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [one for one in sys.path if "site-packages" not in one])
    assert "pip install pytest-aksnet[azure]" in why_not_importable()
