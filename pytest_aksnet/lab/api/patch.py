"""The three patches of the API: JSON patch (RFC 6902), merge patch (RFC 7386), strategic merge.

Pure functions from an object and a patch to a new object. Server-side apply has its own module.
"""

from typing import Any

from pytest_aksnet.lab.api import errors, schema
from pytest_aksnet.lab.api.objects import JsonObject, clone

_ORDER = "$setElementOrder/"
_DELETE_PRIMITIVES = "$deleteFromPrimitiveList/"
_RETAIN = "$retainKeys"
_DIRECTIVE = "$patch"


def merge_patch(value: JsonObject, patch: JsonObject) -> JsonObject:
    """RFC 7386: objects merge, null removes, everything else replaces."""
    result = dict(value)
    for key, item in patch.items():
        if item is None:
            result.pop(key, None)
        elif isinstance(item, dict):
            before = result.get(key)
            result[key] = merge_patch(before if isinstance(before, dict) else {}, item)
        else:
            result[key] = item
    return result


def json_patch(value: JsonObject, operations: list[JsonObject]) -> JsonObject:
    """RFC 6902. Raises ApiError 422 where a path does not exist or a test fails."""
    document: JsonObject = {"": clone(value)}
    for operation in operations:
        try:
            _apply(document, operation)
        except (KeyError, IndexError, ValueError, TypeError) as error:
            name, path = operation.get("op"), operation.get("path")
            raise errors.ApiError(
                422, "Invalid", f"the server rejected our request: {name} {path}: {error}"
            ) from error
    result: JsonObject = document[""]
    return result


def _steps(pointer: str) -> list[str]:
    parts = pointer.split("/")
    return ["", *(part.replace("~1", "/").replace("~0", "~") for part in parts[1:])]


def _parent(document: JsonObject, pointer: str) -> tuple[Any, str]:
    steps = _steps(pointer)
    place: Any = document
    for step in steps[:-1]:
        place = place[int(step)] if isinstance(place, list) else place[step]
    return place, steps[-1]


def _read(document: JsonObject, pointer: str) -> Any:
    place, last = _parent(document, pointer)
    return place[int(last)] if isinstance(place, list) else place[last]


def _remove(document: JsonObject, pointer: str) -> Any:
    place, last = _parent(document, pointer)
    return place.pop(int(last)) if isinstance(place, list) else place.pop(last)


def _add(document: JsonObject, pointer: str, item: Any) -> None:
    place, last = _parent(document, pointer)
    if isinstance(place, list):
        place.insert(len(place) if last == "-" else int(last), item)
    else:
        place[last] = item


def _apply(document: JsonObject, operation: JsonObject) -> None:
    path = operation["path"]
    match operation["op"]:
        case "add":
            _add(document, path, operation["value"])
        case "remove":
            _remove(document, path)
        case "replace":
            _read(document, path)
            place, last = _parent(document, path)
            place[int(last) if isinstance(place, list) else last] = operation["value"]
        case "move":
            _add(document, path, _remove(document, operation["from"]))
        case "copy":
            copied = clone({"value": _read(document, operation["from"])})["value"]
            _add(document, path, copied)
        case "test":
            if _read(document, path) != operation["value"]:
                raise ValueError("test failed")
        case other:
            raise ValueError(f"unknown operation {other}")


def strategic_merge(value: JsonObject, patch: JsonObject, type_name: str) -> JsonObject:
    """Strategic merge patch: lists merge by the key that the type names for them."""
    if patch.get(_DIRECTIVE) == "replace":
        return {key: item for key, item in patch.items() if key != _DIRECTIVE}
    if patch.get(_DIRECTIVE) == "delete":
        return {}
    fields = schema.fields_of(type_name) or {}
    result = dict(value)
    if _RETAIN in patch:
        result = {key: item for key, item in result.items() if key in patch[_RETAIN]}
    orders: dict[str, list[Any]] = {}
    for key, item in patch.items():
        if key.startswith(_ORDER):
            orders[key.removeprefix(_ORDER)] = item
        elif key.startswith(_DELETE_PRIMITIVES):
            name = key.removeprefix(_DELETE_PRIMITIVES)
            result[name] = [entry for entry in result.get(name) or [] if entry not in item]
        elif key in (_RETAIN, _DIRECTIVE):
            continue
        elif item is None:
            result.pop(key, None)
        else:
            result[key] = _merged(result.get(key), item, fields.get(key, {}))
    for name, order in orders.items():
        if isinstance(result.get(name), list):
            result[name] = _ordered(result[name], order, fields.get(name, {}))
    return result


def _merged(before: Any, item: Any, field: schema.Field) -> Any:
    if isinstance(item, dict) and not field.get("list"):
        if field.get("map") and "type" not in field:
            if item.get(_DIRECTIVE) == "replace":
                return {key: entry for key, entry in item.items() if key != _DIRECTIVE}
            return merge_patch(before if isinstance(before, dict) else {}, item)
        inner = field.get("type", "")
        return strategic_merge(before if isinstance(before, dict) else {}, item, inner)
    if isinstance(item, list) and "merge" in field:
        return _merged_list(before if isinstance(before, list) else [], item, field)
    return item


def _merged_list(before: list[Any], items: list[Any], field: schema.Field) -> list[Any]:
    key = field["merge"]
    if not key:
        return before + [item for item in items if item not in before]
    if any(item.get(_DIRECTIVE) == "replace" for item in items):
        return [item for item in items if _DIRECTIVE not in item]
    result = list(before)
    for item in items:
        found = next((n for n, old in enumerate(result) if old.get(key) == item.get(key)), None)
        if item.get(_DIRECTIVE) == "delete":
            if found is not None:
                del result[found]
        elif found is None:
            result.append(strategic_merge({}, item, field.get("type", "")))
        else:
            result[found] = strategic_merge(result[found], item, field.get("type", ""))
    return result


def _ordered(items: list[Any], order: list[Any], field: schema.Field) -> list[Any]:
    """Items in the order that the patch wants; the others stay behind those they followed."""
    key = field.get("merge", "")
    wanted = [entry.get(key) if isinstance(entry, dict) else entry for entry in order]

    def rank(item: Any) -> int:
        name = item.get(key) if isinstance(item, dict) else item
        return wanted.index(name) if name in wanted else len(wanted)

    return sorted(items, key=rank)
