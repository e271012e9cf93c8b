"""What a namespace's own objects say about new ones in it.

Pod Security labels, LimitRanges and ResourceQuotas, in the order of the API server's admission.
Reads the store; what quotas then count is handed back for it to write.
"""

from collections.abc import Callable, Sequence

from pytest_aksnet.lab.api import errors, limit_ranges, pod_security, quotas
from pytest_aksnet.lab.api.journal import Revision
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import (
    LIMIT_RANGES,
    NAMESPACES,
    PODS,
    RESOURCE_QUOTAS,
    Resource,
)


def require_open(namespace: JsonObject, resource: Resource, name: str) -> None:
    """Raise ApiError 403 for a new object in a namespace that terminates."""
    metadata = namespace["metadata"]
    if "deletionTimestamp" not in metadata:
        return
    place = metadata["name"]
    raise errors.forbidden(
        resource,
        name,
        f"unable to create new content in namespace {place} because it is being terminated",
        causes=[
            errors.Cause(
                "metadata.namespace",
                "NamespaceTerminating",
                f"namespace {place} is being terminated",
            )
        ],
    )


class NamespaceRules:
    """The rules of all namespaces; `revisions` gives the objects of (resource, namespace)."""

    def __init__(self, revisions: Callable[[Resource, str], Sequence[Revision]]) -> None:
        self._revisions = revisions

    def default(self, resource: Resource, new: JsonObject) -> None:
        """Write what LimitRanges add into a new pod."""
        if resource is PODS:
            limit_ranges.apply(self._values(LIMIT_RANGES, new), new)

    def admit(self, resource: Resource, new: JsonObject) -> tuple[JsonObject, ...]:
        """The quotas that a new object changes, with it in them.

        Raises ApiError 403 where it may not be.
        """
        if not resource.namespaced:
            return ()
        if resource is PODS:
            namespace = new["metadata"]["namespace"]
            (found,) = (
                item.value
                for item in self._revisions(NAMESPACES, "")
                if item.value["metadata"]["name"] == namespace
            )
            pod_security.enforce(found, resource, new)
            why = limit_ranges.problem(self._values(LIMIT_RANGES, new), new)
            if why:
                raise errors.forbidden(resource, new["metadata"]["name"], why)
        return self.admit_change(resource, new, None)

    def admit_change(
        self, resource: Resource, new: JsonObject, old: JsonObject | None
    ) -> tuple[JsonObject, ...]:
        """The quotas that an object changes, with it in them. Raises ApiError 403."""
        charged = []
        for quota in self._values(RESOURCE_QUOTAS, new):
            try:
                used = quotas.charge(quota, resource, new, old)
            except quotas.Refused as refused:
                raise errors.forbidden(resource, new["metadata"]["name"], str(refused)) from None
            if used is not None:
                charged.append({**quota, "status": {**quota["status"], "used": used}})
        return tuple(charged)

    def _values(self, resource: Resource, value: JsonObject) -> list[JsonObject]:
        """The objects of a value's namespace; shared, not to be changed."""
        place = value["metadata"]["namespace"]
        return [revision.value for revision in self._revisions(resource, place)]
