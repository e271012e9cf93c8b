"""ReplicaSets: as many pods as wanted."""

from pytest_aksnet.lab.api.objects import JsonObject, clone
from pytest_aksnet.lab.api.resources import PODS, REPLICA_SETS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.endpoints import is_ready
from pytest_aksnet.lab.controllers.workloads import pods
from pytest_aksnet.lab.controllers.workloads.loop import WorkloadLoop


class ReplicaSetController(WorkloadLoop):
    """Creates and deletes pods of ReplicaSets."""

    kind = REPLICA_SETS
    watched = (REPLICA_SETS, PODS)

    def __init__(self, store: Store) -> None:
        super().__init__(store, "replicaset-controller")

    def reconcile(self, value: JsonObject) -> None:
        """Create what is missing, delete what is too much: pods that are not ready first."""
        wanted = value["spec"]["replicas"]
        present = pods.owned_pods(self.store, value)
        try:
            for _ in range(wanted - len(present)):
                spec = clone(value["spec"]["template"]["spec"])
                pods.create_pod(self.store, self.events, value, labels={}, spec=spec)
        finally:
            surplus = max(0, len(present) - wanted)
            for pod in sorted(present, key=is_ready)[:surplus]:
                pods.delete_pod(self.store, self.events, value, pod)
            self._report(value)

    def _report(self, value: JsonObject) -> None:
        present = pods.owned_pods(self.store, value)
        ready = sum(is_ready(pod) for pod in present)
        status: JsonObject = {"replicas": len(present)}
        if present:
            status["fullyLabeledReplicas"] = len(present)
        if ready:
            status |= {"readyReplicas": ready, "availableReplicas": ready}
        status["observedGeneration"] = value["metadata"].get("generation", 1)
        self.write_status(value, status)
