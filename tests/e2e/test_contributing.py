"""CONTRIBUTING.md's new check, tried as it stands there: it passes, and its fault fails it."""

import re
from pathlib import Path

from tests.e2e.fault_matrix import on
from tests.e2e.suite_run import CHECKOUT, run_suites

PAGE = (CHECKOUT / "CONTRIBUTING.md").read_text("utf-8")
CHECK = "traffic-policy.service-of-one"


def test_the_new_check_passes_and_its_fault_fails_it(tmp_path: Path) -> None:
    [source] = re.findall(r"^```python\n(\"\"\"Services.*?)^```$", PAGE, re.DOTALL | re.MULTILINE)
    [fault] = re.findall(r"--aksnet-lab-fault=(\S+)$", PAGE, re.MULTILINE)
    file = tmp_path / "test_service_of_one.py"
    file.write_text(source, "utf-8")
    for folder in ("well", "broken"):
        (tmp_path / folder).mkdir()

    well = run_suites(tmp_path / "well", "--aksnet-lab", suites=[str(file)])
    assert set(well.outcomes().values()) == {"passed"}, well.terminal

    flag = f"--aksnet-lab-fault={fault}"
    broken = run_suites(tmp_path / "broken", "--aksnet-lab", flag, suites=[str(file)])
    assert set(broken.not_passed()) == on(CHECK, 2), broken.terminal
    assert "service proxy" in " ".join(broken.not_passed().values())
    assert "remedy: look at the service proxy" in broken.terminal
