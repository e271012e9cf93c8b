"""One process of a run: its connection, its record keeping, and what all its tests share.

Connects when a test of ours is collected; creates nothing before a test asks for it. Every xdist
worker has its own: own namespaces, own warm pods, the same run id, lab and report.
"""

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_aksnet.lab_process import LabProcess
from pytest_aksnet.model.errors import AksnetError
from pytest_aksnet.model.peers import NodePool, NodeRef
from pytest_aksnet.model.profile import NetworkProfile
from pytest_aksnet.model.record import CheckRecord
from pytest_aksnet.model.site import Site
from pytest_aksnet.options import Settings
from pytest_aksnet.report.evidence import EvidenceRecorder
from pytest_aksnet.report.results import ClusterInfo, NodeInfo, ResultsLog, profile_facts
from pytest_aksnet.report.serialisation import to_json
from pytest_aksnet.site_file import read_site

if TYPE_CHECKING:
    from pytest_aksnet.cluster.connect import Cluster


class AksnetSession:
    """What the tests of one process share. `handed_over` comes from the xdist controller."""

    def __init__(
        self,
        *,
        settings: Settings,
        run_id: str,
        worker: str,
        lab: LabProcess | None,
        handed_over: Mapping[str, str],
        lock_dir: Path,
    ) -> None:
        self.settings = settings
        self.run_id = run_id
        self._worker = worker
        self._lab = lab
        self._handed_over = handed_over
        self._lock_dir = lock_dir
        report_dir = settings.report_dir
        if "report_dir" in handed_over:
            report_dir = Path(handed_over["report_dir"])
        self._results = ResultsLog(report_dir) if report_dir is not None else None
        self.recorder = EvidenceRecorder(report_dir, run_id)

    def keep_record(self, record: CheckRecord) -> None:
        """Put a check into results.jsonl, if this run writes a report."""
        if self._results is not None:
            self._results.append(record)

    def connect(self) -> None:
        raise AksnetError("no")

    def learnt(self) -> dict[str, str]:
        return {}

    def close(self) -> list[str]:
        return []
