"""One HTTP exchange in the API's terms: query options, bodies in, answers out.

Owns media types and the shape of answers; knows nothing of objects.
"""

import dataclasses
import json
from collections.abc import Iterable
from typing import Any

import yaml
from aiohttp import web

from pytest_aksnet.lab.api import errors, protobuf
from pytest_aksnet.lab.api.objects import JsonObject

JSON = "application/json"
YAML = "application/yaml"
# Marks an answer that the API server only hands on.
OF_KUBELET: web.ResponseKey[bool] = web.ResponseKey("of kubelet", bool)
_READABLE = {JSON, YAML, ""}
_TRUE = {"true", "1", "True"}
_ACCEPTED_TEXT = (
    "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml, "
    "application/vnd.kubernetes.protobuf, application/json;stream=watch, "
    "application/vnd.kubernetes.protobuf;stream=watch"
)
_MEDIA_TEXT = "the body of the request was in an unknown format - accepted media types include: "


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """Options of writes (meta/v1 CreateOptions, UpdateOptions, PatchOptions)."""

    dry_run: bool
    field_validation: str
    field_manager: str
    force: bool


def write_options(request: web.Request) -> WriteOptions:
    """The options in a request's query."""
    query = request.query
    return WriteOptions(
        dry_run="dryRun" in query,
        field_validation=query.get("fieldValidation") or "Warn",
        field_manager=query.get("fieldManager", ""),
        force=flag(request, "force"),
    )


def flag(request: web.Request, name: str) -> bool:
    """A boolean query parameter; false where it is missing."""
    return request.query.get(name, "") in _TRUE


def number(request: web.Request, name: str) -> int | None:
    """An integer query parameter. Raises ApiError 400 where it is none."""
    text = request.query.get(name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        message = f'strconv.ParseInt: parsing "{text}": invalid syntax'
        raise errors.bad_request(message) from None


async def read_object(request: web.Request, kind: str) -> JsonObject:
    """The object in the body, JSON, YAML or protobuf. Raises ApiError 400 or 415."""
    media = request.content_type if "Content-Type" in request.headers else ""
    if media == protobuf.MEDIA_TYPE:
        return protobuf.decode(await request.read())
    if media not in _READABLE:
        accepted = "application/json, application/yaml, application/vnd.kubernetes.protobuf"
        raise errors.ApiError(415, "UnsupportedMediaType", _MEDIA_TEXT + accepted)
    text = (await request.read()).decode(errors="replace")
    return parse_object(text, kind, yaml_allowed=media == YAML)


def parse_object(text: str, kind: str, *, yaml_allowed: bool) -> JsonObject:
    """One object from text. Raises ApiError 400."""
    try:
        value = json.loads(text)
    except json.JSONDecodeError as error:
        if not (yaml_allowed and text.strip()):
            raise _unrecognized(text, kind, _go_json_error(text, error)) from None
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as problem:
            raise errors.bad_request(f"error decoding YAML: {problem}") from None
    if not isinstance(value, dict):
        raise _unrecognized(text, kind, "json: cannot unmarshal into Go value")
    return value


def _unrecognized(text: str, kind: str, problem: str) -> errors.ApiError:
    shown = text or "<empty>"
    return errors.bad_request(
        f"the object provided is unrecognized (must be of type {kind}): couldn't get "
        f"version/kind; json parse error: {problem} ({shown})"
    )


def _go_json_error(text: str, error: json.JSONDecodeError) -> str:
    """The same complaint in the words of Go's encoding/json, for the usual cases."""
    if error.pos >= len(text.rstrip()):
        return "unexpected end of JSON input"
    found = text[error.pos]
    where = {
        "Expecting property name enclosed in double quotes": "object key string",
        "Expecting ',' delimiter": "after object key:value pair",
    }.get(error.msg, "value")
    middle = "" if where.startswith("after") else "looking for beginning of "
    return f"invalid character '{found}' {middle}{where}"


async def read_patch(request: web.Request) -> tuple[str, Any]:
    """The media type of a patch and its document. Raises ApiError 400 or 415."""
    media = request.content_type
    text = (await request.read()).decode(errors="replace")
    known = (
        "application/json-patch+json",
        "application/merge-patch+json",
        "application/apply-patch+yaml",
        "application/strategic-merge-patch+json",
    )
    if media not in known:
        raise errors.ApiError(415, "UnsupportedMediaType", _MEDIA_TEXT + ", ".join(known))
    try:
        return media, json.loads(text)
    except json.JSONDecodeError as error:
        if media != "application/apply-patch+yaml":
            raise errors.bad_request(f"error decoding patch: {error}") from None
    try:
        return media, yaml.safe_load(text)
    except yaml.YAMLError as problem:
        raise errors.bad_request(f"error decoding YAML: {problem}") from None


def require_acceptable(request: web.Request) -> None:
    """Raise ApiError 406 where the client takes no JSON."""
    accept = request.headers.get("Accept", "")
    if not accept or JSON in accept or "*/*" in accept or "application/*" in accept:
        return
    if YAML in accept:
        return
    raise errors.ApiError(406, "NotAcceptable", _ACCEPTED_TEXT, details={})


def wants_table(request: web.Request) -> bool:
    """Whether the client asks for a Table (kubectl get)."""
    for choice in request.headers.get("Accept", "").split(","):
        if "as=Table" in choice and JSON in choice:
            return "v=v1beta1" not in choice
        if choice.strip().startswith(JSON):
            return False
    return False


def encode(value: JsonObject) -> bytes:
    """JSON as the API server writes it, with the final line feed."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


def answer(
    value: JsonObject | bytes, *, status: int = 200, warnings: Iterable[str] = ()
) -> web.Response:
    """A JSON answer with a Warning header per warning (RFC 7234, code 299)."""
    body = value if isinstance(value, bytes) else encode(value)
    response = web.Response(body=body, status=status)
    response.headers["Content-Type"] = JSON
    for warning in warnings:
        quoted = warning.replace("\\", "\\\\").replace('"', '\\"')
        response.headers.add("Warning", f'299 - "{quoted}"')
    return response


def plain(text: str, *, status: int) -> web.Response:
    """A text answer, as Go's http.Error gives."""
    response = web.Response(text=text, status=status)
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def of_kubelet(status: int, text: str = "") -> web.Response:
    """A text answer of a kubelet, which the API server hands on as it is."""
    response = web.Response(text=text or None, status=status)
    response[OF_KUBELET] = True
    return response
