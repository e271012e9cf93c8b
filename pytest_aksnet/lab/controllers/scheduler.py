"""kube-scheduler: gives every pod without a node the fitting node that has the fewest pods.

The filters are `fit`'s. A pod that fits nowhere waits, with an event and a condition that say why,
until nodes or pods change.
"""

from collections import Counter
from collections.abc import Sequence

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.journal import DELETED, Change
from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.api.resources import NODES, PODS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers import fit
from pytest_aksnet.lab.controllers.events import NORMAL, WARNING, EventRecorder
from pytest_aksnet.lab.controllers.loop import ControlLoop

_NAME = "default-scheduler"
_ENDED = ("Succeeded", "Failed")


class Scheduler(ControlLoop):
    """The default scheduler of the lab."""

    watched = (NODES, PODS)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._events = EventRecorder(store, _NAME)
        self._nodes: dict[str, JsonObject] = {}
        self._placed: dict[str, dict[str, JsonObject]] = {}
        self._waiting: dict[str, JsonObject] = {}

    def handle(self, changes: Sequence[Change]) -> None:
        """Take in the changes, then place what waits where something may have become possible."""
        fresh: set[str] = set()
        room_changed = False
        for change in changes:
            metadata = change.value["metadata"]
            if change.resource is NODES:
                room_changed = True
                if change.kind == DELETED:
                    self._nodes.pop(metadata["name"], None)
                else:
                    self._nodes[metadata["name"]] = change.value
            elif self._take_in(change):
                fresh.add(metadata["uid"])
            else:
                room_changed |= change.kind == DELETED or _has_ended(change.value)
        for uid, pod in list(self._waiting.items()):
            if room_changed or uid in fresh:
                self._place(pod)

    def _take_in(self, change: Change) -> bool:
        """Note where a pod is; True where it is one to place."""
        pod = change.value
        uid = pod["metadata"]["uid"]
        node = pod["spec"].get("nodeName")
        gone = change.kind == DELETED or _has_ended(pod)
        for pods in self._placed.values():
            pods.pop(uid, None)
        if node and not gone:
            self._placed.setdefault(node, {})[uid] = pod
        mine = pod["spec"].get("schedulerName", _NAME) == _NAME
        if gone or node or not mine or "deletionTimestamp" in pod["metadata"]:
            self._waiting.pop(uid, None)
            if change.kind == DELETED:
                self._events.forget(uid)
            return False
        fresh = uid not in self._waiting
        self._waiting[uid] = pod
        return fresh

    def _place(self, pod: JsonObject) -> None:
        metadata = pod["metadata"]
        elsewhere = [
            (other, self._nodes[name])
            for name, pods in self._placed.items()
            if name in self._nodes
            for other in pods.values()
        ]
        reasons: Counter[str] = Counter()
        candidates = []
        for name, node in self._nodes.items():
            here = self._placed.get(name, {})
            refusals = fit.why_not(pod, node, here.values())
            if not refusals and fit.repelled(pod, node, elsewhere):
                refusals = ["node(s) didn't match pod anti-affinity rules"]
            reasons.update(refusals)
            if not refusals:
                candidates.append((len(here), name))
        if not candidates:
            self._report(pod, reasons)
            return
        _, chosen = min(candidates)
        try:
            bound = self.store.bind(metadata["name"], metadata["namespace"], chosen)
        except ApiError:
            return  # it is gone or bound: the change that says so is on its way
        del self._waiting[metadata["uid"]]
        self._placed.setdefault(chosen, {})[metadata["uid"]] = bound
        place = f"{metadata['namespace']}/{metadata['name']}"
        self._events.record(pod, NORMAL, "Scheduled", f"Successfully assigned {place} to {chosen}")

    def _report(self, pod: JsonObject, reasons: Counter[str]) -> None:
        total = len(self._nodes)
        listed = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
        head = f"0/{total} nodes are available"
        message = (
            f"{head}: {listed}. no new claims to deallocate, preemption: {head}: "
            f"{total} Preemption is not helpful for scheduling."
            if total
            else "no nodes available to schedule pods"
        )
        conditions = (pod.get("status") or {}).get("conditions") or []
        if any(item.get("message") == message for item in conditions):
            return

        def mark(value: JsonObject) -> None:
            kept = [
                item
                for item in value["status"].get("conditions") or []
                if item["type"] != "PodScheduled"
            ]
            kept.append(
                {
                    "type": "PodScheduled",
                    "observedGeneration": value["metadata"].get("generation", 1),
                    "status": "False",
                    "lastProbeTime": None,
                    "lastTransitionTime": timestamp(),
                    "reason": "Unschedulable",
                    "message": message,
                }
            )
            value["status"]["conditions"] = kept

        metadata = pod["metadata"]
        try:
            marked = self.store.mutate(
                PODS, metadata["name"], metadata["namespace"], change=mark, subresource="status"
            )
        except ApiError:
            return
        self._waiting[metadata["uid"]] = marked
        self._events.record(pod, WARNING, "FailedScheduling", message)


def _has_ended(pod: JsonObject) -> bool:
    return (pod.get("status") or {}).get("phase") in _ENDED
