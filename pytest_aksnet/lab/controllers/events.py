"""Writes Event objects for people (`kubectl describe`), counting what repeats.

Never an input of a control loop. Texts and fields as in recordings of a real cluster.
"""

import dataclasses
import secrets

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.api.resources import EVENTS
from pytest_aksnet.lab.api.store import Store

NORMAL = "Normal"
WARNING = "Warning"


@dataclasses.dataclass(frozen=True, slots=True)
class _Repeat:
    uid: str
    kind: str
    reason: str
    message: str
    field_path: str


class EventRecorder:
    """Events of one component. `host` is the node of a kubelet, else empty.

    Nothing is written while it is not `heard`.
    """

    def __init__(self, store: Store, component: str, host: str = "") -> None:
        self._store = store
        self._component = component
        self._host = host
        self._known: dict[_Repeat, str] = {}
        self.heard = True

    def record(
        self, subject: JsonObject, kind: str, reason: str, message: str, *, field_path: str = ""
    ) -> None:
        """Record an event of an object; the same one again raises its count."""
        if not self.heard:
            return
        metadata = subject["metadata"]
        namespace = metadata.get("namespace", "default")
        repeat = _Repeat(metadata["uid"], kind, reason, message, field_path)
        known = self._known.get(repeat)
        if known is not None and self._count(known, namespace):
            return
        now = timestamp()
        involved: JsonObject = {
            "kind": subject["kind"],
            "namespace": metadata.get("namespace", ""),
            "name": metadata["name"],
            "uid": metadata["uid"],
            "apiVersion": subject["apiVersion"],
            "resourceVersion": metadata.get("resourceVersion", ""),
        }
        if field_path:
            involved["fieldPath"] = field_path
        source = {"component": self._component}
        if self._host:
            source["host"] = self._host
        event = {
            "metadata": {"name": f"{metadata['name']}.{secrets.token_hex(8)}"},
            "involvedObject": {key: value for key, value in involved.items() if value},
            "reason": reason,
            "message": message,
            "source": source,
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "type": kind,
            "reportingComponent": self._component,
            "reportingInstance": self._host,
        }
        try:
            created = self._store.create(EVENTS, event, namespace)
        except ApiError:
            return  # the namespace is going away: a real recorder drops the event too
        self._known[repeat] = created["metadata"]["name"]

    def _count(self, name: str, namespace: str) -> bool:
        event = self._store.find(EVENTS, name, namespace)
        if event is None:
            return False
        event["count"] = event.get("count", 1) + 1
        event["lastTimestamp"] = timestamp()
        self._store.update(EVENTS, event, namespace)
        return True

    def forget(self, uid: str) -> None:
        """Drop what is remembered of an object that is gone."""
        for repeat in [item for item in self._known if item.uid == uid]:
            del self._known[repeat]
