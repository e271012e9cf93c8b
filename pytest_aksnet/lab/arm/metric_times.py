"""Times and intervals as Azure Monitor reads and writes them (ISO 8601)."""

import datetime
import re

from pytest_aksnet.lab.arm import errors

_INTERVAL = re.compile(r"PT(\d+)([MH])|P(\d+)D")


def unix_time(text: str) -> float:
    """Unix time of an ISO 8601 text; UTC where it names no zone. Raises ArmError."""
    try:
        found = datetime.datetime.fromisoformat(text.strip().replace(" ", "+"))
    except ValueError as error:
        raise errors.bad_request("BadRequest", f"The time '{text}' is invalid.") from error
    zone = found.tzinfo or datetime.UTC
    return found.replace(tzinfo=zone).timestamp()


def timestamp(seconds: float) -> str:
    """Unix time as Azure Monitor writes it."""
    moment = datetime.datetime.fromtimestamp(int(seconds), datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def seconds_of(interval: str) -> int:
    """The seconds of an interval such as PT1M, PT6H or P1D. Raises ArmError."""
    found = _INTERVAL.fullmatch(interval.upper())
    if found is None:
        raise errors.bad_request("BadRequest", f"The interval '{interval}' is invalid.")
    count, unit, days = found.groups()
    if days:
        return int(days) * 86_400
    return int(count) * (60 if unit == "M" else 3600)
