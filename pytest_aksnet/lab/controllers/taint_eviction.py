"""Deletes pods from nodes with NoExecute taints, at once or when their tolerations end.

Source: Kubernetes docs, "Taints and Tolerations"; k8s.io/kubernetes pkg/controller/tainteviction
(texts).
"""

import asyncio
from collections.abc import Sequence

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.journal import DELETED, Change
from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.api.resources import NODES, PODS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers import fit
from pytest_aksnet.lab.controllers.events import NORMAL, EventRecorder
from pytest_aksnet.lab.controllers.loop import ControlLoop


class TaintEviction(ControlLoop):
    """Follows the taints of nodes and the tolerations of pods."""

    watched = (NODES, PODS)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._events = EventRecorder(store, "taint-eviction-controller")
        self._taints: dict[str, list[JsonObject]] = {}
        self._pods: dict[str, dict[str, JsonObject]] = {}
        self._since: dict[str, float] = {}

    def handle(self, changes: Sequence[Change]) -> None:
        """Judge the pods of the nodes whose taints changed, and the pods that changed."""
        concerned: dict[str, JsonObject] = {}
        for change in changes:
            metadata = change.value["metadata"]
            if change.resource is NODES:
                concerned |= self._take_node(metadata["name"], change)
                continue
            node = change.value["spec"].get("nodeName")
            if not node:
                continue
            here = self._pods.setdefault(node, {})
            if change.kind == DELETED or "deletionTimestamp" in metadata:
                here.pop(metadata["uid"], None)
                concerned.pop(metadata["uid"], None)
                self._since.pop(metadata["uid"], None)
            else:
                here[metadata["uid"]] = change.value
                if self._taints.get(node):
                    concerned[metadata["uid"]] = change.value
        for uid, pod in concerned.items():
            self._judge(uid, pod)

    def _take_node(self, name: str, change: Change) -> dict[str, JsonObject]:
        taints = [
            taint
            for taint in (change.value.get("spec") or {}).get("taints") or []
            if taint.get("effect") == "NoExecute" and change.kind != DELETED
        ]
        if taints == self._taints.get(name, []):
            return {}
        self._taints[name] = taints
        return self._pods.get(name, {})

    def _judge(self, uid: str, pod: JsonObject) -> None:
        taints = self._taints.get(pod["spec"]["nodeName"], [])
        if not taints:
            if self._since.pop(uid, None) is not None:
                place = f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"
                text = f"Cancelling deletion of Pod {place}"
                self._events.record(pod, NORMAL, "TaintManagerEviction", text)
            return
        patience = _patience(pod["spec"], taints)
        if patience is None:
            self._since.pop(uid, None)
            return
        now = asyncio.get_running_loop().time()
        left = self._since.setdefault(uid, now) + patience - now
        if left > 0:
            self.look_again(pod, PODS, left)
            return
        self._evict(pod)

    def _evict(self, pod: JsonObject) -> None:
        metadata = pod["metadata"]
        text = f"Marking for deletion Pod {metadata['namespace']}/{metadata['name']}"
        self._events.record(pod, NORMAL, "TaintManagerEviction", text)
        place = (metadata["name"], metadata["namespace"])
        try:
            self.store.mutate(PODS, *place, change=_announce, subresource="status")
            self.store.delete(PODS, *place, uid=metadata["uid"])
        except ApiError as error:
            if error.code not in (404, 409):
                raise


def _announce(pod: JsonObject) -> None:
    conditions = pod["status"].setdefault("conditions", [])
    conditions[:] = [item for item in conditions if item["type"] != "DisruptionTarget"]
    conditions.append(
        {
            "type": "DisruptionTarget",
            "status": "True",
            "lastProbeTime": None,
            "lastTransitionTime": timestamp(),
            "reason": "DeletionByTaintManager",
            "message": "Taint manager: deleting due to NoExecute taint",
        }
    )


def _patience(spec: JsonObject, taints: Sequence[JsonObject]) -> float | None:
    """For how many seconds a pod may stay; None for ever."""
    shortest: float | None = None
    for taint in taints:
        matching = [
            item
            for item in spec.get("tolerations") or []
            if fit.tolerates({"tolerations": [item]}, taint)
        ]
        if not matching:
            return 0.0
        limits = [item.get("tolerationSeconds") for item in matching]
        for limit in limits:
            if limit is not None:
                shortest = max(0.0, float(limit)) if shortest is None else min(shortest, limit)
    return shortest
