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

_ANY = -1  # the version of a list that takes what is there now


def answer_list(request: web.Request, store: Store, target: Target, view: View) -> web.Response:
    """The answer to a list request. Raises ApiError 400, 410 or 504."""
    resource = target.resource
    query = request.query
    version = exchange.number(request, "resourceVersion")
    if version is not None and version > store.version:
        raise errors.version_too_large(version, store.version)
    matcher = selectors.compile_selector(
        resource, query.get("labelSelector", ""), query.get("fieldSelector", "")
    )
    limit = exchange.number(request, "limit") or 0
    start, listed_at = _start(query.get("continue", ""))
    if listed_at == _ANY:
        listed_at = store.version
    metadata: dict[str, object] = {"resourceVersion": str(listed_at)}
    try:
        revisions = _at(store, view, target.namespace, listed_at)
    except errors.ApiError:
        raise errors.list_expired(_make_token(start, str(_ANY))) from None
    found = [
        revision
        for revision in revisions
        if (matcher is None or matcher(revision.value)) and _key(revision, target) >= start
    ]
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


def _at(store: Store, view: View, namespace: str, version: int) -> list[Revision]:
    """The objects as they were at a version, in order. Raises ApiError 410."""
    if version == store.version:
        return view.revisions(store, namespace)
    states = {
        (item.value["metadata"].get("namespace", ""), item.value["metadata"]["name"]): item
        for item in view.revisions(store, namespace)
    }
    for change in reversed(store.journal.since(view.stored, version)):
        metadata = change.value["metadata"]
        place = (metadata.get("namespace", ""), metadata["name"])
        if namespace and place[0] != namespace:
            continue
        if change.previous is None:
            states.pop(place, None)
        else:
            states[place] = view.revision(change.previous)
    return [states[place] for place in sorted(states)]


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


def _start(token: str) -> tuple[str, int]:
    """The key where a list goes on, and the version of its first chunk. Raises ApiError 400."""
    if not token:
        return "", _ANY
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
