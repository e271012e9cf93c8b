"""Which fields the API's types have, and how lists of them merge: a table and walks over it.

`schema.json` has, per type, its fields with `type` (a type of the table), `list`, `map`, `scalar`
(integer, boolean, string, number, quantity, microtime), `merge` (patch merge key, "" for a list of
scalars) and `keys` (keys of server-side apply). It was derived from the OpenAPI v3 documents of
Kubernetes 1.36 and their x-kubernetes-patch-* and x-kubernetes-list-* extensions.
"""

import functools
import json
from importlib import resources
from typing import Any, TypedDict, cast

from pytest_aksnet.lab.api import errors, go_times
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import Resource


class Field(TypedDict, total=False):
    """One field of a type."""

    type: str
    list: bool
    map: bool
    scalar: str
    merge: str
    keys: list[str]
    retainKeys: bool


@functools.cache
def _table() -> dict[str, Any]:
    text = resources.files(__package__).joinpath("schema.json").read_text(encoding="utf-8")
    return cast(dict[str, Any], json.loads(text))


def root_type(resource: Resource) -> str:
    """The name of the type of a resource's objects."""
    return str(_table()["kinds"][f"{resource.api_version}/{resource.kind}"])


def fields_of(type_name: str) -> dict[str, Field] | None:
    """The fields of a type; None where the type is not known."""
    return cast(dict[str, Field] | None, _table()["types"].get(type_name))


_GO_NAMES = {
    "integer": "int32",
    "boolean": "bool",
    "string": "string",
    "number": "float64",
    "microtime": "v1.MicroTime",
}
_PYTHON_TYPES: dict[str, tuple[type, ...]] = {
    "integer": (int,),
    "boolean": (bool,),
    "string": (str,),
    "microtime": (str,),
    "number": (int, float),
}


def decode(resource: Resource, value: JsonObject) -> tuple[JsonObject, list[str]]:
    """The object as the API server reads it, and the paths of the fields that it does not know.

    Unknown fields and nulls are left out; quantities become strings. Raises ApiError 400 where a
    value has the wrong JSON type.
    """
    unknown: list[str] = []

    def refuse(found: object, wanted: str, path: str) -> errors.ApiError:
        kinds = {dict: "object", list: "array", str: "string", bool: "bool"}
        shown = kinds.get(type(found), "number")
        return errors.bad_request(
            f'{resource.kind} in version "{resource.version}" cannot be handled as a '
            f"{resource.kind}: json: cannot unmarshal {shown} into Go struct field "
            f"{resource.kind}.{path} of type {wanted}"
        )

    def scalar(found: object, wanted: str, path: str) -> object:
        if wanted == "quantity":
            return str(found) if isinstance(found, int | float) else found
        if wanted == "microtime" and isinstance(found, str):
            wrong = go_times.cannot_parse_micro(found)
            if wrong:
                raise errors.bad_request(
                    f'{resource.kind} in version "{resource.version}" cannot be handled as a '
                    f"{resource.kind}: {wrong}"
                )
            return found
        types = _PYTHON_TYPES[wanted]
        if not isinstance(found, types) or (isinstance(found, bool) and wanted != "boolean"):
            raise refuse(found, _GO_NAMES[wanted], path)
        return found

    def one(found: object, field: Field, path: str) -> object:
        if "type" in field:
            if not isinstance(found, dict):
                raise refuse(found, f"v1.{field['type']}", path)
            return struct(found, field["type"], path)
        return scalar(found, field["scalar"], path) if "scalar" in field else found

    def member(found: object, field: Field, path: str) -> object:
        if field.get("list"):
            if not isinstance(found, list):
                raise refuse(found, f"[]v1.{field.get('type', 'string')}", path)
            return [one(item, field, f"{path}[{index}]") for index, item in enumerate(found)]
        if field.get("map"):
            if not isinstance(found, dict):
                raise refuse(found, "map[string]string", path)
            return {
                key: one(item, field, f"{path}.{key}")
                for key, item in found.items()
                if item is not None
            }
        return one(found, field, path)

    def struct(found: JsonObject, type_name: str, path: str) -> JsonObject:
        fields = fields_of(type_name)
        if fields is None:
            return found
        result: JsonObject = {}
        for name, item in found.items():
            place = f"{path}.{name}" if path else name
            field = fields.get(name)
            if field is None:
                unknown.append(place)
            elif item is not None:
                result[name] = member(item, field, place)
        return result

    return struct(value, root_type(resource), ""), unknown
