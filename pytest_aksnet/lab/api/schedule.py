"""Schedules of CronJobs: the five fields of cron(5), and @hourly and its kin. Pure.

Source: Kubernetes docs, "CronJob": schedule syntax; texts as robfig/cron's parser has them.
"""

import dataclasses
import datetime

_NAMED = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"]
_YEARS_AHEAD = 5


class BadSchedule(ValueError):
    """A text that is no schedule."""


@dataclasses.dataclass(frozen=True, slots=True)
class Schedule:
    """The minutes at which something is due, as sets of numbers."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    any_day: bool
    any_weekday: bool

    def next_after(self, moment: datetime.datetime) -> datetime.datetime | None:
        """The first due minute after a moment; None where there is none for years."""
        found = moment.replace(second=0, microsecond=0) + datetime.timedelta(minutes=1)
        last = found.year + _YEARS_AHEAD
        while found.year <= last:
            if found.month not in self.months or not self._day_fits(found):
                found = found.replace(hour=0, minute=0) + datetime.timedelta(days=1)
            elif found.hour not in self.hours:
                found = found.replace(minute=0) + datetime.timedelta(hours=1)
            elif found.minute not in self.minutes:
                found += datetime.timedelta(minutes=1)
            else:
                return found
        return None

    def _day_fits(self, moment: datetime.datetime) -> bool:
        day = moment.day in self.days
        weekday = moment.isoweekday() % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return day and weekday
        return day or weekday


def parse(text: str) -> Schedule:
    """The schedule of a text. Raises BadSchedule."""
    fields = _NAMED.get(text, text).split()
    if text.startswith("@") and text not in _NAMED:
        raise BadSchedule(f"unrecognized descriptor: {text}")
    if len(fields) != len(_LIMITS):
        raise BadSchedule(f"expected exactly 5 fields, found {len(fields)}: [{' '.join(fields)}]")
    names: tuple[list[str], ...] = ([], [], [], ["", *_MONTHS], _DAYS)
    sets = [_field(*item) for item in zip(fields, _LIMITS, names, strict=True)]
    return Schedule(
        minutes=sets[0],
        hours=sets[1],
        days=sets[2],
        months=sets[3],
        weekdays=frozenset(day % 7 for day in sets[4]),
        any_day=fields[2][0] in "*?",
        any_weekday=fields[4][0] in "*?",
    )


def problem(text: str) -> str | None:
    """Why a text is no schedule; None where it is one."""
    try:
        parse(text)
    except BadSchedule as error:
        return str(error)
    return None


def _field(text: str, limits: tuple[int, int], names: list[str]) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        span, slash, step_text = part.partition("/")
        first_text, dash, last_text = span.partition("-")
        if span in ("*", "?"):
            first, last = limits
        else:
            first = _number(first_text, names, part)
            last = _number(last_text, names, part) if dash else first
            if slash and not dash:
                last = limits[1]
        step = _number(step_text, [], part) if slash else 1
        if first < limits[0]:
            raise BadSchedule(f"beginning of range ({first}) below minimum ({limits[0]}): {part}")
        if last > limits[1]:
            raise BadSchedule(f"end of range ({last}) above maximum ({limits[1]}): {part}")
        if first > last:
            raise BadSchedule(f"beginning of range ({first}) beyond end of range ({last}): {part}")
        if step < 1:
            raise BadSchedule(f"step of range should be a positive number: {part}")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(text: str, names: list[str], part: str) -> int:
    if text.lower() in names and text:
        return names.index(text.lower())
    if not (text.isascii() and text.isdigit()):
        raise BadSchedule(f"failed to parse int from {text}: {part}")
    return int(text)
