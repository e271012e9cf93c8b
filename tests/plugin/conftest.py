"""The runs inside these tests are plain ones: without the plugins of this checkout's own tests."""

import pytest


@pytest.fixture(autouse=True)
def _plain_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    # hypothesis loads itself (half a second) at the end of every run that has it installed.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")
    monkeypatch.delenv("CI", raising=False)
