"""The loop that all workload controllers are: reconcile what changed, or whose pods changed."""

import contextlib
from collections.abc import Sequence

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.journal import DELETED, Change
from pytest_aksnet.lab.api.objects import JsonObject, controller_uid
from pytest_aksnet.lab.api.resources import Resource
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.events import EventRecorder
from pytest_aksnet.lab.controllers.loop import ControlLoop

_EXPECTED = (403, 404, 409, 422)  # refused, gone, lost a race, or not possible: an event says so


class WorkloadLoop(ControlLoop):
    """Reconciles objects of `kind`; `watched` also names what they own."""

    kind: Resource

    def __init__(self, store: Store, component: str) -> None:
        super().__init__(store)
        self.events = EventRecorder(store, component)
        self._objects: dict[str, JsonObject] = {}

    def handle(self, changes: Sequence[Change]) -> None:
        """Reconcile each object that is concerned, once."""
        concerned: dict[str, None] = {}
        for change in changes:
            uid = change.value["metadata"]["uid"]
            if change.resource is not self.kind:
                concerned.update(self._concerned(change))
            elif change.kind == DELETED:
                self._objects.pop(uid, None)
            else:
                self._objects[uid] = change.value
                concerned[uid] = None
        for uid in concerned:
            if uid not in self._objects:
                continue
            metadata = self._objects[uid]["metadata"]
            with contextlib.suppress(ApiError):
                self._objects[uid] = self.store.get(
                    self.kind, metadata["name"], metadata["namespace"]
                )
            try:
                if "deletionTimestamp" not in self._objects[uid]["metadata"]:
                    self.reconcile(self._objects[uid])
            except ApiError as error:
                if error.code not in _EXPECTED:
                    raise

    def _concerned(self, change: Change) -> dict[str, None]:
        owner = controller_uid(change.value)
        return {owner: None} if owner else {}

    def everything(self) -> dict[str, None]:
        """The uids of all objects of the kind."""
        return dict.fromkeys(self._objects)

    def reconcile(self, value: JsonObject) -> None:
        """Make what is match what `value` wants, and report."""
        raise NotImplementedError

    def write_status(self, value: JsonObject, status: JsonObject) -> None:
        """Write the status where it differs."""
        if (value.get("status") or {}) == status:
            return
        metadata = value["metadata"]

        def change(current: JsonObject) -> None:
            current["status"] = status

        self.store.mutate(
            self.kind,
            metadata["name"],
            metadata["namespace"],
            change=change,
            subresource="status",
        )
