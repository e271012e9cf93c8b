"""docs/lab.md says what the code does: its spec file loads, its table names every fault."""

import dataclasses
import re
import tomllib
from pathlib import Path

from pytest_aksnet.lab.faults.table import BEGIN, END, fault_table
from pytest_aksnet.lab.layout import make_spec
from pytest_aksnet.lab.options import EGRESSES, ENGINES, MODES, LabOptions, lab_options

GUIDE = (Path(__file__).parents[2] / "docs" / "lab.md").read_text(encoding="utf-8")


def test_the_example_of_a_spec_file_is_one() -> None:
    [example] = re.findall(r"```toml\n(.*?)```", GUIDE, re.DOTALL)
    options = lab_options(tomllib.loads(example))
    spec = make_spec(options)
    assert [node.pool for node in spec.nodes] == ["system", "user", "user", "user"]
    named = set(tomllib.loads(example))
    known = {field.name.replace("_", "-") for field in dataclasses.fields(LabOptions)}
    assert named == known, "the example has every option"


def test_the_table_of_options_has_every_choice() -> None:
    for choice in (*MODES, *ENGINES, *EGRESSES):
        assert f"`{choice}`" in GUIDE


def test_the_table_of_faults_is_the_registry() -> None:
    table = GUIDE.partition(BEGIN)[2].partition(END)[0].strip()
    assert table == fault_table(), (
        "write it anew: python -m pytest_aksnet.lab.faults.table docs/lab.md"
    )
