"""Keeps what lets a third person agree: one folder per check, each attempt on disk when it ends.

`attempts.jsonl` has one fsynced line per attempt; `evidence.txt` tells the same to people and is
written when the check ends, as is `tables.html` where there are truth tables. Secrets are taken out
here, before anything reaches the disk.
"""

import hashlib
import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_aksnet.model.arm import Exchange
from pytest_aksnet.model.execution import Completed, Execution
from pytest_aksnet.model.observation import PolicyTable
from pytest_aksnet.model.record import Attempt
from pytest_aksnet.model.verdict import Verdict
from pytest_aksnet.report.exchange_text import exchange_lines
from pytest_aksnet.report.redaction import clean, one_line
from pytest_aksnet.report.serialisation import tagged, timestamp, to_json
from pytest_aksnet.report.table_html import tables_page
from pytest_aksnet.report.table_text import table_lines

EVIDENCE_DIR = "evidence"
ATTEMPTS_FILE = "attempts.jsonl"
TEXT_FILE = "evidence.txt"
TABLES_FILE = "tables.html"
_MAX_NAME = 120
# What is asked of ARM is read, not judged.
_NO_LOOK = "azure"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What one check left. `path` is relative to the report directory, empty without a report.

    `attempts` are the looks: exchanges with ARM are not counted.
    """

    attempts: int
    observations: tuple[dict[str, object], ...]
    diagnosis: str
    warnings: tuple[str, ...]
    sentences: tuple[str, ...]
    path: str
    tables: tuple[PolicyTable, ...] = ()


class EvidenceRecorder:
    """The `model.record.Recorder` of one process: one check at a time, between begin and finish.

    Without a report directory it only remembers what `finish` tells.
    """

    def __init__(self, report_dir: Path | None, run_id: str) -> None:
        self._report_dir = report_dir
        self._run_id = run_id
        self._folder: Path | None = None
        self._file_descriptor = -1
        self._reset()

    def _reset(self) -> None:
        self._name = ""
        self._count = self._looks = 0
        self._text: list[str] = []
        self._observations: dict[tuple[str, str, str], dict[str, object]] = {}
        self._verdicts: dict[tuple[str, str, str], Verdict] = {}
        self._diagnoses: dict[str, None] = {}
        self._tables: list[PolicyTable] = []

    def begin(self, name: str) -> None:
        """From now on, attempts belong to the check of this name (its id and parameters)."""
        self.finish()
        self._name = name

    def attempt(self, attempt: Attempt) -> None:
        """Keep one attempt; it is on disk when this returns."""
        self._count += 1
        self._looks += attempt.role != _NO_LOOK
        key = (attempt.role, attempt.source, attempt.command_line)
        if isinstance(attempt.observation, PolicyTable):
            self._tables.append(attempt.observation)
            key = (attempt.role, attempt.source, f"table {len(self._tables)}")
        seen = attempt.observation and tagged(attempt.observation)
        if isinstance(seen, dict):
            self._observations[key] = {"role": attempt.role, "source": attempt.source, **seen}
        if attempt.verdict is not None:
            self._verdicts[key] = attempt.verdict
        line = {
            "number": self._count,
            "role": attempt.role,
            "source": clean(attempt.source),
            "command_line": clean(attempt.command_line),
            "started": timestamp(attempt.started),
            "execution": tagged(attempt.execution),
            "observation": seen,
            "verdict": attempt.verdict and to_json(attempt.verdict),
        }
        self._text.append(_as_text(self._count, attempt))
        self._append(line)

    def diagnosis(self, sentence: str) -> None:
        """Keep what a diagnosis found."""
        sentence = one_line(sentence)
        self._diagnoses[sentence] = None
        self._text.append(f"diagnosis: {sentence}\n")
        self._append({"diagnosis": sentence})

    def place(self, name: str) -> str:
        """Where the evidence of a check of this name goes, relative to the report directory."""
        return f"{EVIDENCE_DIR}/{self._run_id}/{folder_name(name)}" if self._report_dir else ""

    def location(self) -> str:
        """The folder of the current check, relative to the working directory where it is below."""
        if self._report_dir is None:
            return "not kept: this run writes no report (--aksnet-report-dir)"
        folder = self._open_folder(self._report_dir)
        cwd = Path.cwd()
        return str(folder.relative_to(cwd)) if folder.is_relative_to(cwd) else str(folder)

    def summary(self) -> Evidence:
        """What the current check has left so far."""
        path = ""
        if self._report_dir is not None and self._folder is not None:
            path = str(self._folder.relative_to(self._report_dir))
        return Evidence(
            attempts=self._looks,
            observations=tuple(self._observations.values()),
            diagnosis="; ".join(self._diagnoses),
            warnings=_distinct(verdict.warning for verdict in self._verdicts.values()),
            sentences=_distinct(
                verdict.sentence
                for (role, _, _), verdict in self._verdicts.items()
                if role == "probe"
            ),
            path=path,
            tables=tuple(self._tables),
        )

    def finish(self, header: Mapping[str, str] | None = None) -> Evidence:
        """End the check: write the text for people under `header`, and forget the check."""
        evidence = self.summary()
        if self._folder is not None:
            os.close(self._file_descriptor)
            title = "".join(f"{key}: {one_line(value)}\n" for key, value in (header or {}).items())
            _write_synced(self._folder / TEXT_FILE, "\n".join([title, *self._text]))
            if self._tables:
                # Not synced: it is made of what is on disk already.
                page = tables_page(self._tables, self._name)
                (self._folder / TABLES_FILE).write_text(page, encoding="utf-8", errors="replace")
        self._folder = None
        self._file_descriptor = -1
        self._reset()
        return evidence

    def _append(self, line: Mapping[str, object]) -> None:
        if self._report_dir is None:
            return
        self._open_folder(self._report_dir)
        data = json.dumps(line, ensure_ascii=False) + "\n"
        os.write(self._file_descriptor, data.encode("utf-8", "replace"))
        os.fsync(self._file_descriptor)

    def _open_folder(self, report_dir: Path) -> Path:
        if self._folder is not None:
            return self._folder
        parent = report_dir / EVIDENCE_DIR / self._run_id
        parent.mkdir(parents=True, exist_ok=True)
        name = folder_name(self._name or "outside-of-checks")
        folder = parent / name
        again = 1
        while True:
            try:
                folder.mkdir()
                break
            except FileExistsError:  # the check ran before in this run
                again += 1
                folder = parent / f"{name}.{again}"
        self._file_descriptor = os.open(
            folder / ATTEMPTS_FILE, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644
        )
        self._folder = folder
        return folder


def folder_name(name: str) -> str:
    """A name that every file system takes, different for different names."""
    safe = re.sub(r"[^\w.@=+-]+", "_", name, flags=re.ASCII).strip("_.")
    if safe == name and len(name) <= _MAX_NAME:
        return safe
    digest = hashlib.sha256(name.encode("utf-8", "replace")).hexdigest()[:8]
    return f"{safe[:_MAX_NAME]}-{digest}"


def take_over(report_dir: Path, place: str, header: Mapping[str, str]) -> tuple[str, int]:
    """Close the evidence of a check whose process has died, under `header`.

    `place` is what `EvidenceRecorder.place` gave. Returns the folder, relative to the report
    directory, and the number of looks in it; nothing where the check left nothing.
    """
    wanted = report_dir / place
    for folder in sorted(wanted.parent.glob("*"), reverse=True):
        again = folder.name.removeprefix(wanted.name)
        mine = again == "" or (again.startswith(".") and again[1:].isdecimal())
        if not mine or not (folder / ATTEMPTS_FILE).is_file() or (folder / TEXT_FILE).exists():
            continue
        title = "".join(f"{key}: {one_line(value)}\n" for key, value in header.items())
        _write_synced(folder / TEXT_FILE, f"{title}\nWhat was seen is in {ATTEMPTS_FILE}.\n")
        return str(folder.relative_to(report_dir)), _looks_in(folder / ATTEMPTS_FILE)
    return "", 0


def _looks_in(file: Path) -> int:
    """The looks in a file whose last line may be cut."""
    looks = 0
    for line in file.read_bytes().split(b"\n"):
        try:
            role = json.loads(line).get("role")
        except ValueError:
            continue
        looks += role not in (None, _NO_LOOK)
    return looks


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(clean(text) for text in dict.fromkeys(texts) if text)


def _as_text(number: int, attempt: Attempt) -> str:
    """The attempt for people. What others said stays on its line, or behind a bar of its own."""
    lines = [
        f"{number}. {attempt.role} from {one_line(attempt.source)} at {timestamp(attempt.started)}",
        f"   $ {clean(attempt.command_line)}",
        *(
            exchange_lines(attempt.execution)
            if isinstance(attempt.execution, Exchange)
            else _execution_lines(attempt.execution)
        ),
    ]
    if isinstance(attempt.observation, PolicyTable):
        lines += ["   seen:", *(f"   | {line}" for line in table_lines(attempt.observation))]
    elif attempt.observation is not None:
        lines.append(f"   seen: {json.dumps(tagged(attempt.observation), ensure_ascii=False)}")
    if attempt.verdict is not None:
        sentence = one_line(attempt.verdict.sentence)
        lines.append(f"   verdict: {attempt.verdict.outcome.value}: {sentence}")
        if attempt.verdict.source:
            lines.append(f"   source: {one_line(attempt.verdict.source)}")
        if attempt.verdict.warning:
            lines.append(f"   warning: {one_line(attempt.verdict.warning)}")
    return "\n".join(lines) + "\n"


def _execution_lines(execution: Execution) -> list[str]:
    if isinstance(execution, Completed):
        end = f"exit status {execution.exit_code}"
    else:
        end = f"NOT COMPLETED: {execution.reason.value} ({one_line(execution.detail)})"
    tries = f" and {execution.attempts} tries" if execution.attempts > 1 else ""
    lines = [f"   {end} after {execution.duration_s:.3f} s{tries}"]
    for name, stream in (("stdout", execution.stdout), ("stderr", execution.stderr)):
        if text := clean(stream).rstrip():
            lines.append(f"   {name}:")
            lines.extend(f"   | {line}" for line in text.split("\n"))
    return lines


def _write_synced(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8", errors="replace") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
