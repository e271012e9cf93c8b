"""How a test's exceptions become outcomes, texts on the terminal, and one line of results.jsonl.

Set-up and call give the outcome; what goes wrong afterwards takes nothing from a verdict that was
reached. Loaded only when a test of ours runs.
"""

import os
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from pytest_aksnet.collection import META_KEY, SKIP_KEY, CheckMeta
from pytest_aksnet.model.errors import (
    AksnetError,
    ArmForbidden,
    ArmNotAsked,
    ConformanceFailure,
    EnvironmentProblem,
    Inconclusive,
    NotApplicable,
)
from pytest_aksnet.model.record import CheckOutcome, CheckRecord, Retries, Skip
from pytest_aksnet.phase_report import clean_report, cleaned_properties
from pytest_aksnet.report.evidence import TABLES_FILE, Evidence, EvidenceRecorder
from pytest_aksnet.report.redaction import clean, one_line
from pytest_aksnet.report.table_html import tables_html

_MAX_REASON = 600
_MAX_MESSAGE = 20_000
_COULD_NOT_LOOK = (Inconclusive, EnvironmentProblem)


class CheckState:
    """One test of ours while it runs: its worst outcome so far and the reason.

    `target` says in a word or two what network this is about; `retries` counts what this process
    has had to repeat so far.
    """

    def __init__(
        self,
        item: pytest.Item,
        recorder: EvidenceRecorder,
        target: str,
        retries: Callable[[], Retries],
    ) -> None:
        self.meta: CheckMeta | None = item.stash.get(META_KEY, None)
        self.outcome = CheckOutcome.PASSED
        self.reason = ""
        self._skip: Skip | None = None
        self._missing_actions: tuple[str, ...] = ()
        self._nodeid = item.nodeid
        self._started = time.monotonic()
        self._recorder = recorder
        self._target = target
        self._retries = retries
        self._retries_before = retries()
        self._notes: list[str] = []
        recorder.begin(self.meta.folder if self.meta else item.nodeid)

    def observe(
        self,
        item: pytest.Item,
        report: pytest.TestReport,
        excinfo: pytest.ExceptionInfo[BaseException] | None,
    ) -> None:
        """Take in the report of one phase, and make it say what we mean."""
        error = excinfo.value if excinfo is not None else None
        if report.skipped and isinstance(error, _COULD_NOT_LOOK):
            _unexpect(report)
        if isinstance(error, NotApplicable):
            _skip(item, report, error)
        outcome, reason = _judge(report, error)
        if outcome is CheckOutcome.SKIPPED and self.outcome is CheckOutcome.PASSED:
            self._learn_skip(item, report, error)
        if report.when != "teardown":
            if self.outcome is CheckOutcome.PASSED:
                self.outcome, self.reason = outcome, reason
        elif outcome is not CheckOutcome.PASSED:
            self.note(f"the tear-down failed: {reason}")
        if report.failed and outcome in (CheckOutcome.INCONCLUSIVE, CheckOutcome.ERROR):
            vars(report)["aksnet_outcome"] = outcome.value
        if report.failed and excinfo is not None and isinstance(error, AksnetError):
            _show_message(item, report, excinfo, self._remedy())
        clean_report(report)
        if report.failed and report.when != "teardown":
            self._show_tables(report)
        properties = self._properties()
        kept = [(name, value) for name, value in item.user_properties if name not in properties]
        item.user_properties[:] = [*cleaned_properties(kept), *properties.items()]
        report.user_properties[:] = item.user_properties

    def _learn_skip(
        self, item: pytest.Item, report: pytest.TestReport, error: BaseException | None
    ) -> None:
        """Keep why it was skipped; what lacks access to Azure is one line of pytest's summary."""
        self._skip = _kind_of_skip(item, error)
        if isinstance(error, ArmForbidden):
            self._missing_actions = tuple(error.action.split(", "))
        of_azure = self._skip in (Skip.AZURE_NOT_ASKED, Skip.AZURE_FORBIDDEN)
        if of_azure and isinstance(report.longrepr, tuple):
            # pytest folds skips of one place and reason; without a line they are of one place.
            place: tuple[object, ...] = (str(item.path.parent), None, report.longrepr[2])
            vars(report)["longrepr"] = place

    def note(self, problem: str) -> None:
        """Keep a problem that changes no outcome: it is shown among the warnings of the check."""
        self._notes.append(one_line(problem, _MAX_REASON))

    def will(self) -> CheckRecord | None:
        """The record of this check in case that its process dies; None where it is no check."""
        if self.meta is None:
            return None
        record = self._record(self.meta, self._recorder.summary())
        return replace(
            record,
            outcome=CheckOutcome.ERROR,
            evidence=self._recorder.place(self.meta.folder),
        )

    def finish(self) -> CheckRecord | None:
        """End the test. None where it carries no marker and so is no check."""
        meta = self.meta
        if meta is None:
            self._recorder.finish({"test": self._nodeid, "outcome": self.outcome.value})
            return None
        evidence = self._recorder.finish(
            {
                "check": meta.id,
                "test": self._nodeid,
                "title": meta.title,
                "severity": meta.severity.value,
                "outcome": self.outcome.value,
                "reason": self._reason(self._recorder.summary()),
            }
        )
        return self._record(meta, evidence)

    def _record(self, meta: CheckMeta, evidence: Evidence) -> CheckRecord:
        return CheckRecord(
            id=meta.id,
            nodeid=self._nodeid,
            title=meta.title,
            remedy=self._remedy(),
            feature=meta.feature,
            severity=meta.severity,
            controls=meta.controls,
            outcome=self.outcome,
            reason=self._reason(evidence),
            duration_s=round(time.monotonic() - self._started, 3),
            attempts=evidence.attempts,
            retries=self._retries() - self._retries_before,
            observations=evidence.observations,
            evidence=evidence.path,
            diagnosis=evidence.diagnosis,
            warnings=(*evidence.warnings, *self._notes),
            skip=self._skip,
            missing_actions=self._missing_actions,
        )

    def _remedy(self) -> str:
        failed = self.outcome is CheckOutcome.FAILED
        return self.meta.remedy if self.meta is not None and failed else ""

    def _reason(self, evidence: Evidence) -> str:
        reason = self.reason or "; ".join(evidence.sentences)
        return reason if len(reason) <= _MAX_REASON else f"{reason[: _MAX_REASON - 3]}..."

    def _properties(self) -> dict[str, str]:
        if self.meta is None:
            return {}
        evidence = self._recorder.summary()
        properties = _properties(self._record(self.meta, evidence), self._target)
        if evidence.tables and evidence.path:
            properties["aksnet_tables"] = f"{evidence.path}/{TABLES_FILE}"
        return properties

    def _show_tables(self, report: pytest.TestReport) -> None:
        """Give truth tables to pytest-html, whose page shows them in the row of the check."""
        if tables := self._recorder.summary().tables:
            extra = {
                "name": "tables",
                "format_type": "html",
                "content": tables_html(tables),
                "mime_type": None,
                "extension": "html",
            }
            vars(report)["extras"] = [*getattr(report, "extras", []), extra]


def show_crash(report: pytest.TestReport, record: CheckRecord, target: str) -> pytest.TestReport:
    """Make the report of a check whose process died say what its record says.

    Gives the report of the end that the check did not have: writers of reports wait for it.
    """
    vars(report)["aksnet_outcome"] = record.outcome.value
    report.when = "call"
    report.location = (*report.location[:2], record.nodeid.partition("::")[2])
    report.user_properties = [*report.user_properties, *_properties(record, target).items()]
    end = pytest.TestReport(
        nodeid=report.nodeid,
        location=report.location,
        keywords={},
        outcome="passed",
        longrepr=None,
        when="teardown",
        user_properties=report.user_properties,
    )
    vars(end)["node"] = vars(report)["node"]
    return end


def _properties(record: CheckRecord, target: str) -> dict[str, str]:
    """What junit.xml and the page show of a check."""
    of_skip = {
        "aksnet_skip": record.skip.value if record.skip else "",
        "aksnet_missing_actions": ", ".join(record.missing_actions),
    }
    return {
        "aksnet_id": record.id,
        "aksnet_title": record.title,
        "aksnet_feature": record.feature,
        "aksnet_severity": record.severity.value,
        "aksnet_outcome": record.outcome.value,
        "aksnet_reason": record.reason,
        "aksnet_remedy": record.remedy,
        "aksnet_warnings": "; ".join(record.warnings),
        "aksnet_retries": str(record.retries.total),
        "aksnet_evidence": record.evidence,
        "aksnet_target": target,
        **{name: value for name, value in of_skip.items() if value},
    }


def _judge(report: pytest.TestReport, error: BaseException | None) -> tuple[CheckOutcome, str]:
    """The outcome of one phase. Only what a check asserts can fail it: the rest is an error.

    Where the cluster could not be used to the end, nothing was looked at: inconclusive.
    """
    if report.passed:
        return CheckOutcome.PASSED, ""
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        said = str(getattr(report, "wasxfail", reason)).removeprefix("Skipped: ")
        return CheckOutcome.SKIPPED, one_line(said)
    reason = _first_line(str(error) if error is not None else str(report.longrepr))
    if report.when != "teardown" and isinstance(error, _COULD_NOT_LOOK):
        return CheckOutcome.INCONCLUSIVE, reason
    if report.when == "call" and isinstance(
        error, ConformanceFailure | AssertionError | pytest.fail.Exception | None
    ):
        return CheckOutcome.FAILED, reason
    if isinstance(error, AksnetError) or error is None:
        return CheckOutcome.ERROR, reason
    return CheckOutcome.ERROR, f"{type(error).__name__}: {reason}"


def _unexpect(report: pytest.TestReport) -> None:
    """An expected failure is one of the network: what could not look is none."""
    report.outcome = "failed"
    vars(report).pop("wasxfail", None)


def _skip(item: pytest.Item, report: pytest.TestReport, error: NotApplicable) -> None:
    report.outcome = "skipped"
    path, line, _ = item.reportinfo()
    report.longrepr = (str(path), (line or 0) + 1, f"Skipped: {one_line(str(error), _MAX_REASON)}")


def _kind_of_skip(item: pytest.Item, error: BaseException | None) -> Skip:
    if isinstance(error, ArmForbidden):
        return Skip.AZURE_FORBIDDEN
    if isinstance(error, ArmNotAsked):
        return Skip.AZURE_NOT_ASKED
    if isinstance(error, NotApplicable):
        return Skip.NOT_CONCERNED
    return item.stash.get(SKIP_KEY, Skip.NOT_RUN_HERE)


def _first_line(text: str) -> str:
    return one_line(text.strip().partition("\n")[0])


def _show_message(
    item: pytest.Item,
    report: pytest.TestReport,
    excinfo: pytest.ExceptionInfo[BaseException],
    remedy: str,
) -> None:
    """Put the message of one of our errors where pytest has a traceback into our code.

    `remedy` is what the check advises; it may be empty. The location that stays is the line of the
    test.
    """
    lines = [clean(str(excinfo.value), _MAX_MESSAGE)]
    if remedy:
        lines.append(f"  remedy: {remedy}")
    own = [entry for entry in excinfo.traceback if str(entry.path) == str(item.path)]
    if own:
        path = os.path.relpath(item.path, item.config.invocation_params.dir)
        kind = next(c.__name__ for c in type(excinfo.value).__mro__ if c.__name__[0] != "_")
        lines += ["", f"{path}:{own[-1].lineno + 1}: {kind}"]
    report.longrepr = "\n".join(lines)
