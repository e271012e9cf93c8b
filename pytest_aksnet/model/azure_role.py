"""Custom roles of Azure that allow given actions and nothing else. Pure.

Source: "Azure custom roles" (the properties of a role definition for the Azure CLI).
"""

from collections.abc import Iterable

ANY_SCOPE = "/subscriptions/00000000-0000-0000-0000-000000000000"
"""Stands where the scope is not known: the reader puts the id of a subscription there."""


def role_definition(
    name: str, description: str, actions: Iterable[str], scopes: Iterable[str] = ()
) -> dict[str, object]:
    """The definition as `az role definition create --role-definition @FILE` takes it."""
    return {
        "Name": name,
        "Description": description,
        "IsCustom": True,
        "Actions": sorted(set(actions), key=str.lower),
        "NotActions": [],
        "AssignableScopes": list(scopes) or [ANY_SCOPE],
    }
