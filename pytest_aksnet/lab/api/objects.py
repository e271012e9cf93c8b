"""Kubernetes objects as JSON types, and the few operations that every module needs on them."""

import datetime
from typing import Any, TypeAlias, cast

JsonObject: TypeAlias = dict[str, Any]


def clone(value: JsonObject) -> JsonObject:
    """A deep copy of JSON types; several times faster than copy.deepcopy."""
    return cast(JsonObject, _clone(value))


def _clone(value: object) -> object:
    if isinstance(value, dict):
        return {key: _clone(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_clone(item) for item in value]
    return value


def timestamp(offset_seconds: float = 0.0) -> str:
    """Now plus an offset, as metav1.Time writes it: RFC 3339, UTC, whole seconds."""
    moment = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=offset_seconds)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def get_path(value: object, path: str) -> object:
    """The value at a dotted path of field names, or None where a step is missing."""
    for step in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(step)
    return value


def controller_uid(value: JsonObject) -> str:
    """The uid of the object that controls this one; "" without one."""
    for owner in value["metadata"].get("ownerReferences") or ():
        if owner.get("controller"):
            return str(owner["uid"])
    return ""
