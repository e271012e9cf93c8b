"""results.jsonl, a line per check as soon as it ends, and results.json at the end of the run.

The dataclasses here are the one definition of results.json; `schema` makes the tracked JSON
schema from them. Any process of a run may append lines; only the controller writes results.json.
"""

import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from pytest_aksnet.model.profile import NetworkProfile
from pytest_aksnet.model.record import CheckOutcome, CheckRecord, Retries, Severity, Skip
from pytest_aksnet.report.azure_access import AzureAccess
from pytest_aksnet.report.baseline import Worse
from pytest_aksnet.report.control_results import FrameworkResult
from pytest_aksnet.report.serialisation import to_json
from pytest_aksnet.report.table_summary import TableSummary

RESULTS_FILE = "results.json"
LINES_FILE = "results.jsonl"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunInfo:
    """The run. Times are ISO 8601 in UTC; `lab` is MODE:ENGINE, empty on a live cluster.

    `lab_options` are the options of the lab that are not as by default; `lab_real` and `lab_facade`
    are what it says of itself.
    """

    id: str
    started: str
    ended: str
    tool: str
    version: str
    target: Literal["lab", "live"]
    lab: str
    lab_faults: tuple[str, ...]
    lab_options: Mapping[str, str]
    lab_real: tuple[str, ...]
    lab_facade: tuple[str, ...]
    exit_status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeInfo:
    """A node that took part."""

    name: str
    pool: str
    zone: str
    instance_type: str
    addresses: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterInfo:
    """The cluster, as far as it was reached: `server` is empty where it never was.

    `left_out` has the reason of every node that took no part, by its name, and `rights_missing`
    what this user may not, of all that the selected checks could use.
    """

    server: str
    context: str
    nodes: tuple[NodeInfo, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    rights_missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileFact:
    """A fact of the network profile: a value with its source, or why it is unknown."""

    value: str | None
    source: str
    conflicts: tuple[str, ...]
    unknown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Counts by outcome. `partial`: some check gave no verdict, so this is no full conformance.

    `retries` are those of all checks, and of what was done for all of them together.
    """

    total: int
    passed: int
    failed: int
    inconclusive: int
    skipped: int
    error: int
    partial: bool
    retries: Retries
    worse_than_baseline: tuple[Worse, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """The whole of results.json. `policy_tables` sums up truth tables, where there were any.

    `azure` is what more access to Azure would show, None where nothing was hidden.
    """

    schema: Literal["pytest-aksnet/results/1"]
    run: RunInfo
    cluster: ClusterInfo
    profile: Mapping[str, ProfileFact]
    summary: Summary
    policy_tables: TableSummary | None
    azure: AzureAccess | None
    controls: tuple[FrameworkResult, ...]
    checks: tuple[CheckRecord, ...]


def profile_facts(profile: NetworkProfile) -> dict[str, ProfileFact]:
    """Every fact, known or not, as results.json shows it."""
    facts = {
        name: ProfileFact(
            value=fact.value, source=fact.source, conflicts=tuple(fact.conflicts), unknown=""
        )
        for name, fact in profile.facts.items()
    }
    for name, why in profile.unknown.items():
        if name not in facts:
            facts[name] = ProfileFact(value=None, source="", conflicts=(), unknown=why)
    return dict(sorted(facts.items()))


def summarise(
    records: Sequence[CheckRecord], worse: Sequence[Worse], retries_elsewhere: Retries
) -> Summary:
    """The counts over all checks, with the retries that belong to none of them."""
    counts = Counter(record.outcome for record in records)
    return Summary(
        total=len(records),
        passed=counts[CheckOutcome.PASSED],
        failed=counts[CheckOutcome.FAILED],
        inconclusive=counts[CheckOutcome.INCONCLUSIVE],
        skipped=counts[CheckOutcome.SKIPPED],
        error=counts[CheckOutcome.ERROR],
        partial=any(
            counts[outcome]
            for outcome in (CheckOutcome.INCONCLUSIVE, CheckOutcome.SKIPPED, CheckOutcome.ERROR)
        ),
        retries=sum((record.retries for record in records), start=retries_elsewhere),
        worse_than_baseline=tuple(worse),
    )


class ResultsLog:
    """results.jsonl. One process of a run writes it; lines are appended whole."""

    def __init__(self, report_dir: Path) -> None:
        self._path = report_dir / LINES_FILE

    def start(self) -> None:
        """Begin a new run: the lines of the last one go. For the controller only."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._path.write_bytes(b"")

    def append(self, record: CheckRecord) -> None:
        """Add a check; its line is on disk when this returns."""
        line = json.dumps(to_json(record), ensure_ascii=False) + "\n"
        descriptor = os.open(
            self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644
        )
        try:
            os.write(descriptor, line.encode("utf-8", "replace"))
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def read(self) -> tuple[CheckRecord, ...]:
        """Every check so far, by id and node id. A line cut by a crash is left out."""
        records = []
        if self._path.exists():
            # Not splitlines: text may hold other line breaks than the one that ends a line.
            for line in self._path.read_text(encoding="utf-8", errors="replace").split("\n"):
                try:
                    records.append(record_from_json(json.loads(line)))
                except json.JSONDecodeError:
                    continue
        return tuple(sorted(records, key=lambda record: (record.id, record.nodeid)))


def record_from_json(line: Mapping[str, object]) -> CheckRecord:
    """The reverse of `to_json` for a check."""
    fields: dict[str, object] = dict(line)
    fields["severity"] = Severity(fields["severity"])
    fields["outcome"] = CheckOutcome(fields["outcome"])
    fields["skip"] = Skip(fields["skip"]) if fields["skip"] else None
    for name in ("controls", "observations", "warnings", "missing_actions"):
        value = fields[name]
        fields[name] = tuple(value) if isinstance(value, list) else ()
    fields["retries"] = retries_from_json(fields["retries"])
    return CheckRecord(**fields)  # type: ignore[arg-type]


def retries_from_json(value: object) -> Retries:
    """The reverse of `to_json` for retries."""
    return Retries(**value) if isinstance(value, dict) else Retries()


def write_results(report_dir: Path, results: Results) -> Path:
    """Write results.json: to a temporary file first, so that no reader sees half of it."""
    path = report_dir / RESULTS_FILE
    temporary = path.with_suffix(".json.partial")
    with temporary.open("w", encoding="utf-8", errors="replace") as file:
        json.dump(to_json(results), file, indent=1, ensure_ascii=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return path
