"""Paths of the API: which resource, namespace, object and subresource a URL means.

One table lookup instead of a router: the API has hundreds of paths of four shapes.
"""

import dataclasses

from pytest_aksnet.lab.api import errors
from pytest_aksnet.lab.api.resources import NAMESPACES, RESOURCES, Resource


class PageNotFound(Exception):
    """A path outside the API: 404 in plain text."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What a request is about. Empty strings where the path has no such part."""

    resource: Resource
    namespace: str = ""
    name: str = ""
    subresource: str = ""


_TABLE: dict[tuple[str, str], dict[str, Resource]] = {}
for _resource in RESOURCES:
    _versions = _TABLE.setdefault((_resource.group, _resource.version), {})
    _versions[_resource.plural] = _resource
_MAX_PARTS = 3


def find(path: str) -> Target:
    """The target of a path below /api/ or /apis/.

    Raises PageNotFound where no such group is served, ApiError 404 where it has no such resource.
    """
    parts = path.strip("/").split("/")
    if parts[0] == "api":
        group, version, rest = "", parts[1], parts[2:]
    elif len(parts) >= _MAX_PARTS:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        raise PageNotFound
    table = _TABLE.get((group, version))
    if table is None or not rest:
        raise PageNotFound
    namespace = ""
    in_namespace = rest[0] == "namespaces" and len(rest) >= _MAX_PARTS
    if in_namespace and not (
        len(rest) == _MAX_PARTS and not group and rest[2] in NAMESPACES.subresources
    ):
        namespace, rest = rest[1], rest[2:]
    resource = table.get(rest[0])
    if resource is None or len(rest) > _MAX_PARTS:
        raise errors.no_such_resource()
    name = rest[1] if len(rest) > 1 else ""
    subresource = rest[2] if len(rest) == _MAX_PARTS else ""
    scope_fits = resource.namespaced or not namespace
    named_in_scope = bool(namespace) or not resource.namespaced or not name
    if not (scope_fits and named_in_scope) or (
        subresource and subresource not in resource.subresources
    ):
        raise errors.no_such_resource()
    return Target(resource=resource, namespace=namespace, name=name, subresource=subresource)
