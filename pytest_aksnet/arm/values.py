"""How values of the SDK's models become plain ones: enums to text, ids to lower case."""

from typing import Any


def text(value: Any) -> str:
    """A string of ARM, whether it came as an enum's member, as text or not at all."""
    return "" if value is None else str(getattr(value, "value", value))


def id_of(value: Any) -> str:
    """An id in lower case, of a reference or of itself: ARM's own case varies. Empty for none."""
    return text(getattr(value, "id", value)).lower()


def texts(values: Any) -> tuple[str, ...]:
    """A list of strings; none is an empty one."""
    return tuple(text(one) for one in values or ())


def ids_of(values: Any) -> tuple[str, ...]:
    """The ids of a list of references, in lower case."""
    return tuple(id_of(one) for one in values or ())
