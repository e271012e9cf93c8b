"""The runs inside these tests are plain ones: without the plugins of this checkout's own tests."""

import pytest


@pytest.fixture(autouse=True)
def _plain_runs(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    # hypothesis loads itself (half a second) at the end of every run that has it installed.
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest")
    monkeypatch.delenv("CI", raising=False)
    # Without compiled files each run of its own would compile every plugin anew.
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    monkeypatch.setenv("PYTHONPYCACHEPREFIX", str(tmp_path_factory.getbasetemp() / "compiled"))
