"""Microsoft.Authorization: role assignments and definitions as resources."""

from aiohttp import web

from pytest_aksnet.lab.arm import errors
from pytest_aksnet.lab.arm.documents import Document
from pytest_aksnet.lab.arm.ids import group_id, same, subscription_id
from pytest_aksnet.lab.arm.requests import Target
from pytest_aksnet.lab.arm.roles import (
    ROLES,
    Roles,
    assignment_document,
    definition_document,
    is_within,
)


def answer(roles: Roles, method: str, target: Target, body: Document) -> web.Response:
    """Answer a request to roleAssignments or roleDefinitions. Raises ArmError."""
    kind = target.types[0].casefold()
    scope = target.scope or (group_id(target.group) if target.group else subscription_id())
    if kind == "roledefinitions" and method == "GET":
        return _read(target, [definition_document(role) for role in ROLES.values()])
    if kind != "roleassignments":
        raise errors.type_not_found(target.namespace, target.types[0], "")
    if method == "GET":
        visible = [
            assignment_document(one)
            for one in roles.assignments.values()
            if is_within(one.scope, scope) or is_within(scope, one.scope)
        ]
        return _read(target, visible)
    if method == "PUT" and target.is_one:
        given = roles.assign(target.names[0], scope, body)
        return web.json_response(assignment_document(given), status=201)
    if method == "DELETE" and target.is_one:
        gone = roles.assignments.pop(target.names[0].casefold(), None)
        if gone is None:
            return web.Response(status=204)
        return web.json_response(assignment_document(gone))
    raise errors.method_not_allowed(method)


def _read(target: Target, documents: list[Document]) -> web.Response:
    if not target.is_one:
        return web.json_response({"value": documents})
    for one in documents:
        if same(one["name"], target.names[0]):
            return web.json_response(one)
    raise errors.resource_not_found(target.kind, target.names[0], target.group)
