"""Lists: which part of the objects, at which resourceVersion, encoded as a List or a Table."""

import base64
import binascii
import json

from aiohttp import web

from pytest_aksnet.lab.api import errors, exchange, selectors, tables
from pytest_aksnet.lab.api.journal import Revision
from pytest_aksnet.lab.api.resources import Resource
from pytest_aksnet.lab.api.routes import Target
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.api.views import View


def answer_list(request: web.Request, store: Store, target: Target, view: View) -> web.Response:
    """The answer to a list request. Raises ApiError 400 or 504."""
    resource = target.resource
    query = request.query
    version = exchange.number(request, "resourceVersion")
    if version is not None and version > store.version:
        raise errors.version_too_large(version, store.version)
    matcher = selectors.compile_selector(
        resource, query.get("labelSelector", ""), query.get("fieldSelector", "")
    )
    found = [
        revision
        for revision in view.revisions(store, target.namespace)
        if matcher is None or matcher(revision.value)
    ]
    metadata: dict[str, object] = {"resourceVersion": str(store.version)}
    limit = exchange.number(request, "limit") or 0
    token = query.get("continue", "")
    if token:
        start, listed_at = _parse_token(token)
        metadata["resourceVersion"] = str(listed_at)
        found = [item for item in found if _key(item, target) >= start]
    if limit and len(found) > limit and version != 0:
        last = _key(found[limit - 1], target) + "\0"
        metadata["continue"] = _make_token(last, str(metadata["resourceVersion"]))
        if matcher is None:
            metadata["remainingItemCount"] = len(found) - limit
        found = found[:limit]
    if exchange.wants_table(request):
        include = query.get("includeObject", "Metadata")
        table = tables.render(resource, [item.value for item in found], metadata, include)
        return exchange.answer(table)
    return exchange.answer(encode_list(resource, found, metadata))


def answer_table(request: web.Request, resource: Resource, encoded: bytes) -> web.Response:
    """One object as a Table of one row."""
    value = json.loads(encoded)
    metadata = {"resourceVersion": value["metadata"]["resourceVersion"]}
    include = request.query.get("includeObject", "Metadata")
    return exchange.answer(tables.render(resource, [value], metadata, include))


def encode_list(
    resource: Resource, revisions: list[Revision], metadata: dict[str, object]
) -> bytes:
    """A List from the encoded objects; items leave out kind and apiVersion."""
    head = json.dumps(
        {"kind": resource.list_kind, "apiVersion": resource.api_version, "metadata": metadata},
        separators=(",", ":"),
    )
    prefix = json.dumps(
        {"kind": resource.kind, "apiVersion": resource.api_version}, separators=(",", ":")
    )
    skip = len(prefix)  # the closing brace of the prefix stands where the comma of an item does
    items = b",".join(b"{" + revision.encoded[skip:] for revision in revisions)
    return head[:-1].encode() + b',"items":[' + items + b"]}\n"


def _key(revision: Revision, target: Target) -> str:
    metadata = revision.value["metadata"]
    place = "" if target.namespace else metadata.get("namespace", "")
    return f"{place}/{metadata['name']}"


def _make_token(start: str, version: str) -> str:
    document = {"v": "meta.k8s.io/v1", "rv": int(version), "start": start}
    text = json.dumps(document, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(text).decode().rstrip("=")


def _parse_token(token: str) -> tuple[str, int]:
    padded = token + "=" * (-len(token) % 4)
    try:
        document = json.loads(base64.urlsafe_b64decode(padded))
        return str(document["start"]), int(document["rv"])
    except (binascii.Error, ValueError, KeyError, TypeError):
        message = (
            "invalid continue token: continue key is not valid: invalid character '\\u0081' "
            "looking for beginning of value"
        )
        raise errors.bad_request(message) from None
