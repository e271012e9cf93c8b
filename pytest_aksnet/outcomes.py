"""How a test's exceptions become outcomes, texts on the terminal, and one line of results.jsonl.

Loaded only when a test of ours runs.
"""

import os
import time

import pytest

from pytest_aksnet.collection import META_KEY, CheckMeta
from pytest_aksnet.model.errors import AksnetError, ConformanceFailure, Inconclusive
from pytest_aksnet.model.record import CheckOutcome, CheckRecord
from pytest_aksnet.report.evidence import Evidence, EvidenceRecorder
from pytest_aksnet.report.redaction import clean

_MAX_REASON = 600


class CheckState:
    """One test of ours while it runs: its worst outcome so far and the reason.

    `target` says in a word or two what network this is about.
    """

    def __init__(self, item: pytest.Item, recorder: EvidenceRecorder, target: str) -> None:
        self.meta: CheckMeta | None = item.stash.get(META_KEY, None)
        self.outcome = CheckOutcome.PASSED
        self.reason = ""
        self._nodeid = item.nodeid
        self._started = time.monotonic()
        self._recorder = recorder
        self._target = target
        recorder.begin(self.meta.folder if self.meta else item.nodeid)

    def observe(
        self,
        item: pytest.Item,
        report: pytest.TestReport,
        excinfo: pytest.ExceptionInfo[BaseException] | None,
    ) -> None:
        """Take in the report of one phase, and make it say what we mean."""
        outcome, reason = _judge(report, excinfo)
        if self.outcome is CheckOutcome.PASSED or (
            self.outcome is CheckOutcome.SKIPPED and outcome is CheckOutcome.ERROR
        ):
            self.outcome, self.reason = outcome, reason
        if report.failed and outcome in (CheckOutcome.INCONCLUSIVE, CheckOutcome.ERROR):
            vars(report)["aksnet_outcome"] = outcome.value
        if report.failed and excinfo is not None and isinstance(excinfo.value, AksnetError):
            _show_message(item, report, excinfo)
        evidence = self._recorder.summary()
        properties = self._properties(evidence)
        kept = [(name, value) for name, value in item.user_properties if name not in properties]
        item.user_properties[:] = [*kept, *properties.items()]
        report.user_properties[:] = item.user_properties

    def _properties(self, evidence: Evidence) -> dict[str, str]:
        if self.meta is None:
            return {}
        return {
            "aksnet_id": self.meta.id,
            "aksnet_title": self.meta.title,
            "aksnet_feature": self.meta.feature,
            "aksnet_severity": self.meta.severity.value,
            "aksnet_outcome": self.outcome.value,
            "aksnet_reason": self._reason(evidence),
            "aksnet_evidence": evidence.path,
            "aksnet_target": self._target,
        }

    def _reason(self, evidence: Evidence) -> str:
        reason = self.reason or "; ".join(evidence.sentences)
        return reason if len(reason) <= _MAX_REASON else f"{reason[: _MAX_REASON - 3]}..."

    def finish(self) -> CheckRecord | None:
        """End the test. None where it carries no marker and so is no check."""
        meta = self.meta
        if meta is None:
            self._recorder.finish({"test": self._nodeid, "outcome": self.outcome.value})
            return None
        reason = self._reason(self._recorder.summary())
        evidence = self._recorder.finish(
            {
                "check": meta.id,
                "test": self._nodeid,
                "title": meta.title,
                "severity": meta.severity.value,
                "outcome": self.outcome.value,
                "reason": reason,
            }
        )
        return CheckRecord(
            id=meta.id,
            nodeid=self._nodeid,
            title=meta.title,
            feature=meta.feature,
            severity=meta.severity,
            controls=meta.controls,
            outcome=self.outcome,
            reason=reason,
            duration_s=round(time.monotonic() - self._started, 3),
            attempts=evidence.attempts,
            observations=evidence.observations,
            evidence=evidence.path,
            diagnosis=evidence.diagnosis,
            warnings=evidence.warnings,
        )


def _judge(
    report: pytest.TestReport, excinfo: pytest.ExceptionInfo[BaseException] | None
) -> tuple[CheckOutcome, str]:
    """The outcome of one phase. Only what a check asserts can fail it: the rest is an error."""
    if report.passed:
        return CheckOutcome.PASSED, ""
    if report.skipped:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        return CheckOutcome.SKIPPED, str(getattr(report, "wasxfail", reason)).removeprefix(
            "Skipped: "
        )
    error = excinfo.value if excinfo is not None else None
    reason = _first_line(str(error) if error is not None else str(report.longrepr))
    if report.when != "teardown" and isinstance(error, Inconclusive):
        return CheckOutcome.INCONCLUSIVE, reason
    if report.when == "call" and isinstance(
        error, ConformanceFailure | AssertionError | pytest.fail.Exception | None
    ):
        return CheckOutcome.FAILED, reason
    if isinstance(error, AksnetError) or error is None:
        return CheckOutcome.ERROR, reason
    return CheckOutcome.ERROR, f"{type(error).__name__}: {reason}"


def _first_line(text: str) -> str:
    return " ".join(clean(text.strip().partition("\n")[0]).split())


def _show_message(
    item: pytest.Item, report: pytest.TestReport, excinfo: pytest.ExceptionInfo[BaseException]
) -> None:
    """Put the message of one of our errors where pytest has a traceback into our code.

    The location that stays is the line of the test.
    """
    lines = [clean(str(excinfo.value))]
    own = [entry for entry in excinfo.traceback if str(entry.path) == str(item.path)]
    if own:
        path = os.path.relpath(item.path, item.config.invocation_params.dir)
        kind = next(c.__name__ for c in type(excinfo.value).__mro__ if c.__name__[0] != "_")
        lines += ["", f"{path}:{own[-1].lineno + 1}: {kind}"]
    report.longrepr = "\n".join(lines)
