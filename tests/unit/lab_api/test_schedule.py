"""Schedules of CronJobs."""

import datetime

import pytest

from pytest_aksnet.lab.api import schedule

START = datetime.datetime(2026, 11, 21, 17, 3, 20, tzinfo=datetime.UTC)  # a Saturday


@pytest.mark.parametrize(
    ("text", "due"),
    [
        ("* * * * *", "2026-11-21 17:04"),
        ("*/5 * * * *", "2026-11-21 17:05"),
        ("3 17 * * *", "2026-11-22 17:03"),
        ("0 9-17/4 * * mon-fri", "2026-11-23 09:00"),
        ("30 1 1 jan *", "2027-01-01 01:30"),
        ("0 0 13 * 5", "2026-11-27 00:00"),  # a 13th or a Friday
        ("0 0 * * 7", "2026-11-22 00:00"),
        ("@hourly", "2026-11-21 18:00"),
        ("0 0 29 2 *", "2028-02-29 00:00"),
    ],
)
def test_the_next_due_minute(text: str, due: str) -> None:
    found = schedule.parse(text).next_after(START)
    assert found is not None
    assert f"{found:%Y-%m-%d %H:%M}" == due


def test_what_never_comes_is_none() -> None:
    assert schedule.parse("0 0 31 2 *").next_after(START) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("* * * *", "expected exactly 5 fields, found 4"),
        ("60 * * * *", "above maximum"),
        ("5-1 * * * *", "beyond end of range"),
        ("x * * * *", "failed to parse int"),
        ("*/0 * * * *", "positive number"),
        ("@never", "unrecognized descriptor"),
    ],
)
def test_what_is_no_schedule_is_said(text: str, why: str) -> None:
    assert why in str(schedule.problem(text))


def test_a_schedule_has_no_problem() -> None:
    assert schedule.problem("0 12 * * *") is None
