"""Deployments: one ReplicaSet per template, the newest with all replicas, the others with none."""

from pytest_aksnet.lab.api.objects import JsonObject, clone, timestamp
from pytest_aksnet.lab.api.resources import DEPLOYMENTS, REPLICA_SETS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.events import NORMAL
from pytest_aksnet.lab.controllers.workloads import pods
from pytest_aksnet.lab.controllers.workloads.loop import WorkloadLoop

_HASH_LABEL = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"


class DeploymentController(WorkloadLoop):
    """Creates and scales ReplicaSets of Deployments."""

    kind = DEPLOYMENTS
    watched = (DEPLOYMENTS, REPLICA_SETS)

    def __init__(self, store: Store) -> None:
        super().__init__(store, "deployment-controller")

    def reconcile(self, value: JsonObject) -> None:
        """Bring the ReplicaSets to what the Deployment wants."""
        if value["spec"].get("paused"):
            return
        digest = pods.template_hash(value["spec"]["template"])
        name = f"{value['metadata']['name']}-{digest}"
        owned = [
            revision.value
            for revision in self.store.revisions(REPLICA_SETS, value["metadata"]["namespace"])
            if pods.controller_uid(revision.value) == value["metadata"]["uid"]
        ]
        current = next((item for item in owned if item["metadata"]["name"] == name), None)
        for other in owned:
            if other is not current:
                self._scale(value, other, 0)
        if current is None:
            current = self._create(value, name, digest, revision=len(owned) + 1)
        else:
            self._scale(value, current, value["spec"]["replicas"])
        self._report(value, owned, current)

    def _create(self, value: JsonObject, name: str, digest: str, *, revision: int) -> JsonObject:
        template = clone(value["spec"]["template"])
        labels = template["metadata"].setdefault("labels", {})
        labels[_HASH_LABEL] = digest
        selector = clone(value["spec"]["selector"])
        selector.setdefault("matchLabels", {})[_HASH_LABEL] = digest
        replicas = value["spec"]["replicas"]
        created = self.store.create(
            REPLICA_SETS,
            {
                "metadata": {
                    "name": name,
                    "labels": dict(labels),
                    "annotations": {_REVISION: str(revision)},
                    "ownerReferences": [pods.owner_reference(value)],
                },
                "spec": {"replicas": replicas, "selector": selector, "template": template},
            },
            value["metadata"]["namespace"],
        )
        self._announce(value, name, 0, replicas)
        return created

    def _scale(self, value: JsonObject, replica_set: JsonObject, wanted: int) -> None:
        before = replica_set["spec"]["replicas"]
        if before == wanted:
            return
        metadata = replica_set["metadata"]

        def change(current: JsonObject) -> None:
            current["spec"]["replicas"] = wanted

        self.store.mutate(REPLICA_SETS, metadata["name"], metadata["namespace"], change=change)
        self._announce(value, metadata["name"], before, wanted)

    def _announce(self, value: JsonObject, name: str, before: int, wanted: int) -> None:
        way = "up" if wanted > before else "down"
        text = f"Scaled {way} replica set {name} from {before} to {wanted}"
        self.events.record(value, NORMAL, "ScalingReplicaSet", text)

    def _report(self, value: JsonObject, owned: list[JsonObject], current: JsonObject) -> None:
        totals = {"replicas": 0, "readyReplicas": 0, "availableReplicas": 0}
        for item in owned:
            for field in totals:
                totals[field] += (item.get("status") or {}).get(field, 0)
        wanted = value["spec"]["replicas"]
        updated = (current.get("status") or {}).get("replicas", 0)
        status: JsonObject = {"observedGeneration": value["metadata"].get("generation", 1)}
        status |= {field: number for field, number in totals.items() if number}
        if updated:
            status["updatedReplicas"] = updated
        missing = wanted - totals["availableReplicas"]
        if missing > 0:
            status["unavailableReplicas"] = missing
        complete = updated == totals["replicas"] == wanted and missing <= 0
        status["conditions"] = self._conditions(value, current, missing <= 0, complete)
        self.write_status(value, status)

    def _conditions(
        self, value: JsonObject, current: JsonObject, available: bool, complete: bool
    ) -> list[JsonObject]:
        name = current["metadata"]["name"]
        wanted = [
            ("Available", True, "MinimumReplicasAvailable", "has minimum availability.")
            if available
            else (
                "Available",
                False,
                "MinimumReplicasUnavailable",
                "does not have minimum availability.",
            ),
            ("Progressing", True, "NewReplicaSetAvailable", f'"{name}" has progressed.')
            if complete
            else ("Progressing", True, "ReplicaSetUpdated", f'"{name}" is progressing.'),
        ]
        old = {item["type"]: item for item in (value.get("status") or {}).get("conditions") or []}
        result = []
        for kind, holds, reason, text in wanted:
            message = f"Deployment {text}" if kind == "Available" else f"ReplicaSet {text}"
            before = old.get(kind, {})
            if before.get("status") == str(holds) and before.get("reason") == reason:
                result.append(before)
                continue
            now = timestamp()
            result.append(
                {
                    "type": kind,
                    "status": str(holds),
                    "lastUpdateTime": now,
                    "lastTransitionTime": now,
                    "reason": reason,
                    "message": message,
                }
            )
        return result
