"""DaemonSets: one pod on every node that the template may go to, and their rolling update.

Source: Kubernetes docs, "DaemonSet" and "Perform a Rolling Update on a DaemonSet";
k8s.io/kubernetes pkg/controller/daemon (update.go). maxSurge is not offered: an update replaces.
"""

import math
from collections.abc import Mapping, Sequence

from pytest_aksnet.lab.api.journal import Change
from pytest_aksnet.lab.api.objects import JsonObject, clone
from pytest_aksnet.lab.api.resources import DAEMON_SETS, NODES, PODS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers import fit
from pytest_aksnet.lab.controllers.endpoints import is_ready
from pytest_aksnet.lab.controllers.events import WARNING
from pytest_aksnet.lab.controllers.workloads import pods
from pytest_aksnet.lab.controllers.workloads.loop import WorkloadLoop
from pytest_aksnet.lab.controllers.workloads.revisions import HASH_LABEL, history

_BURST = 50
_GENERATION_LABEL = "pod-template-generation"
# What the DaemonSet controller adds to every pod ("DaemonSet": taints and tolerations).
_TOLERATED = (
    ("node.kubernetes.io/not-ready", "NoExecute"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
    ("node.kubernetes.io/disk-pressure", "NoSchedule"),
    ("node.kubernetes.io/memory-pressure", "NoSchedule"),
    ("node.kubernetes.io/pid-pressure", "NoSchedule"),
    ("node.kubernetes.io/unschedulable", "NoSchedule"),
)
_OF_HOST_NETWORK = ("node.kubernetes.io/network-unavailable", "NoSchedule")


class DaemonSetController(WorkloadLoop):
    """Creates and deletes pods of DaemonSets."""

    kind = DAEMON_SETS
    watched = (DAEMON_SETS, PODS, NODES)

    def __init__(self, store: Store) -> None:
        super().__init__(store, "daemonset-controller")

    def _concerned(self, change: Change) -> dict[str, None]:
        if change.resource is not NODES:
            return super()._concerned(change)
        before = change.previous.value if change.previous else None
        matters = before is None or _matters(before) != _matters(change.value)
        return self.everything() if matters or change.kind == "DELETED" else {}

    def reconcile(self, value: JsonObject) -> None:
        """One pod of the current template per eligible node, no other pods."""
        newest = history(self.store, value)
        digest = newest.newest["metadata"]["labels"][HASH_LABEL]
        spec = _template_spec(value)
        eligible = [
            revision.value["metadata"]["name"]
            for revision in self.store.revisions(NODES)
            if _eligible(spec, revision.value)
        ]
        wanted = set(eligible)
        by_node: dict[str, list[JsonObject]] = {}
        occupied: set[str] = set()
        for pod in pods.all_pods(self.store, value):
            node = _target(pod)
            if pods.is_going(pod):
                occupied.add(node)
            elif pods.is_over(pod):
                self._replace_failed(value, pod, node)
                occupied.add(node)
            elif node not in wanted or node in by_node:
                pods.delete_pod(self.store, self.events, value, pod)
            else:
                by_node.setdefault(node, []).append(pod)
        try:
            missing = [node for node in eligible if node not in by_node and node not in occupied]
            for node in missing[:_BURST]:
                labels = {HASH_LABEL: digest, _GENERATION_LABEL: _generation(value)}
                pinned = _spec_for(spec, node)
                pods.create_pod(self.store, self.events, value, labels=labels, spec=pinned)
            self._roll(value, by_node, digest, len(eligible))
        finally:
            self._report(value, eligible, digest)
        newest.forget(
            {
                f"{value['metadata']['name']}-{pod['metadata']['labels'].get(HASH_LABEL)}"
                for pod in pods.all_pods(self.store, value)
            }
        )

    def _replace_failed(self, value: JsonObject, pod: JsonObject, node: str) -> None:
        if (pod.get("status") or {}).get("phase") == "Failed":
            metadata = pod["metadata"]
            text = f"Found failed daemon pod {metadata['namespace']}/{metadata['name']} on node"
            message = f"{text} {node}, will try to kill it"
            self.events.record(value, WARNING, "FailedDaemonPod", message)
        pods.delete_pod(self.store, self.events, value, pod)

    def _roll(
        self,
        value: JsonObject,
        by_node: Mapping[str, Sequence[JsonObject]],
        digest: str,
        eligible: int,
    ) -> None:
        """Delete pods of older templates, as many as maxUnavailable lets go at once."""
        strategy = value["spec"]["updateStrategy"]
        if strategy["type"] != "RollingUpdate":
            return
        least_ready = value["spec"].get("minReadySeconds", 0)
        setting = (strategy.get("rollingUpdate") or {}).get("maxUnavailable", 1)
        allowed = max(1, pods.scaled(setting, eligible, up=True))
        old = []
        unavailable = eligible - len(by_node)
        for found in by_node.values():
            pod = found[0]
            available = pods.seconds_to_available(pod, least_ready) <= 0
            unavailable += not available
            if pod["metadata"]["labels"].get(HASH_LABEL) != digest:
                old.append((available, pod["metadata"]["name"], pod))
        for available, _, pod in sorted(old, key=lambda item: item[:2]):
            if available:
                if unavailable >= allowed:
                    return
                unavailable += 1
            pods.delete_pod(self.store, self.events, value, pod)

    def _report(self, value: JsonObject, eligible: Sequence[str], digest: str) -> None:
        present = pods.owned_pods(self.store, value)
        least_ready = value["spec"].get("minReadySeconds", 0)
        waits = [pods.seconds_to_available(pod, least_ready) for pod in present]
        available = sum(wait <= 0 for wait in waits)
        updated = sum(pod["metadata"]["labels"].get(HASH_LABEL) == digest for pod in present)
        status = {
            "currentNumberScheduled": len(present),
            "numberMisscheduled": 0,
            "desiredNumberScheduled": len(eligible),
            "numberReady": sum(map(is_ready, present)),
            "observedGeneration": value["metadata"].get("generation", 1),
        }
        if updated:
            status["updatedNumberScheduled"] = updated
        if available:
            status["numberAvailable"] = available
        if len(eligible) > available:
            status["numberUnavailable"] = len(eligible) - available
        self.write_status(value, status)
        later = [wait for wait in waits if 0 < wait < math.inf]
        if later:
            self.look_again(value, DAEMON_SETS, min(later))


def _matters(node: JsonObject) -> tuple[object, ...]:
    spec = node.get("spec") or {}
    labels = node["metadata"].get("labels") or {}
    return labels, spec.get("taints") or [], bool(spec.get("unschedulable"))


def _generation(value: JsonObject) -> str:
    return str(value["metadata"].get("generation", 1))


def _template_spec(value: JsonObject) -> JsonObject:
    """The template's spec with the tolerations that the controller adds. Shared, but for them."""
    spec: JsonObject = value["spec"]["template"]["spec"]
    added = [{"key": key, "operator": "Exists", "effect": effect} for key, effect in _TOLERATED]
    if spec.get("hostNetwork"):
        key, effect = _OF_HOST_NETWORK
        added.append({"key": key, "operator": "Exists", "effect": effect})
    return {**spec, "tolerations": [*(spec.get("tolerations") or []), *added]}


def _eligible(spec: JsonObject, node: JsonObject) -> bool:
    taints = (node.get("spec") or {}).get("taints") or []
    blocking = [taint for taint in taints if taint.get("effect") != "PreferNoSchedule"]
    return fit.affinity_matches(spec, node) and all(
        fit.tolerates(spec, taint) for taint in blocking
    )


def _spec_for(spec: JsonObject, node: str) -> JsonObject:
    """A pod's spec, pinned to a node by the affinity that the controller writes."""
    pinned = clone(spec)
    field = {"key": "metadata.name", "operator": "In", "values": [node]}
    terms = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    affinity = pinned.setdefault("affinity", {})
    affinity["nodeAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": terms}
    return pinned


def _target(pod: JsonObject) -> str:
    """The node that a pod of ours is for, from its affinity."""
    required = (pod["spec"].get("affinity") or {}).get("nodeAffinity") or {}
    terms = required.get("requiredDuringSchedulingIgnoredDuringExecution") or {}
    for term in terms.get("nodeSelectorTerms") or []:
        for field in term.get("matchFields") or []:
            return str(field["values"][0])
    return str(pod["spec"].get("nodeName", ""))
