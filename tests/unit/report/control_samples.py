"""A record of a check that proves a control, for tests to change."""

from pytest_aksnet.model.record import CheckOutcome, CheckRecord, Severity

PASSED = CheckRecord(
    id="dns.a",
    nodeid="t.py::a[1]",
    title="A name resolves.",
    feature="dns",
    severity=Severity.MAJOR,
    controls=(),
    outcome=CheckOutcome.PASSED,
    reason="resolves",
    duration_s=0.1,
    attempts=1,
    evidence="evidence/r/dns.a.1",
)
