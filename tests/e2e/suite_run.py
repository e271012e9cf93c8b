"""Runs the suites in a process of their own against the embedded lab and reads what they report."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuiteRun:
    """What one run gave. `results` is results.json."""

    exit_code: int
    terminal: str
    results: dict[str, Any]
    report_dir: Path

    def outcomes(self) -> dict[str, str]:
        """Outcome by `id[parameters]`."""
        return {name(check): check["outcome"] for check in self.results["checks"]}

    def skipped(self) -> dict[str, str]:
        """The reason of every check that was skipped, by `id[parameters]`."""
        return {
            name(check): check["reason"]
            for check in self.results["checks"]
            if check["outcome"] == "skipped"
        }

    def not_passed(self) -> dict[str, str]:
        """The reason of every check that did not pass, by `id[parameters]`."""
        return {
            name(check): f"{check['outcome']}: {check['reason']} {check['diagnosis']}"
            for check in self.results["checks"]
            if check["outcome"] != "passed"
        }


def name(check: dict[str, Any]) -> str:
    """`id[parameters]` of a check in results.json."""
    parameters = check["nodeid"].partition("[")[2]
    return f"{check['id']}[{parameters}" if parameters else str(check["id"])


def run_suites(
    report_dir: Path,
    *arguments: str,
    suites: Sequence[str] = ("suites",),
    environment: Mapping[str, str] | None = None,
    seconds: float = 300,
) -> SuiteRun:
    """Run pytest on `suites` with these arguments; the report goes to `report_dir`.

    `suites` are paths below the checkout or absolute, or node ids. `environment` comes on top of
    this process's. Raises subprocess.TimeoutExpired after so many `seconds`.
    """
    ended = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            *(str(CHECKOUT / suite) for suite in suites),
            f"--aksnet-report-dir={report_dir}",
            "-p",
            "no:cacheprovider",
            *arguments,
        ],
        cwd=report_dir,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    terminal = ended.stdout + ended.stderr
    written = report_dir / "results.json"
    assert written.exists(), terminal
    return SuiteRun(
        exit_code=ended.returncode,
        terminal=terminal,
        results=json.loads(written.read_text("utf-8")),
        report_dir=report_dir,
    )


def lab_arguments(folder: Path, mode: str, engine: str, settings: Sequence[str]) -> list[str]:
    """The options that ask for such a lab; `settings` are KEY=VALUE as of `aksnet-lab --set`.

    They are written to a file in `folder`.
    """
    arguments = [f"--aksnet-lab={mode}:{engine}"]
    if settings:
        file = folder / "lab.toml"
        file.write_text("".join(f"{_toml(setting)}\n" for setting in settings), "utf-8")
        arguments.append(f"--aksnet-lab-spec={file}")
    return arguments


def _toml(setting: str) -> str:
    key, _, value = setting.partition("=")
    plain = value in ("true", "false") or value.isdigit()
    return f"{key} = {value}" if plain else f'{key} = "{value}"'
