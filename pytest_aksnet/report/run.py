"""The report of one run as the controller keeps it: what was learnt, and the files at the end."""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_aksnet.model.controls import Controls
from pytest_aksnet.model.record import CheckOutcome, Retries
from pytest_aksnet.report.azure_access import azure_access, skipped_of
from pytest_aksnet.report.baseline import compare, save_baseline
from pytest_aksnet.report.control_pages import write_control_pages
from pytest_aksnet.report.control_results import control_results
from pytest_aksnet.report.results import (
    ClusterInfo,
    ProfileFact,
    Results,
    ResultsLog,
    RunInfo,
    summarise,
    write_results,
)
from pytest_aksnet.report.serialisation import timestamp
from pytest_aksnet.report.table_summary import summarise_tables

TOOL = "pytest-aksnet"


class RunReport:
    """Collects what the processes of a run have learnt; `finish` writes results.json.

    `lab` is MODE:ENGINE, empty on a live cluster. `controls` are those that have pages. `page`
    is the file of all checks in the report directory, empty until something is to write it.
    """

    def __init__(
        self,
        *,
        report_dir: Path,
        run_id: str,
        version: str,
        lab: str,
        lab_faults: tuple[str, ...],
        baseline: Mapping[str, CheckOutcome] | None,
        save_baseline_to: Path | None,
        controls: Controls,
    ) -> None:
        self.report_dir = report_dir
        self.run_id = run_id
        self.lab = lab
        self.page = ""
        self.cluster = ClusterInfo(server="", context="", nodes=())
        self.profile: Mapping[str, ProfileFact] = {}
        self.log = ResultsLog(report_dir)
        self.results: Results | None = None
        self._retries_elsewhere = Retries()
        self._version = version
        self._lab_faults = lab_faults
        self._about_lab: Mapping[str, object] = {}
        self._azure_scopes: Sequence[str] = ()
        self._controls = controls
        self._started = time.time()
        self._begun = False
        self._baseline = baseline
        self._save_baseline_to = save_baseline_to

    def begin(self) -> None:
        """Start results.jsonl anew, once, when the first test is about to run."""
        if not self._begun:
            self._begun = True
            self.log.start()

    def learn(self, cluster: ClusterInfo, profile: Mapping[str, ProfileFact]) -> None:
        """Take over what a process read from the cluster; all read the same."""
        self.cluster = cluster
        self.profile = profile

    def learn_azure(self, scopes: Sequence[str]) -> None:
        """Take over which subscriptions the cluster is in, as scopes of a role."""
        self._azure_scopes = scopes

    def learn_lab(self, about: Mapping[str, object]) -> None:
        """Take over what the lab says of itself: `options`, `real` and `facade`."""
        self._about_lab = about

    def count_retries(self, retries: Retries) -> None:
        """Add what a process had to repeat outside of its checks."""
        self._retries_elsewhere += retries

    def finish(self, exit_status: int) -> Results:
        """Write results.json, and the baseline if asked for. Raises SettingsError as it does."""
        records = self.log.read() if self._begun else ()
        worse = compare(self._baseline, records) if self._baseline is not None else ()
        self.results = Results(
            schema="pytest-aksnet/results/1",
            run=RunInfo(
                id=self.run_id,
                started=timestamp(self._started),
                ended=timestamp(time.time()),
                tool=TOOL,
                version=self._version,
                target="lab" if self.lab else "live",
                lab=self.lab,
                lab_faults=self._lab_faults,
                lab_options=_options(self._about_lab.get("options")),
                lab_real=_sentences(self._about_lab.get("real")),
                lab_facade=_sentences(self._about_lab.get("facade")),
                exit_status=exit_status,
            ),
            cluster=self.cluster,
            profile=self.profile,
            summary=summarise(records, worse, self._retries_elsewhere),
            policy_tables=summarise_tables(records),
            azure=azure_access(skipped_of(records), self._azure_scopes),
            controls=control_results(self._controls, records),
            checks=records,
        )
        write_results(self.report_dir, self.results)
        write_control_pages(self.report_dir, self.results, self.page)
        if self._save_baseline_to is not None:
            save_baseline(self._save_baseline_to, self.run_id, records)
        return self.results


def _options(value: object) -> dict[str, str]:
    """Options as texts; empty for what is none."""
    if not isinstance(value, Mapping):
        return {}
    return {
        str(key): ", ".join(map(str, item)) if isinstance(item, list) else str(item)
        for key, item in value.items()
    }


def _sentences(value: object) -> tuple[str, ...]:
    return tuple(map(str, value)) if isinstance(value, list) else ()
