"""Turns the model's data into JSON types, cleaned of secrets on the way. Pure."""

import dataclasses
import datetime
import enum
import math
from collections.abc import Mapping

from pytest_aksnet.report.redaction import clean


def to_json(value: object) -> object:
    """`value` as JSON types: dataclasses become objects, enums their values, tuples arrays.

    Every string is cleaned. Raises TypeError for what is not data.
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None  # JSON has no other numbers
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, enum.Enum):
        return to_json(value.value)
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, Mapping):
        return {clean(str(key)): to_json(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [to_json(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {
            field.name: to_json(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    raise TypeError(f"{type(value).__name__} is not data")


def tagged(value: object) -> object:
    """A dataclass as JSON types with its class name as `kind`, so that readers tell them apart."""
    plain = to_json(value)
    return {"kind": type(value).__name__, **plain} if isinstance(plain, dict) else plain


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as ISO 8601 in UTC, to the millisecond."""
    moment = datetime.datetime.fromtimestamp(seconds, datetime.UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
