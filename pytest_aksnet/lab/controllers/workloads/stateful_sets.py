"""StatefulSets: pods with numbers and host names, made one after the other."""

from pytest_aksnet.lab.api.objects import JsonObject, clone
from pytest_aksnet.lab.api.resources import PODS, STATEFUL_SETS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.endpoints import is_ready
from pytest_aksnet.lab.controllers.workloads import pods
from pytest_aksnet.lab.controllers.workloads.loop import WorkloadLoop

_HASH_LABEL = "controller-revision-hash"
_INDEX_LABEL = "apps.kubernetes.io/pod-index"
_NAME_LABEL = "statefulset.kubernetes.io/pod-name"


class StatefulSetController(WorkloadLoop):
    """Creates and deletes pods of StatefulSets. Volume claims are not offered by the lab."""

    kind = STATEFUL_SETS
    watched = (STATEFUL_SETS, PODS)

    def __init__(self, store: Store) -> None:
        super().__init__(store, "statefulset-controller")

    def reconcile(self, value: JsonObject) -> None:
        """Create the next pod when those before it are ready; delete from the last one down."""
        name = value["metadata"]["name"]
        wanted = value["spec"]["replicas"]
        digest = f"{name}-{pods.template_hash(value['spec']['template'])}"
        present = {pod["metadata"]["name"]: pod for pod in pods.owned_pods(self.store, value)}
        try:
            self._remove_surplus(value, present, wanted, digest)
            parallel = value["spec"].get("podManagementPolicy") == "Parallel"
            for index in range(wanted):
                pod = present.get(f"{name}-{index}")
                if pod is None:
                    self._create(value, index, digest)
                if not parallel and (pod is None or not is_ready(pod)):
                    break
        finally:
            self._report(value, digest)

    def _remove_surplus(
        self, value: JsonObject, present: dict[str, JsonObject], wanted: int, digest: str
    ) -> None:
        for pod in present.values():
            index = int(pod["metadata"]["name"].rpartition("-")[2])
            outdated = pod["metadata"]["labels"].get(_HASH_LABEL) != digest
            if index >= wanted or outdated:
                pods.delete_pod(self.store, self.events, value, pod)

    def _create(self, value: JsonObject, index: int, digest: str) -> None:
        name = f"{value['metadata']['name']}-{index}"
        if self.store.find(PODS, name, value["metadata"]["namespace"]) is not None:
            return  # the one before it is still going
        spec = clone(value["spec"]["template"]["spec"])
        spec["hostname"] = name
        if value["spec"].get("serviceName"):
            spec["subdomain"] = value["spec"]["serviceName"]
        labels = {_HASH_LABEL: digest, _INDEX_LABEL: str(index), _NAME_LABEL: name}
        pods.create_pod(self.store, self.events, value, labels=labels, spec=spec, name=name)

    def _report(self, value: JsonObject, digest: str) -> None:
        present = pods.owned_pods(self.store, value)
        ready = sum(is_ready(pod) for pod in present)
        status: JsonObject = {
            "observedGeneration": value["metadata"].get("generation", 1),
            "replicas": len(present),
            "availableReplicas": ready,
            "currentRevision": digest,
            "updateRevision": digest,
            "collisionCount": 0,
        }
        if ready:
            status["readyReplicas"] = ready
        if present:
            status |= {"currentReplicas": len(present), "updatedReplicas": len(present)}
        self.write_status(value, status)
