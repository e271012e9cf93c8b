"""Saved runs to compare with: which checks got worse since.

A check is compared with itself by id and parameters. Where the parameters are new (nodes were
replaced by an upgrade) it is compared with the worst outcome that its id had.
"""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_aksnet.model.errors import SettingsError
from pytest_aksnet.model.record import CheckOutcome, CheckRecord

SCHEMA = "pytest-aksnet/baseline/1"

_FROM_BEST_TO_WORST = (
    CheckOutcome.PASSED,
    CheckOutcome.SKIPPED,
    CheckOutcome.INCONCLUSIVE,
    CheckOutcome.ERROR,
    CheckOutcome.FAILED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worse:
    """A check that got worse. `check` is its id with parameters."""

    check: str
    before: CheckOutcome
    now: CheckOutcome
    reason: str


def check_key(record: CheckRecord) -> str:
    """The id with the parameters of the test: `dns.service-name[aks-user-1]`."""
    _, bracket, parameters = record.nodeid.partition("[")
    return record.id + bracket + parameters


def save_baseline(path: Path, run_id: str, records: Iterable[CheckRecord]) -> None:
    """Write the outcomes of this run. Raises SettingsError where the file cannot be written."""
    content = {
        "schema": SCHEMA,
        "run": run_id,
        "outcomes": {check_key(record): record.outcome.value for record in records},
    }
    temporary = path.with_name(path.name + ".partial")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            json.dump(content, file, indent=1, sort_keys=True)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise SettingsError(
            f"--aksnet-save-baseline={path}: cannot be written ({error.strerror}); "
            "name a file in a folder that exists"
        ) from error


def load_baseline(path: Path) -> Mapping[str, CheckOutcome]:
    """The outcomes of a saved run by check. Raises SettingsError where it is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["schema"] != SCHEMA:
            raise ValueError(f"its schema is {content['schema']!r}")
        return {key: CheckOutcome(outcome) for key, outcome in content["outcomes"].items()}
    except OSError as error:
        raise SettingsError(
            f"--aksnet-baseline={path}: cannot be read ({error.strerror}); "
            "give a file that --aksnet-save-baseline wrote"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SettingsError(
            f"--aksnet-baseline={path}: no saved run ({error}); "
            "give a file that --aksnet-save-baseline wrote"
        ) from error


def compare(
    baseline: Mapping[str, CheckOutcome], records: Iterable[CheckRecord]
) -> tuple[Worse, ...]:
    """The checks with a worse outcome than before. A check that is new is not worse."""
    worst_by_id: dict[str, CheckOutcome] = {}
    for key, outcome in baseline.items():
        check_id = key.partition("[")[0]
        worst_by_id[check_id] = max(worst_by_id.get(check_id, outcome), outcome, key=_rank)
    worse = []
    for record in records:
        key = check_key(record)
        before = baseline.get(key, worst_by_id.get(record.id))
        if before is not None and _rank(record.outcome) > _rank(before):
            worse.append(Worse(check=key, before=before, now=record.outcome, reason=record.reason))
    return tuple(worse)


def _rank(outcome: CheckOutcome) -> int:
    return _FROM_BEST_TO_WORST.index(outcome)
