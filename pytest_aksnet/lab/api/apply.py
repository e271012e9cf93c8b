"""Server-side apply: who owns which fields, conflicts, and what an applier gives up.

A set of fields is a set of paths; a path is a tuple of FieldsV1 elements ("f:data", "f:a",
'k:{"name":"c"}'). Only appliers own fields here: other writers are not tracked. Sources:
"Server-Side Apply" and the FieldsV1 format of meta/v1.
"""

import json
from typing import Any

from pytest_aksnet.lab.api import schema
from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.objects import JsonObject, clone, timestamp

Path = tuple[str, ...]
_IDENTITY = frozenset({"apiVersion", "kind"})
_METADATA_IDENTITY = frozenset({"name", "namespace", "uid", "resourceVersion", "managedFields"})


def apply(
    live: JsonObject | None,
    wanted: JsonObject,
    *,
    type_name: str,
    manager: str,
    force: bool,
) -> JsonObject:
    """The object after `manager` has applied `wanted` to `live` (None: it is created).

    Raises ApiError 409 naming each field that another manager owns with another value.
    """
    body = {key: item for key, item in wanted.items() if key not in _IDENTITY}
    body["metadata"] = {
        key: item
        for key, item in (body.get("metadata") or {}).items()
        if key not in _METADATA_IDENTITY
    }
    if not body["metadata"]:
        del body["metadata"]
    mine = _leaves(body, type_name)
    base = clone(live) if live is not None else clone(wanted)
    entries: list[JsonObject] = base["metadata"].pop("managedFields", None) or []
    others = {
        entry["manager"]: _parse(entry["fieldsV1"])
        for entry in entries
        if entry["operation"] == "Apply" and entry["manager"] != manager
    }
    before = next(
        (_parse(entry["fieldsV1"]) for entry in entries if entry["manager"] == manager), set()
    )
    conflicts = [
        (owner, path)
        for owner, paths in sorted(others.items())
        for path in sorted(paths & mine)
        if _read(base, path) != _read(body, path)
    ]
    if conflicts and not force:
        raise _conflict(conflicts)
    lost = {path for _, path in conflicts}
    others = {owner: paths - lost for owner, paths in others.items()}
    kept = set().union(*others.values()) if others else set()
    for path in sorted(before - mine - kept, reverse=True):
        _remove(base, path)
    for path in sorted(mine):
        _write(base, body, path)
    record = {owner: paths for owner, paths in others.items() if paths}
    record[manager] = mine
    _write_managers(base, entries, record, str(wanted.get("apiVersion", "")))
    return base


def _write_managers(
    value: JsonObject, entries: list[JsonObject], record: dict[str, set[Path]], version: str
) -> None:
    times = {
        entry["manager"]: entry["time"]
        for entry in entries
        if _parse(entry["fieldsV1"]) == record.get(entry["manager"])
    }
    value["metadata"]["managedFields"] = [
        {
            "manager": manager,
            "operation": "Apply",
            "apiVersion": version,
            "time": times.get(manager) or timestamp(),
            "fieldsType": "FieldsV1",
            "fieldsV1": _format(paths),
        }
        for manager, paths in sorted(record.items())
    ]


def _conflict(conflicts: list[tuple[str, Path]]) -> ApiError:
    count = len(conflicts)
    causes = [
        {
            "reason": "FieldManagerConflict",
            "message": f'conflict with "{owner}"',
            "field": _shown(path),
        }
        for owner, path in conflicts
    ]
    if count == 1:
        text = f"{causes[0]['message']}: {causes[0]['field']}"
        message = f"Apply failed with 1 conflict: {text}"
    else:
        owners: dict[str, list[str]] = {}
        for cause in causes:
            owners.setdefault(cause["message"], []).append(f"- {cause['field']}")
        listed = "\n".join(f"{owner}:\n" + "\n".join(paths) for owner, paths in owners.items())
        message = f"Apply failed with {count} conflicts: {listed}"
    return ApiError(409, "Conflict", message, details={"causes": causes})


def _shown(path: Path) -> str:
    text = ""
    for element in path:
        kind, _, rest = element.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "k":
            pairs = ",".join(
                f"{key}={json.dumps(item)}" for key, item in sorted(json.loads(rest).items())
            )
            text += f"[{pairs}]"
        else:
            text += f"[={rest}]"
    return text


def _leaves(value: JsonObject, type_name: str, prefix: Path = ()) -> set[Path]:
    found: set[Path] = set()
    fields = schema.fields_of(type_name) or {}
    for name, item in value.items():
        path = (*prefix, f"f:{name}")
        found |= _leaves_of_field(item, fields.get(name, {}), path)
    return found


def _leaves_of_field(item: Any, field: schema.Field, path: Path) -> set[Path]:
    if field.get("list") and "keys" in field and isinstance(item, list):
        found: set[Path] = set()
        for entry in item:
            if not field["keys"]:
                found.add((*path, f"v:{json.dumps(entry)}"))
                continue
            key = {name: _key_value(entry, name) for name in field["keys"]}
            element = "k:" + json.dumps(key, separators=(",", ":"), sort_keys=True)
            inner = _leaves(entry, field.get("type", ""), (*path, element))
            found |= inner or {(*path, element)}
        return found or {path}
    if isinstance(item, dict) and item and not field.get("list"):
        if field.get("map"):
            return {(*path, f"f:{key}") for key in item}
        if "type" in field:
            return _leaves(item, field["type"], path)
    return {path}


def _key_value(entry: JsonObject, name: str) -> Any:
    return entry.get(name, "TCP" if name == "protocol" else None)


def _format(paths: set[Path]) -> JsonObject:
    tree: JsonObject = {}
    for path in sorted(paths):
        place = tree
        for element in path:
            place = place.setdefault(element, {})
            if element.startswith("k:"):
                place.setdefault(".", {})
    return tree


def _parse(tree: JsonObject, prefix: Path = ()) -> set[Path]:
    found: set[Path] = set()
    for element, inner in tree.items():
        if element == ".":
            continue
        path = (*prefix, element)
        below = _parse(inner, path)
        found |= below or {path}
    return found


def _find(items: list[Any], element: str) -> int | None:
    kind, _, rest = element.partition(":")
    wanted = json.loads(rest)
    for index, item in enumerate(items):
        if kind == "v":
            if item == wanted:
                return index
        elif all(_key_value(item, name) == value for name, value in wanted.items()):
            return index
    return None


_MISSING = object()


def _read(value: Any, path: Path) -> Any:
    for element in path:
        if element.startswith("f:"):
            if not isinstance(value, dict) or element[2:] not in value:
                return _MISSING
            value = value[element[2:]]
        else:
            index = _find(value, element) if isinstance(value, list) else None
            if index is None:
                return _MISSING
            value = value[index]
    return value


def _write(target: Any, source: Any, path: Path) -> None:
    for position, element in enumerate(path):
        last = position == len(path) - 1
        source = _read(source, (element,))
        if element.startswith("f:"):
            name = element[2:]
            if last or name not in target or target[name] is None:
                empty: Any = [] if isinstance(source, list) else {}
                target[name] = clone({"": source})[""] if last else empty
            target = target[name]
        else:
            index = _find(target, element)
            if index is None:
                index = len(target)
                target.append(json.loads(element[2:]) if element.startswith("k:") else source)
            target = target[index]


def _remove(target: Any, path: Path) -> None:
    """Take away a field, and the list items and structs that are left empty by it."""
    parent = _read(target, path[:-1])
    if parent is _MISSING:
        return
    element = path[-1]
    if element.startswith("f:"):
        if isinstance(parent, dict):
            parent.pop(element[2:], None)
    elif isinstance(parent, list) and (index := _find(parent, element)) is not None:
        del parent[index]
    above = path[:-1]
    while above and above[-1].startswith("k:"):
        item = _read(target, above)
        key = json.loads(above[-1][2:])
        items = _read(target, above[:-1])
        if item is _MISSING or set(item) - set(key) or not isinstance(items, list):
            break
        items.remove(item)
        above = above[:-1]
    parent = _read(target, above) if above else target
    if parent in ({}, []) and above and above[-1].startswith("f:"):
        _remove(target, above)
