"""How often a run asks Azure Resource Manager: by its topics, not by its checks or workers."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.e2e.suite_run import CHECKOUT, SuiteRun, run_suites

_LAB = ("--aksnet-lab=overlay", "--aksnet-lab-arm", "-p", "tests.e2e.inner.arm_asked")
# How often it is looked whether an operation has ended depends on how long it takes.
_POLLS = ("/locations/operations", "/locations/operationResults")
_EVERYTHING = """
import pytest
from pytest_aksnet.arm.topics import READERS
from pytest_aksnet.model.arm import PLACE

@pytest.mark.parametrize("number", range({}))
@pytest.mark.aksnet(id="mine.reads-everything", feature="azure", severity="minor")
def test_everything(arm, number):
    \'\'\'Everything can be read.

    Why: It costs nothing more.

    Remedy: None.
    \'\'\'
    for reader in READERS:
        arm.read(reader.topic)
"""


def _asked(run: SuiteRun) -> Mapping[str, int]:
    lines = run.terminal.splitlines()
    [line] = [line for line in lines if line.startswith("ARM ASKED ")]
    asked: dict[str, int] = json.loads(line.removeprefix("ARM ASKED "))
    return {what: often for what, often in asked.items() if not what.endswith(_POLLS)}


def _run(folder: Path, suites: tuple[str, ...], *arguments: str) -> SuiteRun:
    folder.mkdir()
    environment = {"PYTHONPATH": str(CHECKOUT)}
    return run_suites(
        folder, *_LAB, *arguments, suites=suites, environment=environment, seconds=900
    )


@pytest.mark.thorough
def test_requests_do_not_grow_with_the_checks_and_workers(tmp_path: Path) -> None:
    def asked(count: int, *arguments: str) -> Mapping[str, int]:
        file = tmp_path / f"test_{count}.py"
        file.write_text(_EVERYTHING.format(count))
        folder = tmp_path / "-".join(("run", str(count), *arguments))
        run = _run(folder, (str(file),), *arguments)
        outcomes = list(run.outcomes().values())
        assert outcomes == ["passed"] * count, run.terminal
        return _asked(run)

    one = asked(1)
    assert one["token"] == 1
    assert all(what.startswith(("GET ", "POST ", "token")) for what in one)
    assert asked(30) == one
    assert asked(30, "-n3") == one


@pytest.mark.thorough
def test_the_suite_asks_as_often_with_workers(tmp_path: Path) -> None:
    alone = _run(tmp_path / "alone", ("suites/azure",))
    workers = _run(tmp_path / "workers", ("suites/azure",), "-n3")
    assert alone.outcomes() == workers.outcomes(), workers.terminal
    assert _asked(alone) == _asked(workers)
    assert _asked(alone)["token"] == 1
