"""Lists in pages, with nextLink ("Azure REST API reference": list responses)."""

from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from pytest_aksnet.lab.arm.documents import Document
from pytest_aksnet.lab.arm.errors import bad_request

_SKIP = "$skipToken"


def page(
    documents: Sequence[Document], query: Mapping[str, str], url: str, page_size: int
) -> Document:
    """One page of a list: {"value", "nextLink"}; `page_size` 0 for all. Raises ArmError.

    `url` is that of the list without its query. The link has everything that the request had.
    """
    if not page_size:
        return {"value": list(documents)}
    token = next((value for key, value in query.items() if key.casefold() == "$skiptoken"), "0")
    if not token.isdecimal():
        raise bad_request("InvalidSkipToken", f"The $skipToken '{token}' is invalid.")
    end = int(token) + page_size
    answer: Document = {"value": list(documents[int(token) : end])}
    if end < len(documents):
        kept = {key: value for key, value in query.items() if key.casefold() != "$skiptoken"}
        answer["nextLink"] = f"{url}?{urlencode({**kept, _SKIP: str(end)})}"
    return answer
