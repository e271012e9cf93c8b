"""Reads what a PUT's body says, field by field. All raise ArmError (400) that names the field."""

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_aksnet.lab.arm.documents import Document
from pytest_aksnet.lab.arm.errors import ArmError, bad_request


def properties_of(body: Document) -> Document:
    """Its `properties`."""
    found = body.get("properties")
    if not isinstance(found, dict):
        raise _invalid("properties", found)
    return found


def text(body: Mapping[str, Any], field: str) -> str:
    """A text that must be there."""
    found = body.get(field)
    if not isinstance(found, str) or not found:
        raise _invalid(field, found)
    return found


def choice(body: Mapping[str, Any], field: str, known: Sequence[str]) -> str:
    """One of the known texts, in any case; given as it is known."""
    found = text(body, field)
    for one in known:
        if one.casefold() == found.casefold():
            return one
    raise _invalid(field, found)


def texts(body: Mapping[str, Any], one: str, several: str) -> tuple[str, ...]:
    """The texts of the field for one or of that for several."""
    found = body.get(several)
    if found:
        if not isinstance(found, list) or not all(isinstance(each, str) for each in found):
            raise _invalid(several, found)
        return tuple(found)
    return (text(body, one),)


def _invalid(field: str, value: object) -> ArmError:
    return bad_request(
        "InvalidRequestFormat",
        f"Cannot parse the request: the value {value!r} of '{field}' is invalid or missing.",
    )
