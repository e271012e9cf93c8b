"""$filter of lists: FIELD eq 'VALUE', and several of them with `and`. Pure."""

import re
from collections.abc import Iterable

from pytest_aksnet.lab.arm.documents import Document
from pytest_aksnet.lab.arm.errors import bad_request
from pytest_aksnet.lab.arm.ids import same

_TERM = re.compile(r"\s*([A-Za-z]+)\s+eq\s+'([^']*)'\s*", re.IGNORECASE)


def terms(text: str) -> list[tuple[str, str]]:
    """The fields and the values that they must have. Raises ArmError for anything else."""
    found = []
    for term in re.split(r"\band\b", text, flags=re.IGNORECASE):
        match = _TERM.fullmatch(term)
        if match is None:
            raise bad_request("InvalidFilterInQueryString", f"Invalid $filter '{text}' specified.")
        found.append((match.group(1), match.group(2)))
    return found


def filtered(documents: Iterable[Document], text: str | None) -> list[Document]:
    """The documents that a filter lets pass; all without one. A location may be one of several."""
    wanted = terms(text) if text else []
    return [one for one in documents if all(_has(one, *term) for term in wanted)]


def _has(document: Document, field: str, value: str) -> bool:
    if same(field, "location") and "locations" in document:
        return any(same(one, value) for one in document["locations"])
    found = next((document[key] for key in document if same(key, field)), None)
    return isinstance(found, str) and same(found, value)
