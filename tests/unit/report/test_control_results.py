"""What became of a control: never met by what was not looked at."""

from dataclasses import replace

import pytest

from pytest_aksnet.model.controls import Control, Controls, Framework
from pytest_aksnet.model.record import CheckOutcome, CheckRecord, Skip
from pytest_aksnet.report.control_results import ControlResult, control_results
from tests.unit.report.control_samples import PASSED

OTHER = replace(PASSED, id="dns.b", nodeid="t.py::b", evidence="")


def outcome(record: CheckRecord, what: str) -> CheckRecord:
    if what == "not concerned":
        return replace(
            record, outcome=CheckOutcome.SKIPPED, skip=Skip.NOT_CONCERNED, reason="kubenet"
        )
    if what == "warning":
        return replace(record, warnings=("open to all",))
    skip = Skip.NOT_RUN_HERE if what == "skipped" else None
    return replace(record, outcome=CheckOutcome(what), skip=skip, reason=f"because {what}")


def result(
    *records: CheckRecord, checks: tuple[str, ...] = ("dns.a", "dns.b"), rest: str = ""
) -> ControlResult:
    control = Control(id="1", name="OWN 1", title="t", looks="l", checks=checks, rest=rest)
    framework = Framework(
        id="own", name="OWN", title="t", version="1", source="https://x", controls=(control,)
    )
    [found] = control_results(Controls((framework,)), records)
    [told] = found.controls
    assert found.counts == {told.state: 1}
    assert found.page == "controls-own.html"
    return told


@pytest.mark.parametrize(
    ("first", "second", "state"),
    [
        ("passed", "passed", "met"),
        ("passed", "not concerned", "met"),
        ("passed", "warning", "warning"),
        ("skipped", "warning", "not looked at"),
        ("not concerned", "not concerned", "not concerned"),
        ("passed", "skipped", "not looked at"),
        ("not concerned", "skipped", "not looked at"),
        ("skipped", "inconclusive", "inconclusive"),
        ("inconclusive", "error", "error"),
        ("error", "failed", "failed"),
        ("passed", "failed", "failed"),
    ],
)
def test_the_worst_of_the_checks_tells(first: str, second: str, state: str) -> None:
    assert result(outcome(PASSED, first), outcome(OTHER, second)).state == state
    assert result(outcome(PASSED, second), outcome(OTHER, first)).state == state


def test_a_check_that_did_not_run_is_not_met() -> None:
    told = result(PASSED)
    assert told.state == "not looked at"
    assert [check.state for check in told.checks] == ["passed", "not run"]
    assert result().state == "not looked at"


def test_a_control_without_checks_cannot_be_looked_at() -> None:
    assert result(PASSED, checks=()).state == "cannot look"


@pytest.mark.parametrize("skip", [None, *(one for one in Skip if one is not Skip.NOT_CONCERNED)])
def test_only_what_does_not_concern_the_cluster_is_left_out(skip: Skip | None) -> None:
    skipped = replace(OTHER, outcome=CheckOutcome.SKIPPED, skip=skip)
    assert result(PASSED, skipped).state == "not looked at"


def test_a_control_that_is_looked_at_in_part_is_met_in_part() -> None:
    assert result(PASSED, OTHER, rest="the doors").state == "partly met"
    assert result(PASSED, outcome(OTHER, "failed"), rest="the doors").state == "failed"
    elsewhere = (outcome(PASSED, "not concerned"), outcome(OTHER, "not concerned"))
    assert result(*elsewhere, rest="the doors").state == "not concerned"


def test_a_warning_is_the_reason() -> None:
    [check] = result(outcome(PASSED, "warning"), checks=("dns.a",)).checks
    assert check.reasons == ("open to all",)


def test_all_tests_of_a_check_count() -> None:
    second = replace(PASSED, nodeid="t.py::a[2]", evidence="evidence/r/dns.a.2")
    told = result(PASSED, outcome(second, "failed"), checks=("dns.a",))
    [check] = told.checks
    assert check.state == "failed"
    assert check.tests == {"failed": 1, "passed": 1}
    assert check.reasons == ("because failed",)
    assert check.evidence == ("evidence/r/dns.a.2",)


def test_much_evidence_is_counted() -> None:
    many = [replace(PASSED, nodeid=str(n), evidence=f"evidence/r/{n}") for n in range(8)]
    [check] = result(*many, checks=("dns.a",)).checks
    assert (len(check.evidence), check.more_evidence) == (5, 3)
    assert check.reasons == ("resolves",)


def test_a_marker_of_a_user_adds_a_check_to_a_control() -> None:
    own = replace(OTHER, id="acme.own", controls=("OWN 1",), outcome=CheckOutcome.FAILED)
    told = result(PASSED, own, checks=("dns.a",))
    assert told.state == "failed"
    assert [check.id for check in told.checks] == ["dns.a", "acme.own"]
