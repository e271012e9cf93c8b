"""Names of ARM resources: ids, and GUIDs that stay the same for the same thing."""

import uuid

from pytest_aksnet.lab.spec import CLUSTER_NAME, REGION, SUBSCRIPTION

_NAMESPACE = uuid.UUID(SUBSCRIPTION)


def subscription_id() -> str:
    """The id of the lab's subscription."""
    return f"/subscriptions/{SUBSCRIPTION}"


def group_id(group: str) -> str:
    """The id of a resource group."""
    return f"/subscriptions/{SUBSCRIPTION}/resourceGroups/{group}"


def resource_id(group: str, kind: str, *names: str) -> str:
    """An id: the type (Microsoft.Network/virtualNetworks/subnets) and one name for each part."""
    namespace, *parts = kind.split("/")
    path = "".join(f"/{part}/{name}" for part, name in zip(parts, names, strict=True))
    return f"{group_id(group)}/providers/{namespace}{path}"


def guid(text: str) -> str:
    """A GUID that is always the same for the same text."""
    return str(uuid.uuid5(_NAMESPACE, text))


API_DOMAIN = f"hcp.{REGION}.azmk8s.io"
API_NAME = f"{CLUSTER_NAME}-{guid('api server')[:8]}"
"""The API server's name is NAME.DOMAIN."""


def same(one: str, other: str) -> bool:
    """Whether two ids or names mean the same: ARM compares them case-insensitively."""
    return one.rstrip("/").casefold() == other.rstrip("/").casefold()
