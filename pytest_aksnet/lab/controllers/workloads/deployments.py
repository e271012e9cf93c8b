"""Deployments: which ReplicaSets there are, and how many replicas each is to have.

Source: Kubernetes docs, "Deployments"; k8s.io/kubernetes pkg/controller/deployment (sync, rolling,
recreate, revisions). Status and conditions are `deployment_status`'s.
"""

from collections.abc import Callable

from pytest_aksnet.lab.api.objects import JsonObject, clone
from pytest_aksnet.lab.api.resources import DEPLOYMENTS, REPLICA_SETS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.events import NORMAL
from pytest_aksnet.lab.controllers.workloads import deployment_status, pods, rolling
from pytest_aksnet.lab.controllers.workloads.loop import WorkloadLoop

_PAUSE_SECONDS = 0.1
_HASH_LABEL = "pod-template-hash"
_REVISION = "deployment.kubernetes.io/revision"
_HISTORY = "deployment.kubernetes.io/revision-history"
_DESIRED = "deployment.kubernetes.io/desired-replicas"
_MAX = "deployment.kubernetes.io/max-replicas"
_NOT_COPIED = (
    "kubectl.kubernetes.io/last-applied-configuration",
    _REVISION,
    _HISTORY,
    _DESIRED,
    _MAX,
    "deprecated.deployment.rollback.to",
)


class DeploymentController(WorkloadLoop):
    """Creates, scales and forgets ReplicaSets of Deployments."""

    kind = DEPLOYMENTS
    watched = (DEPLOYMENTS, REPLICA_SETS)

    def __init__(self, store: Store) -> None:
        super().__init__(store, "deployment-controller")

    def reconcile(self, value: JsonObject) -> None:
        """Bring the ReplicaSets to what the Deployment wants."""
        pods.adopt(self.store, value, REPLICA_SETS)
        owned = self._owned(value)
        current = next((item for item in owned if _same_template(value, item)), None)
        if value["spec"].get("paused"):
            self._share(value, owned, current)
            self._report(value, current)
            return
        if current is None:
            current = self._create(value, owned)
        else:
            current = self._mark_newest(value, owned, current)
        value = self._show_revision(value, current)
        owned = self._owned(value)
        if any(_desired(item) not in (None, value["spec"]["replicas"]) for item in owned):
            self._share(value, owned, current)
        else:
            self._roll(value, owned, current)
        self._report(value, current)

    def _owned(self, value: JsonObject) -> list[JsonObject]:
        """The Deployment's ReplicaSets, the oldest revision first."""
        metadata = value["metadata"]
        found = self.store.controlled(REPLICA_SETS, metadata["uid"], metadata["namespace"])
        present = [item.value for item in found if not pods.is_going(item.value)]
        return sorted(present, key=_revision)

    # -- revisions -------------------------------------------------------------------------

    def _create(self, value: JsonObject, owned: list[JsonObject]) -> JsonObject:
        digest = pods.template_hash(value["spec"]["template"])
        name = f"{value['metadata']['name']}-{digest}"
        template = clone(value["spec"]["template"])
        labels = template["metadata"].setdefault("labels", {})
        labels[_HASH_LABEL] = digest
        selector = clone(value["spec"]["selector"])
        selector.setdefault("matchLabels", {})[_HASH_LABEL] = digest
        spec = value["spec"]
        replicas = rolling.wanted_of_new(value, owned, 0)
        annotations = {
            **_copied(value),
            _REVISION: str(max(map(_revision, owned), default=0) + 1),
            **_size_marks(value),
        }
        created = self.store.create(
            REPLICA_SETS,
            {
                "metadata": {
                    "name": name,
                    "labels": dict(labels),
                    "annotations": annotations,
                    "ownerReferences": [pods.owner_reference(value)],
                },
                "spec": {
                    "replicas": replicas,
                    **(
                        {"minReadySeconds": spec["minReadySeconds"]}
                        if spec.get("minReadySeconds")
                        else {}
                    ),
                    "selector": selector,
                    "template": template,
                },
            },
            value["metadata"]["namespace"],
        )
        self._announce(value, name, 0, replicas)
        return created

    def _mark_newest(
        self, value: JsonObject, owned: list[JsonObject], current: JsonObject
    ) -> JsonObject:
        """The current one has the highest revision, also when an old template is back."""
        highest = max((_revision(item) for item in owned if item is not current), default=0)
        annotations = dict(current["metadata"].get("annotations") or {})
        wanted = {**annotations, **_copied(value)}
        if _revision(current) <= highest:
            history = [part for part in annotations.get(_HISTORY, "").split(",") if part]
            wanted[_HISTORY] = ",".join([*history, annotations.get(_REVISION, "0")])
            wanted[_REVISION] = str(highest + 1)
        min_ready = value["spec"].get("minReadySeconds", 0)
        if wanted == annotations and current["spec"].get("minReadySeconds", 0) == min_ready:
            return current

        def mark(stored: JsonObject) -> None:
            stored["metadata"]["annotations"] = wanted
            if min_ready:
                stored["spec"]["minReadySeconds"] = min_ready
            else:
                stored["spec"].pop("minReadySeconds", None)

        return self._change(current, mark)

    def _show_revision(self, value: JsonObject, current: JsonObject) -> JsonObject:
        revision = str(_revision(current))
        metadata = value["metadata"]
        if (metadata.get("annotations") or {}).get(_REVISION) == revision:
            return value

        def mark(stored: JsonObject) -> None:
            stored["metadata"].setdefault("annotations", {})[_REVISION] = revision

        return self.store.mutate(DEPLOYMENTS, metadata["name"], metadata["namespace"], change=mark)

    def _forget_old(self, value: JsonObject, old: list[JsonObject]) -> None:
        """Delete ReplicaSets beyond the history limit, the oldest first."""
        idle = [
            item
            for item in old
            if not item["spec"]["replicas"] and not (item.get("status") or {}).get("replicas")
        ]
        surplus = len(idle) - value["spec"].get("revisionHistoryLimit", 10)
        for item in idle[: max(0, surplus)]:
            metadata = item["metadata"]
            self.store.delete(REPLICA_SETS, metadata["name"], metadata["namespace"])

    # -- sizes -----------------------------------------------------------------------------

    def _share(
        self, value: JsonObject, owned: list[JsonObject], current: JsonObject | None
    ) -> None:
        """The Deployment's own size has changed: spread the difference over the ReplicaSets."""
        for item, wanted in rolling.proportions(value, owned, current):
            self._scale(value, item, wanted)

    def _roll(self, value: JsonObject, owned: list[JsonObject], current: JsonObject) -> None:
        name = current["metadata"]["name"]
        current = next(item for item in owned if item["metadata"]["name"] == name)
        old = [item for item in owned if item is not current]
        if value["spec"]["strategy"]["type"] == "Recreate":
            for item in old:
                self._scale(value, item, 0)
            if any(self._has_pods(item) for item in old):
                # The end of a pod that was going already changes no ReplicaSet.
                self.look_again(value, DEPLOYMENTS, _PAUSE_SECONDS)
            else:
                self._scale(value, current, value["spec"]["replicas"])
        else:
            wanted = rolling.wanted_of_new(value, old, current["spec"]["replicas"])
            if wanted != current["spec"]["replicas"]:
                self._scale(value, current, wanted)
            else:
                for item, size in rolling.sizes_of_old(value, old, current):
                    self._scale(value, item, size)
        if deployment_status.is_complete(value, owned, current):
            self._forget_old(value, old)

    def _has_pods(self, replica_set: JsonObject) -> bool:
        found = pods.all_pods(self.store, replica_set)
        return any(not pods.is_over(pod) for pod in found)

    def _scale(self, value: JsonObject, replica_set: JsonObject, wanted: int) -> None:
        before = replica_set["spec"]["replicas"]
        marks = _size_marks(value)
        annotations = replica_set["metadata"].get("annotations") or {}
        if before == wanted and all(annotations.get(key) == text for key, text in marks.items()):
            return

        def change(stored: JsonObject) -> None:
            stored["spec"]["replicas"] = wanted
            stored["metadata"].setdefault("annotations", {}).update(marks)

        self._change(replica_set, change)
        if before != wanted:
            self._announce(value, replica_set["metadata"]["name"], before, wanted)

    def _change(self, replica_set: JsonObject, change: Callable[[JsonObject], None]) -> JsonObject:
        metadata = replica_set["metadata"]
        return self.store.mutate(
            REPLICA_SETS, metadata["name"], metadata["namespace"], change=change
        )

    def _announce(self, value: JsonObject, name: str, before: int, wanted: int) -> None:
        way = "up" if wanted > before else "down"
        text = f"Scaled {way} replica set {name} from {before} to {wanted}"
        self.events.record(value, NORMAL, "ScalingReplicaSet", text)

    # -- reporting -------------------------------------------------------------------------

    def _report(self, value: JsonObject, current: JsonObject | None) -> None:
        owned = self._owned(value)
        if current is not None:
            name = current["metadata"]["name"]
            current = next((item for item in owned if item["metadata"]["name"] == name), None)
        status, deadline = deployment_status.status_of(value, owned, current)
        self.write_status(value, status)
        if deadline is not None:
            self.look_again(value, DEPLOYMENTS, deadline)


def _same_template(value: JsonObject, replica_set: JsonObject) -> bool:
    template = clone(replica_set["spec"]["template"])
    labels = template["metadata"].get("labels") or {}
    labels.pop(_HASH_LABEL, None)
    wanted: JsonObject = value["spec"]["template"]
    return bool(_plain(template) == _plain(wanted))


def _plain(template: JsonObject) -> JsonObject:
    metadata = {key: item for key, item in template["metadata"].items() if item}
    return {"metadata": metadata, "spec": template["spec"]}


def _revision(replica_set: JsonObject) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(_REVISION, 0))


def _desired(replica_set: JsonObject) -> int | None:
    """The Deployment's size when this ReplicaSet was last scaled; None for one without pods."""
    if not replica_set["spec"]["replicas"]:
        return None
    found = (replica_set["metadata"].get("annotations") or {}).get(_DESIRED)
    return None if found is None else int(found)


def _size_marks(value: JsonObject) -> dict[str, str]:
    wanted = value["spec"]["replicas"]
    return {_DESIRED: str(wanted), _MAX: str(wanted + rolling.surge(value))}


def _copied(value: JsonObject) -> dict[str, str]:
    annotations = value["metadata"].get("annotations") or {}
    return {key: text for key, text in annotations.items() if key not in _NOT_COPIED}
