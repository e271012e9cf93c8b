"""StatefulSets: pods with numbers and host names, made and replaced one after the other.

Source: Kubernetes docs, "StatefulSets" (ordering, update strategies, partitions). Volume claims
are not offered by the lab.
"""

import math

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import PODS, STATEFUL_SETS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.endpoints import is_ready
from pytest_aksnet.lab.controllers.workloads import pods
from pytest_aksnet.lab.controllers.workloads.loop import WorkloadLoop
from pytest_aksnet.lab.controllers.workloads.revisions import (
    HASH_LABEL,
    History,
    history,
    template_of,
)

_INDEX_LABEL = "apps.kubernetes.io/pod-index"
_NAME_LABEL = "statefulset.kubernetes.io/pod-name"


class StatefulSetController(WorkloadLoop):
    """Creates, replaces and deletes pods of StatefulSets."""

    kind = STATEFUL_SETS
    watched = (STATEFUL_SETS, PODS)

    def __init__(self, store: Store) -> None:
        super().__init__(store, "statefulset-controller")

    def reconcile(self, value: JsonObject) -> None:
        """Make what is missing in order, then shrink from the last one, then replace old ones."""
        versions = history(self.store, value)
        update = versions.newest["metadata"]["name"]
        current = (value.get("status") or {}).get("currentRevision") or update
        if versions.named(current) is None:
            current = update
        try:
            self._step(value, versions, current, update)
        finally:
            self._report(value, current, update)
        used = {pod["metadata"]["labels"].get(HASH_LABEL, "") for pod in self._present(value)}
        versions.forget({*used, current})

    def _present(self, value: JsonObject) -> list[JsonObject]:
        return pods.all_pods(self.store, value)

    def _step(self, value: JsonObject, versions: History, current: str, update: str) -> None:
        spec = value["spec"]
        parallel = spec.get("podManagementPolicy") == "Parallel"
        first = (spec.get("ordinals") or {}).get("start", 0)
        wanted = range(first, first + spec["replicas"])
        present = {_index(pod): pod for pod in self._present(value)}
        for index in wanted:
            pod = present.get(index)
            if pod is not None and pods.is_over(pod) and not pods.is_going(pod):
                self._delete(value, pod)
            elif pod is None:
                revision = self._revision_for(value, index, versions, current, update)
                self._create(value, index, revision)
            if not parallel and not self._is_settled(value, pod):
                return
        surplus = [pod for index, pod in sorted(present.items()) if index not in wanted]
        for pod in reversed(surplus):
            if not pods.is_going(pod):
                if not parallel and not all(
                    self._is_settled(value, other)
                    for index, other in present.items()
                    if index in wanted
                ):
                    return
                self._delete(value, pod)
            if not parallel:
                return
        if surplus:
            return
        self._roll(value, present, wanted, update)

    def _roll(
        self, value: JsonObject, present: dict[int, JsonObject], wanted: range, update: str
    ) -> None:
        """Replace pods of older revisions, from the last one down to the partition, in turn."""
        if value["spec"]["updateStrategy"]["type"] != "RollingUpdate":
            return
        for index in reversed(wanted[_partition(value) :]):
            pod = present.get(index)
            if pod is None or pods.is_going(pod):
                return
            if pod["metadata"]["labels"].get(HASH_LABEL) != update:
                self._delete(value, pod)
                return
            if not self._is_settled(value, pod):
                return

    def _is_settled(self, value: JsonObject, pod: JsonObject | None) -> bool:
        if pod is None or pods.is_going(pod):
            return False
        return pods.seconds_to_available(pod, value["spec"].get("minReadySeconds", 0)) <= 0

    def _revision_for(
        self, value: JsonObject, index: int, versions: History, current: str, update: str
    ) -> JsonObject:
        """Below the partition, and for OnDelete's unaltered pods, the revision of before."""
        first = (value["spec"].get("ordinals") or {}).get("start", 0)
        before = versions.named(current)
        rolling = value["spec"]["updateStrategy"]["type"] == "RollingUpdate"
        if rolling and before is not None and index - first < _partition(value):
            return before
        return versions.newest

    def _create(self, value: JsonObject, index: int, revision: JsonObject) -> None:
        name = f"{value['metadata']['name']}-{index}"
        if self.store.find(PODS, name, value["metadata"]["namespace"]) is not None:
            return  # the one before it is still going
        template = template_of(revision)
        spec = template["spec"]
        spec["hostname"] = name
        if value["spec"].get("serviceName"):
            spec["subdomain"] = value["spec"]["serviceName"]
        labels = {
            HASH_LABEL: revision["metadata"]["name"],
            _INDEX_LABEL: str(index),
            _NAME_LABEL: name,
        }
        text = f"create Pod {name} in StatefulSet {value['metadata']['name']} successful"
        pods.create_pod(
            self.store,
            self.events,
            value,
            labels=labels,
            spec=spec,
            name=name,
            template=template,
            verb=text,
        )

    def _delete(self, value: JsonObject, pod: JsonObject) -> None:
        names = f"Pod {pod['metadata']['name']} in StatefulSet {value['metadata']['name']}"
        pods.delete_pod(self.store, self.events, value, pod, f"delete {names} successful")

    def _report(self, value: JsonObject, current: str, update: str) -> None:
        present = [pod for pod in self._present(value) if not pods.is_over(pod)]
        least_ready = value["spec"].get("minReadySeconds", 0)
        waits = [pods.seconds_to_available(pod, least_ready) for pod in present]
        available = sum(wait <= 0 for wait in waits)
        ready = sum(map(is_ready, present))
        of_update = sum(_has(pod, update) for pod in present)
        of_current = sum(_has(pod, current) for pod in present)
        wanted = value["spec"]["replicas"]
        if of_update == wanted == len(present) and ready == wanted and not _partition(value):
            current, of_current = update, of_update
        status: JsonObject = {
            "observedGeneration": value["metadata"].get("generation", 1),
            "replicas": len(present),
            "availableReplicas": available,
            "currentRevision": current,
            "updateRevision": update,
            "collisionCount": 0,
        }
        if ready:
            status["readyReplicas"] = ready
        if of_current:
            status["currentReplicas"] = of_current
        if of_update:
            status["updatedReplicas"] = of_update
        self.write_status(value, status)
        later = [wait for wait in waits if 0 < wait < math.inf]
        if later:
            self.look_again(value, STATEFUL_SETS, min(later))


def _index(pod: JsonObject) -> int:
    return int(pod["metadata"]["name"].rpartition("-")[2])


def _has(pod: JsonObject, revision: str) -> bool:
    return not pods.is_going(pod) and pod["metadata"]["labels"].get(HASH_LABEL) == revision


def _partition(value: JsonObject) -> int:
    settings = value["spec"]["updateStrategy"].get("rollingUpdate") or {}
    return int(settings.get("partition", 0))
