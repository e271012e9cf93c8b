"""OpenAPI v3 documents of the served groups: field names and types, without descriptions.

kubectl reads from them that the server validates fields (the parameter fieldValidation), and
`kubectl explain` shows the fields.
"""

import functools

from pytest_aksnet.lab.api import schema
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import RESOURCES, Resource

_PREFIX = "aksnet.lab."
_SCALARS: dict[str, JsonObject] = {
    "integer": {"type": "integer", "format": "int32"},
    "boolean": {"type": "boolean"},
    "string": {"type": "string"},
    "number": {"type": "number"},
    "quantity": {"type": "string"},
    "microtime": {"type": "string", "format": "date-time"},
}
_TIMES = ("Time", "Timestamp", "edAt", "time", "timeAdded")
_INT_OR_STRING = ("maxSurge", "maxUnavailable", "minAvailable", "port", "targetPort")
_FREE_FORM = ("data", "disruptedPods", "fieldsV1", "series", "status")
_COUNTS = (
    "currentHealthy",
    "deprecatedCount",
    "desiredHealthy",
    "disruptionsAllowed",
    "expectedPods",
    "observedGeneration",
)


def _root(resource: Resource) -> str:
    return f"apis/{resource.api_version}" if resource.group else f"api/{resource.version}"


def index() -> JsonObject:
    """GET /openapi/v3: where the document of each group is."""
    names = dict.fromkeys(_root(resource) for resource in RESOURCES)
    return {"paths": {name: {"serverRelativeURL": f"/openapi/v3/{name}"} for name in names}}


@functools.cache
def document(name: str) -> JsonObject | None:
    """GET /openapi/v3/{name}; None where no such group is served."""
    members = [resource for resource in RESOURCES if _root(resource) == name]
    if not members:
        return None
    schemas: dict[str, JsonObject] = {}
    paths: JsonObject = {}
    for resource in members:
        _add_type(schema.root_type(resource), schemas)
        root = schemas[_PREFIX + schema.root_type(resource)]
        root["x-kubernetes-group-version-kind"] = [_kind_of(resource)]
        middle = "/namespaces/{namespace}" if resource.namespaced else ""
        paths[f"/{name}{middle}/{resource.plural}"] = {"post": _operation(resource)}
        paths[f"/{name}{middle}/{resource.plural}/{{name}}"] = {
            "get": _operation(resource),
            "patch": _operation(resource),
            "put": _operation(resource),
        }
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes", "version": "lab"},
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _kind_of(resource: Resource) -> JsonObject:
    return {"group": resource.group, "version": resource.version, "kind": resource.kind}


def _operation(resource: Resource) -> JsonObject:
    names = ("dryRun", "fieldManager", "fieldValidation")
    return {
        "parameters": [
            {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
            for name in names
        ],
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-group-version-kind": _kind_of(resource),
    }


def _add_type(type_name: str, schemas: dict[str, JsonObject]) -> None:
    if _PREFIX + type_name in schemas:
        return
    properties: JsonObject = {}
    schemas[_PREFIX + type_name] = {"type": "object", "properties": properties}
    for name, field in (schema.fields_of(type_name) or {}).items():
        properties[name] = _property(name, field)
        if "type" in field:
            _add_type(field["type"], schemas)


def _by_name(name: str) -> JsonObject:
    """The type of a field for which the table has none: times, and values of more than one type."""
    if name.endswith(_TIMES):
        return _SCALARS["microtime"]
    if name in _INT_OR_STRING:
        return {"type": "string", "format": "int-or-string"}
    if name in _FREE_FORM:
        return {"type": "object"}
    return _SCALARS["integer" if name in _COUNTS else "string"]


def _property(name: str, field: schema.Field) -> JsonObject:
    if "type" in field:
        inner: JsonObject = {"$ref": f"#/components/schemas/{_PREFIX}{field['type']}"}
    else:
        inner = dict(_SCALARS.get(field.get("scalar", "")) or _by_name(name))
    if field.get("list"):
        return {"type": "array", "items": inner}
    if field.get("map"):
        return {"type": "object", "additionalProperties": inner}
    return inner
