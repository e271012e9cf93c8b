"""The scheduler: binds waiting pods to nodes they fit, and says why where none fits.

A pod is tried again when something changed that may help it. Preemption is not offered: nobody is
ended for a pod of higher priority.
"""

from collections import Counter
from collections.abc import Sequence

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.journal import DELETED, Change
from pytest_aksnet.lab.api.objects import JsonObject, controller_uid, timestamp
from pytest_aksnet.lab.api.resources import NAMESPACES, NODES, PODS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers import fit
from pytest_aksnet.lab.controllers.events import NORMAL, WARNING, EventRecorder
from pytest_aksnet.lab.controllers.fit import Refusal
from pytest_aksnet.lab.controllers.loop import ControlLoop
from pytest_aksnet.lab.controllers.node_room import NodeRoom
from pytest_aksnet.lab.controllers.topology import Cluster, Neighbours

_NAME = "default-scheduler"
_ENDED = ("Succeeded", "Failed")


class Scheduler(ControlLoop):
    """The default scheduler of the lab."""

    watched = (NODES, NAMESPACES, PODS)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._events = EventRecorder(store, _NAME)
        self._rooms: dict[str, NodeRoom] = {}
        self._homes: dict[str, str] = {}
        self._homeless: dict[str, JsonObject] = {}
        self._namespaces: dict[str, dict[str, str]] = {}
        self._waiting: dict[str, JsonObject] = {}

    def handle(self, changes: Sequence[Change]) -> None:
        """Take in the changes, then place what waits where something may have become possible."""
        fresh: set[str] = set()
        room_changed = False
        for change in changes:
            metadata = change.value["metadata"]
            if change.resource is NODES:
                room_changed |= self._take_node(change)
            elif change.resource is NAMESPACES:
                self._namespaces[metadata["name"]] = metadata.get("labels") or {}
            elif self._take_pod(change):
                fresh.add(metadata["uid"])
            else:
                room_changed |= change.kind == DELETED or _has_ended(change.value)
        self._place_all(fresh, room_changed=room_changed)

    def _take_node(self, change: Change) -> bool:
        """Note a node; True where more may fit there than before."""
        name = change.value["metadata"]["name"]
        if change.kind == DELETED:
            self._rooms.pop(name, None)
            return True
        room = self._rooms.get(name)
        if room is None:
            here = [pod for uid, pod in self._homeless.items() if self._homes.get(uid) == name]
            self._rooms[name] = NodeRoom(change.value, here)
            return True
        before = room.node
        room.show(change.value)
        return _offer(before) != _offer(change.value)

    def _take_pod(self, change: Change) -> bool:
        """Note where a pod is; True where it is one to place."""
        pod = change.value
        uid = pod["metadata"]["uid"]
        node = pod["spec"].get("nodeName")
        gone = change.kind == DELETED or _has_ended(pod)
        known = self._homes.pop(uid, None)
        self._homeless.pop(uid, None)
        if known in self._rooms and (gone or known != node):
            self._rooms[known].remove(uid)
        if node and not gone:
            self._homes[uid] = node
            if node in self._rooms:
                self._rooms[node].add(pod)
            else:
                self._homeless[uid] = pod
        mine = pod["spec"].get("schedulerName", _NAME) == _NAME
        if gone or node or not mine or "deletionTimestamp" in pod["metadata"]:
            self._waiting.pop(uid, None)
            if change.kind == DELETED:
                self._events.forget(uid)
            return False
        fresh = uid not in self._waiting
        self._waiting[uid] = pod
        return fresh

    def _place_all(self, fresh: set[str], *, room_changed: bool) -> None:
        """Place what came and what may fit now, the most important first."""
        placed = False
        by_priority = sorted(
            self._waiting.items(), key=lambda item: -int(item[1]["spec"].get("priority") or 0)
        )
        for uid, pod in by_priority:
            if room_changed or uid in fresh or (placed and _looks_at_others(pod)):
                placed |= self._place(pod)

    def _place(self, pod: JsonObject) -> bool:
        metadata = pod["metadata"]
        cluster = Cluster(rooms=tuple(self._rooms.values()), namespaces=self._namespaces)
        neighbours = Neighbours(pod, cluster)
        owner = controller_uid(pod)
        refusals: list[list[Refusal]] = []
        candidates = []
        for name, room in self._rooms.items():
            found = fit.why_not(pod, room)
            if not found and (refusal := neighbours.why_not(room)) is not None:
                found = [refusal]
            if found:
                refusals.append(found)
                continue
            liking = neighbours.score(room) + fit.preferred_nodes(pod["spec"], room.node)
            alike = room.by_controller[owner] if owner else 0
            disliked = fit.disliked(pod["spec"], room.node)
            candidates.append((disliked, -liking, alike, len(room.pods), name))
        if not candidates:
            self._report(pod, refusals)
            return False
        chosen = min(candidates)[-1]
        try:
            bound = self.store.bind(metadata["name"], metadata["namespace"], chosen)
        except ApiError:
            return False  # it is gone or bound: the change that says so is on its way
        del self._waiting[metadata["uid"]]
        self._homes[metadata["uid"]] = chosen
        self._rooms[chosen].add(bound)
        place = f"{metadata['namespace']}/{metadata['name']}"
        self._events.record(pod, NORMAL, "Scheduled", f"Successfully assigned {place} to {chosen}")
        return True

    def _report(self, pod: JsonObject, refusals: Sequence[Sequence[Refusal]]) -> None:
        message = _explanation(len(self._rooms), refusals)
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


def _explanation(total: int, refusals: Sequence[Sequence[Refusal]]) -> str:
    """The scheduler's words for a pod that no node takes."""
    if not total:
        return "no nodes available to schedule pods"
    reasons = Counter(refusal.text for found in refusals for refusal in found)
    listed = ", ".join(sorted(f"{count} {text}" for text, count in reasons.items()))
    head = f"0/{total} nodes are available"
    helpless = sum(any(refusal.helpless for refusal in found) for found in refusals)
    victims = []
    if total > helpless:
        victims.append(f"{total - helpless} No preemption victims found for incoming pod")
    if helpless:
        victims.append(f"{helpless} Preemption is not helpful for scheduling")
    return (
        f"{head}: {listed}. no new claims to deallocate, preemption: {head}: {', '.join(victims)}."
    )


def _offer(node: JsonObject) -> tuple[object, ...]:
    """What of a node decides which pods fit."""
    spec, status = node.get("spec") or {}, node.get("status") or {}
    labels = node["metadata"].get("labels")
    return labels, spec.get("taints"), spec.get("unschedulable"), status.get("allocatable")


def _looks_at_others(pod: JsonObject) -> bool:
    spec = pod["spec"]
    affinity = spec.get("affinity") or {}
    return "podAffinity" in affinity or "topologySpreadConstraints" in spec


def _has_ended(pod: JsonObject) -> bool:
    return (pod.get("status") or {}).get("phase") in _ENDED
