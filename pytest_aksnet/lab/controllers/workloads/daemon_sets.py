"""DaemonSets: one pod on every node that the template may go to."""

from collections.abc import Sequence

from pytest_aksnet.lab.api.journal import Change
from pytest_aksnet.lab.api.objects import JsonObject, clone
from pytest_aksnet.lab.api.resources import DAEMON_SETS, NODES, PODS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers import fit
from pytest_aksnet.lab.controllers.endpoints import is_ready
from pytest_aksnet.lab.controllers.workloads import pods
from pytest_aksnet.lab.controllers.workloads.loop import WorkloadLoop

_HASH_LABEL = "controller-revision-hash"
# What the DaemonSet controller adds to every pod ("DaemonSet": taints and tolerations).
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)


class DaemonSetController(WorkloadLoop):
    """Creates and deletes pods of DaemonSets."""

    kind = DAEMON_SETS
    watched = (DAEMON_SETS, PODS, NODES)

    def __init__(self, store: Store) -> None:
        super().__init__(store, "daemonset-controller")

    def _concerned(self, change: Change) -> dict[str, None]:
        return self.everything() if change.resource is NODES else super()._concerned(change)

    def reconcile(self, value: JsonObject) -> None:
        """One pod of the current template per eligible node, no other pods."""
        digest = pods.template_hash(value["spec"]["template"])
        eligible = [
            revision.value["metadata"]["name"]
            for revision in self.store.revisions(NODES)
            if _eligible(value, revision.value)
        ]
        missing = set(eligible)
        for pod in pods.owned_pods(self.store, value):
            node = _target(pod)
            current = pod["metadata"]["labels"].get(_HASH_LABEL) == digest
            if node in missing and current:
                missing.discard(node)
            else:
                pods.delete_pod(self.store, self.events, value, pod)
        try:
            for node in eligible:
                if node in missing:
                    pods.create_pod(
                        self.store,
                        self.events,
                        value,
                        labels={_HASH_LABEL: digest},
                        spec=_spec_for(value, node),
                    )
        finally:
            self._report(value, eligible)

    def _report(self, value: JsonObject, eligible: Sequence[str]) -> None:
        present = pods.owned_pods(self.store, value)
        ready = sum(is_ready(pod) for pod in present)
        status = {
            "currentNumberScheduled": len(present),
            "numberMisscheduled": 0,
            "desiredNumberScheduled": len(eligible),
            "numberReady": ready,
            "observedGeneration": value["metadata"].get("generation", 1),
            "updatedNumberScheduled": len(present),
        }
        if ready:
            status["numberAvailable"] = ready
        if len(eligible) > ready:
            status["numberUnavailable"] = len(eligible) - ready
        self.write_status(value, status)


def _eligible(value: JsonObject, node: JsonObject) -> bool:
    spec = clone(value["spec"]["template"]["spec"])
    spec["tolerations"] = _tolerations(spec)
    taints = (node.get("spec") or {}).get("taints") or []
    blocking = [taint for taint in taints if taint.get("effect") != "PreferNoSchedule"]
    return fit.affinity_matches(spec, node) and all(
        fit.tolerates(spec, taint) for taint in blocking
    )


def _tolerations(spec: JsonObject) -> list[JsonObject]:
    added = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in _TOLERATED]
    return [*(spec.get("tolerations") or []), *added]


def _spec_for(value: JsonObject, node: str) -> JsonObject:
    """The template's spec, pinned to a node by the affinity that the controller writes."""
    spec = clone(value["spec"]["template"]["spec"])
    spec["tolerations"] = _tolerations(spec)
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    affinity = spec.setdefault("affinity", {})
    affinity["nodeAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
    return spec


def _target(pod: JsonObject) -> str:
    """The node that a pod of ours is for, from its affinity."""
    required = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    terms = required.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in terms.get("nodeSelectorTerms") or []:
        for field in term.get("matchFields") or []:
            return str(field["values"][0])
    return str(pod["spec"].get("nodeName", ""))
