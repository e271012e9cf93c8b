"""ReplicaSets: as many pods as wanted.

Source: k8s.io/kubernetes pkg/controller/replicaset; the order of deletion as
controller.ActivePodsWithRanks.
"""

import math

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.journal import DELETED, Change
from pytest_aksnet.lab.api.objects import JsonObject, clone, timestamp
from pytest_aksnet.lab.api.resources import PODS, REPLICA_SETS
from pytest_aksnet.lab.api.selectors import matches_label_selector
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.endpoints import is_ready
from pytest_aksnet.lab.controllers.workloads import pods
from pytest_aksnet.lab.controllers.workloads.loop import WorkloadLoop

_PHASES = {"Pending": 0, "Unknown": 1, "Running": 2}
_BURST = 50  # pods made in one go: their own changes bring the controller back for the rest
_RETRY_SECONDS = 1.0
_DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"


class ReplicaSetController(WorkloadLoop):
    """Creates, adopts and deletes pods of ReplicaSets."""

    kind = REPLICA_SETS
    watched = (REPLICA_SETS, PODS)

    def __init__(self, store: Store) -> None:
        super().__init__(store, "replicaset-controller")

    def _concerned(self, change: Change) -> dict[str, None]:
        owned = super()._concerned(change)
        if owned or change.kind == DELETED:
            return owned
        labels = change.value["metadata"].get("labels") or {}
        return {
            uid: None
            for uid, value in self._objects.items()
            if value["metadata"]["namespace"] == change.value["metadata"]["namespace"]
            and matches_label_selector(value["spec"]["selector"], labels)
        }

    def reconcile(self, value: JsonObject) -> None:
        """Create what is missing, delete what is too much."""
        pods.adopt(self.store, value, PODS)
        wanted = value["spec"]["replicas"]
        present = self._kept(value)
        refusal: ApiError | None = None
        try:
            for _ in range(min(_BURST, wanted - len(present))):
                spec = clone(value["spec"]["template"]["spec"])
                pods.create_pod(self.store, self.events, value, labels={}, spec=spec)
        except ApiError as error:
            refusal = error
        surplus = len(present) - wanted
        for pod in _first_to_go(present)[:surplus] if surplus > 0 else ():
            pods.delete_pod(self.store, self.events, value, pod)
        if len(present) != wanted:
            present = pods.owned_pods(self.store, value)
        self._report(value, present, refusal)
        if refusal is not None and refusal.code == 403:
            self.look_again(value, REPLICA_SETS, _RETRY_SECONDS)

    def _kept(self, value: JsonObject) -> list[JsonObject]:
        """Its pods, after giving up those that the selector does not match any more."""
        kept = []
        for pod in pods.owned_pods(self.store, value):
            labels = pod["metadata"].get("labels") or {}
            if matches_label_selector(value["spec"]["selector"], labels):
                kept.append(pod)
                continue
            released = clone(pod)
            released["metadata"]["ownerReferences"] = [
                owner
                for owner in released["metadata"]["ownerReferences"]
                if owner["uid"] != value["metadata"]["uid"]
            ]
            self.store.update(PODS, released, value["metadata"]["namespace"])
        return kept

    def _report(
        self, value: JsonObject, present: list[JsonObject], refusal: ApiError | None
    ) -> None:
        min_ready = value["spec"].get("minReadySeconds", 0)
        waits = [pods.seconds_to_available(pod, min_ready) for pod in present]
        ready = sum(wait < math.inf for wait in waits)
        available = sum(wait <= 0 for wait in waits)
        status: JsonObject = {"replicas": len(present)}
        if present:
            status["fullyLabeledReplicas"] = len(present)
        if ready:
            status["readyReplicas"] = ready
        if available:
            status["availableReplicas"] = available
        status["observedGeneration"] = value["metadata"].get("generation", 1)
        if refusal is not None:
            status["conditions"] = [_failure(value, refusal)]
        self.write_status(value, status)
        later = [wait for wait in waits if 0 < wait < math.inf]
        if later:
            self.look_again(value, REPLICA_SETS, min(later))


def _failure(value: JsonObject, refusal: ApiError) -> JsonObject:
    for condition in (value.get("status") or {}).get("conditions") or []:
        if condition["type"] == "ReplicaFailure" and condition["message"] == str(refusal):
            return dict(condition)
    return {
        "type": "ReplicaFailure",
        "status": "True",
        "lastTransitionTime": timestamp(),
        "reason": "FailedCreate",
        "message": str(refusal),
    }


def _first_to_go(present: list[JsonObject]) -> list[JsonObject]:
    """Pods in the order in which a smaller ReplicaSet does without them."""
    neighbours: dict[str, int] = {}
    for pod in present:
        node = pod["spec"].get("nodeName", "")
        neighbours[node] = neighbours.get(node, 0) + 1

    def rank(pod: JsonObject) -> tuple[object, ...]:
        metadata, status = pod["metadata"], pod.get("status") or {}
        node = pod["spec"].get("nodeName", "")
        restarts = sum(item["restartCount"] for item in status.get("containerStatuses") or [])
        born = metadata["creationTimestamp"]
        return (
            bool(node),
            _PHASES.get(status.get("phase", "Pending"), 0),
            is_ready(pod),
            int((metadata.get("annotations") or {}).get(_DELETION_COST, 0)),
            -neighbours[node],
            -restarts,
            -pods.moment(born),
            metadata["name"],
        )

    return sorted(present, key=rank)
