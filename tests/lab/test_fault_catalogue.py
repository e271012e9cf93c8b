"""Every fault of the catalogue: healthy, injected, healed, shown by packets."""

import re
from collections import OrderedDict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_aksnet.lab.faults.naming import all_faults
from pytest_aksnet.lab.layout import default_spec, make_spec
from pytest_aksnet.lab.options import lab_options, parse_setting
from pytest_aksnet.lab.spec import LabSpec
from tests.lab.fault_rows import FaultRow, all_rows, covered_by_tests
from tests.lab.running_lab import RunningLab, start_lab
from tests.lab.scene import Scene

_MOST_LABS = 3
LabKey = tuple[str, str, tuple[str, ...]]
Labs = Callable[[LabKey], tuple[RunningLab, LabSpec]]


@pytest.fixture(scope="module")
def labs_by_settings() -> Iterator[Labs]:
    """Labs as rows want them. Those that were used last stay for the next rows."""
    running: OrderedDict[LabKey, tuple[RunningLab, LabSpec]] = OrderedDict()

    def lab_of(key: LabKey) -> tuple[RunningLab, LabSpec]:
        if key in running and running[key][0].process.poll() is not None:
            running.pop(key)[0].end()  # what killed it was told by the row that it served
        if key not in running:
            if len(running) == _MOST_LABS:
                running.popitem(last=False)[1][0].end()
            mode, engine, settings = key
            choices = {"mode": mode, "engine": engine, **dict(map(parse_setting, settings))}
            spec = make_spec(lab_options(choices))
            running[key] = start_lab(mode, engine, settings=settings), spec
        running.move_to_end(key)
        return running[key]

    yield lab_of
    for lab, _ in running.values():
        lab.end()


def _others(row: FaultRow) -> tuple[str, ...]:
    return (*(() if row.engine == "calico" else (row.engine,)), *row.settings)


def _cases() -> list[object]:
    cases = [(row, mode) for row in all_rows() for mode in row.modes]
    cases.sort(key=lambda case: (case[1], case[0].engine, case[0].settings))
    return [
        pytest.param(
            row,
            mode,
            id="-".join((row.fault, mode, *_others(row))),
            marks=[] if mode == row.modes[0] and not row.slow else [pytest.mark.thorough],
        )
        for row, mode in cases
    ]


@pytest.mark.parametrize(("row", "mode"), _cases())
def test_healthy_broken_healed(
    row: FaultRow, mode: str, labs_by_settings: Labs, tmp_path: Path
) -> None:
    lab, spec = labs_by_settings((mode, row.engine, row.settings))
    with Scene(lab, spec, tmp_path) as scene:
        fault = row.fault_in(scene)
        scene.holds(row.healthy)
        scene.inject(fault)
        scene.inject(fault)  # harmless, as the second healing is
        scene.holds(row.broken)
        scene.heal(fault)
        scene.heal(fault)
        scene.holds(row.healthy)


def test_every_fault_is_tested() -> None:
    elsewhere = covered_by_tests()
    shown = {row.name for row in all_rows()} | set(elsewhere)
    known = {fault.name for fault in all_faults(default_spec("overlay", "calico"))}
    assert known - shown == set(), "faults without a row"
    assert shown - known == set(), "rows without a fault"


@pytest.mark.parametrize("fault", sorted(covered_by_tests()))
def test_what_is_covered_by_tests_is_there(fault: str) -> None:
    file, _, test = covered_by_tests()[fault].partition("::")
    text = (Path(__file__).parent / file).read_text()
    body = text.partition(f"def {test}(")[2].partition("\ndef ")[0]
    injects = re.search(rf'\.inject\(\s*f?"{re.escape(fault)}["=@]', body)
    assert injects, f"{file} has no {test} that injects {fault}"
    heals = re.search(r'\.heal\(|"heal", ', body[injects.end() :])
    assert heals, f"{test} does not heal {fault}"
