"""ResourceQuotas: what a namespace uses, in their status.

Admission adds what it lets in; this loop takes away what has ended, and fills in new quotas.
"""

from collections.abc import Sequence

from pytest_aksnet.lab.api import quotas
from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.journal import DELETED, Change
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import RESOURCE_QUOTAS, RESOURCES
from pytest_aksnet.lab.controllers.loop import ControlLoop


class ResourceQuotaController(ControlLoop):
    """Keeps status.hard and status.used of all quotas."""

    watched = tuple(
        item
        for item in RESOURCES
        if item.namespaced and "list" in item.verbs and not item.stored_as
    )

    def handle(self, changes: Sequence[Change]) -> None:
        """Count again in the namespaces with quotas where something happened."""
        limited = {
            revision.value["metadata"]["namespace"]
            for revision in self.store.revisions(RESOURCE_QUOTAS)
        }
        if not limited:
            return
        touched = {change.value["metadata"]["namespace"] for change in changes if _matters(change)}
        for namespace in limited & touched:
            self._count(namespace)

    def _count(self, namespace: str) -> None:
        objects = [
            (resource, revision.value)
            for resource in self.watched
            for revision in self.store.revisions(resource, namespace)
        ]
        for revision in self.store.revisions(RESOURCE_QUOTAS, namespace):
            quota = revision.value
            hard = quota["spec"].get("hard") or {}
            status = {"hard": hard, "used": quotas.used(quota, objects)}
            if quota.get("status") != status:
                self._write(quota, status)

    def _write(self, quota: JsonObject, status: JsonObject) -> None:
        value = {**quota, "status": status}
        try:
            self.store.update(
                RESOURCE_QUOTAS, value, quota["metadata"]["namespace"], subresource="status"
            )
        except ApiError as error:
            if error.code not in (404, 409):
                raise


def _matters(change: Change) -> bool:
    """Whether a change can change what is used; the status of a quota is this loop's own."""
    return (
        change.resource is not RESOURCE_QUOTAS
        or change.kind == DELETED
        or change.value["spec"].get("hard") != (change.value.get("status") or {}).get("hard")
    )
