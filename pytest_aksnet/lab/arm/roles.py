"""Roles: who may do what where ("Azure docs: role-definitions", "built-in-roles").

Role assignments are resources (Microsoft.Authorization/roleAssignments) and may be changed by
whoever may; the first ones give each identity its role on the subscription.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pytest_aksnet.lab.arm import errors
from pytest_aksnet.lab.arm.documents import Document
from pytest_aksnet.lab.arm.identities import Identities, Identity
from pytest_aksnet.lab.arm.ids import guid, same, subscription_id
from pytest_aksnet.lab.options import ARM_ROLES


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role: `actions` are allowed unless `not_actions` has them too; `*` stands for anything."""

    name: str
    identifier: str
    actions: tuple[str, ...]
    not_actions: tuple[str, ...] = ()
    custom: bool = False

    def allows(self, action: str) -> bool:
        """Whether it allows an action, such as Microsoft.Network/virtualNetworks/read."""
        return matches(action, self.actions) and not matches(action, self.not_actions)

    @property
    def id(self) -> str:
        """Its id as a resource."""
        return (
            f"{subscription_id()}/providers/Microsoft.Authorization/roleDefinitions"
            f"/{self.identifier}"
        )


def matches(action: str, patterns: Iterable[str]) -> bool:
    """Whether any pattern has that action."""
    return any(
        re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), action, re.IGNORECASE)
        for pattern in patterns
    )


_BUILT_IN = (
    Role(name="Owner", identifier="8e3af657-a8ff-443c-a75c-2fe8c4bcb635", actions=("*",)),
    Role(
        name="Contributor",
        identifier="b24988ac-6180-42a0-ab88-20f7382dd24c",
        actions=("*",),
        not_actions=(
            "Microsoft.Authorization/*/Delete",
            "Microsoft.Authorization/*/Write",
            "Microsoft.Authorization/elevateAccess/Action",
        ),
    ),
    Role(
        name="Network Contributor",
        identifier="4d97b98b-1d4f-4787-a291-c67834d212e7",
        actions=(
            "Microsoft.Authorization/*/read",
            "Microsoft.Network/*",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ),
    ),
    Role(
        name="Private DNS Zone Contributor",
        identifier="b12aa53e-6015-4669-85d0-8515ebb3ae7f",
        actions=(
            "Microsoft.Authorization/*/read",
            "Microsoft.Network/privateDnsZones/*",
            "Microsoft.Network/privateDnsOperationResults/*",
            "Microsoft.Network/privateDnsOperationStatuses/*",
            "Microsoft.Network/virtualNetworks/read",
            "Microsoft.Network/virtualNetworks/join/action",
            "Microsoft.Resources/subscriptions/resourceGroups/read",
        ),
    ),
    Role(name="Reader", identifier="acdd72a7-3385-48ef-bd42-f606fba81ae7", actions=("*/read",)),
    Role(
        name="Network Auditor",
        identifier=guid("role Network Auditor"),
        actions=(
            "*/read",
            "Microsoft.Network/loadBalancers/loadBalancingRules/health/action",
            "Microsoft.Network/networkInterfaces/effectiveNetworkSecurityGroups/action",
            "Microsoft.Network/networkInterfaces/effectiveRouteTable/action",
            "Microsoft.Network/networkWatchers/*/action",
        ),
        custom=True,
    ),
)
ROLES = {role.name: role for role in _BUILT_IN}
assert set(ROLES) == set(ARM_ROLES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """A role given to a principal (object id) over a scope and what is below it."""

    name: str
    principal: str
    role: Role
    scope: str


class Roles:
    """The role assignments of a lab."""

    def __init__(self, identities: Identities) -> None:
        self.assignments: dict[str, Assignment] = {}
        for identity in identities:
            name = guid(f"assignment {identity.name}")
            self.assignments[name] = Assignment(
                name=name,
                principal=identity.object_id,
                role=ROLES[identity.role],
                scope=subscription_id(),
            )

    def require(self, identity: Identity, action: str, scope: str, denied: Iterable[str]) -> None:
        """Raises ArmError (403) where no role of the identity allows the action over a scope."""
        allowed = any(
            one.principal == identity.object_id
            and is_within(scope, one.scope)
            and one.role.allows(action)
            for one in self.assignments.values()
        )
        if not allowed or matches(action, denied):
            raise errors.forbidden(identity.object_id, action, scope)

    def assign(self, name: str, scope: str, body: Document) -> Assignment:
        """Give a role as the body of a PUT says. Raises ArmError."""
        properties = body.get("properties") or {}
        wanted = str(properties.get("roleDefinitionId", "")).rpartition("/")[2]
        role = next((role for role in ROLES.values() if same(role.identifier, wanted)), None)
        if role is None:
            raise errors.ArmError(
                404,
                "RoleDefinitionDoesNotExist",
                f"The specified role definition with ID '{wanted}' does not exist.",
            )
        principal = str(properties.get("principalId", ""))
        if not principal:
            raise errors.bad_request(
                "InvalidPrincipalId",
                "The principal id '' is not valid. Principal id must be a GUID.",
            )
        given = Assignment(name=name.lower(), principal=principal, role=role, scope=scope)
        self.assignments[given.name] = given
        return given


def is_within(scope: str, outer: str) -> bool:
    """Whether a scope is another one or below it."""
    return f"{scope.rstrip('/')}/".casefold().startswith(f"{outer.rstrip('/')}/".casefold())


def assignment_document(one: Assignment) -> Document:
    """A role assignment as a resource."""
    return {
        "id": f"{one.scope}/providers/Microsoft.Authorization/roleAssignments/{one.name}",
        "name": one.name,
        "type": "Microsoft.Authorization/roleAssignments",
        "properties": {
            "principalId": one.principal,
            "principalType": "ServicePrincipal",
            "roleDefinitionId": one.role.id,
            "scope": one.scope,
        },
    }


def definition_document(role: Role) -> Document:
    """A role definition as a resource."""
    return {
        "id": role.id,
        "name": role.identifier,
        "type": "Microsoft.Authorization/roleDefinitions",
        "properties": {
            "roleName": role.name,
            "type": "CustomRole" if role.custom else "BuiltInRole",
            "assignableScopes": [subscription_id() if role.custom else "/"],
            "permissions": [
                {
                    "actions": list(role.actions),
                    "notActions": list(role.not_actions),
                    "dataActions": [],
                    "notDataActions": [],
                }
            ],
        },
    }
