"""Runs the soak suite in a lab with trouble, and compares each outcome with that of a quiet lab."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_aksnet.lab.faults.naming import all_faults
from pytest_aksnet.lab.faults.rated import RatedFault
from pytest_aksnet.lab.faults.setting import PER_SECOND
from pytest_aksnet.lab.layout import default_spec
from tests.e2e.inner.soak import MUST_FAIL, kind_of
from tests.e2e.suite_run import SuiteRun, run_suites

SUITE = Path(__file__).parent / "inner" / "soak.py"
ALL_AT_RANDOM = "api-trouble"


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """One run of the suite: its outcomes, and how long it took in seconds."""

    run: SuiteRun
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """How the outcomes under trouble differ from the quiet ones.

    `wrong` are checks that passed, failed or were skipped although they did not when it was quiet,
    or that are missing; all texts are `id[parameters]: quiet -> now: reason`.
    """

    checks: int
    wrong: tuple[str, ...]
    inconclusive: tuple[str, ...]
    errors: tuple[str, ...]
    retries: dict[str, int]


def faults_at(rate: float) -> list[str]:
    """Every fault of the API, its streams and its pods as an option's value.

    Those with a probability, or a number of times a second, get this one; the others keep theirs.
    """
    rated = [
        fault
        for fault in all_faults(default_spec("overlay", "calico"))
        if isinstance(fault, RatedFault)
    ]
    return [
        f"{fault.name}={rate:g}"
        if fault.setting.highest == 1 or fault.setting is PER_SECOND
        else fault.name
        for fault in rated
    ]


def soak(folder: Path, checks: int, faults: Sequence[str], *, workers: int = 0) -> Soak:
    """Run so many checks in a lab with these faults; the report goes to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / "test_soak.py"
    copy.write_bytes(SUITE.read_bytes())
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    started = time.monotonic()
    run = run_suites(
        folder,
        "--aksnet-lab",
        *(f"--aksnet-lab-fault={fault}" for fault in faults),
        f"-n{workers}",
        suites=[str(copy)],
        environment={"AKSNET_SOAK_CHECKS": str(checks)},
        seconds=60 + 20 * checks,
    )
    return Soak(run=run, seconds=time.monotonic() - started)


def soak_quietly(folder: Path, checks: int, *, workers: int = 0) -> Soak:
    """The run that others are compared with. Raises AssertionError where it is not as it must be.

    It holds each check with the outcome that its kind has, so that nothing is compared with less.
    """
    quiet = soak(folder, checks, (), workers=workers)
    expected = {
        f"soak.check[{number}-{kind_of(number).__name__}]": (
            "failed" if kind_of(number) in MUST_FAIL else "passed"
        )
        for number in range(checks)
    }
    found, reasons = quiet.run.outcomes(), quiet.run.not_passed()
    differing = {
        check: reasons.get(check, found.get(check, "missing"))
        for check in expected.keys() | found.keys()
        if found.get(check) != expected.get(check)
    }
    assert not differing, differing
    return quiet


def compare(quiet: SuiteRun, troubled: SuiteRun) -> Comparison:
    """Hold the outcomes of a run with faults against those of one without."""
    expected, found = quiet.outcomes(), troubled.outcomes()
    reasons = troubled.not_passed()
    texts: dict[str, list[str]] = {"wrong": [], "inconclusive": [], "error": []}
    for check, outcome in expected.items():
        now = found.get(check, "missing")
        if now != outcome:
            kind = now if now in ("inconclusive", "error") else "wrong"
            texts[kind].append(f"{check}: {outcome} -> {now}: {reasons.get(check, '')}")
    texts["wrong"] += [f"{check}: unknown when quiet" for check in found.keys() - expected.keys()]
    retries = troubled.results["summary"]["retries"]
    return Comparison(
        checks=len(expected),
        wrong=tuple(texts["wrong"]),
        inconclusive=tuple(texts["inconclusive"]),
        errors=tuple(texts["error"]),
        retries={way: sum(causes.values()) for way, causes in retries.items()},
    )
