"""ARM documents: what all resources have in common."""

import hashlib
import json
import uuid
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from pytest_aksnet.lab.arm.ids import resource_id
from pytest_aksnet.lab.spec import REGION

Document: TypeAlias = dict[str, Any]

SUCCEEDED = "Succeeded"


def resource(
    group: str,
    kind: str,
    name: str,
    properties: Mapping[str, Any],
    /,
    *,
    location: str = REGION,
    **more: Any,
) -> Document:
    """A resource of a group. `more` are fields beside `properties`, such as sku or tags."""
    return tagged(
        {
            "id": resource_id(group, kind, name),
            "name": name,
            "type": kind,
            "location": location,
            **more,
            "properties": {"provisioningState": SUCCEEDED, **properties},
        }
    )


def part(parent: str, kind: str, name: str, properties: Mapping[str, Any]) -> Document:
    """A part of the resource with the id `parent`, such as a subnet; `kind` is its full type."""
    return tagged(
        {
            "id": f"{parent}/{kind.rpartition('/')[2]}/{name}",
            "name": name,
            "type": kind,
            "properties": {"provisioningState": SUCCEEDED, **properties},
        }
    )


def reference(to: str) -> Document:
    """A reference to a resource."""
    return {"id": to}


def references(to: Iterable[str]) -> list[Document]:
    """References to resources."""
    return [reference(one) for one in to]


def without_nothing(document: Mapping[str, Any]) -> Document:
    """The fields that have a value: ARM leaves out the others."""
    return {key: value for key, value in document.items() if value not in (None, "")}


def tagged(document: Document) -> Document:
    """The document with its etag, which changes whenever anything else in it does."""
    text = json.dumps(document, sort_keys=True, default=str).encode()
    tag = uuid.UUID(bytes=hashlib.blake2b(text, digest_size=16).digest())
    return {**document, "etag": f'W/"{tag}"'}
