"""What becomes of nodes that are not heard of: conditions, taints, and their pods' readiness.

Source: Kubernetes docs, "Nodes" and "Taints and Tolerations" (taint based evictions);
k8s.io/kubernetes pkg/controller/nodelifecycle (texts). A cluster waits 50 s for a kubelet; the lab
counts looks instead of seconds, and gives up after three (4.5 s), so that a machine under load does
not lose nodes, and nobody waits for a minute.
"""

import asyncio
from collections.abc import Sequence

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.journal import DELETED, Change
from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.api.resources import LEASES, NODES, PODS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.endpoints import is_ready
from pytest_aksnet.lab.controllers.events import NORMAL, WARNING, EventRecorder
from pytest_aksnet.lab.controllers.kubelet.heartbeat import LEASE_NAMESPACE, RENEW_SECONDS
from pytest_aksnet.lab.controllers.loop import ControlLoop

_LOOKS = 3
_UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
_UNREACHABLE = "node.kubernetes.io/unreachable"
_NOT_READY = "node.kubernetes.io/not-ready"
_OWN_KEYS = (_UNSCHEDULABLE, _UNREACHABLE, _NOT_READY)


class NodeLifecycle(ControlLoop):
    """Watches over the nodes' Leases, and keeps the taints that follow from a node's state."""

    watched = (NODES,)

    def __init__(self, store: Store) -> None:
        super().__init__(store)
        self._events = EventRecorder(store, "node-controller")
        self._seen: dict[str, tuple[str | None, int]] = {}
        self._ready: dict[str, str] = {}

    async def run(self) -> None:
        """Watch until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(super().run())
            group.create_task(self._look_on())

    async def _look_on(self) -> None:
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            for revision in self.store.revisions(NODES):
                self._look(revision.value)

    def _look(self, node: JsonObject) -> None:
        name = node["metadata"]["name"]
        lease = self.store.find(LEASES, name, LEASE_NAMESPACE)
        # A kubelet that was never heard has none.
        version = lease["metadata"]["resourceVersion"] if lease is not None else ""
        known, missed = self._seen.get(name, (None, 0))
        missed = missed + 1 if version == known else 0
        self._seen[name] = (version, missed)
        if missed >= _LOOKS and _ready(node) != "Unknown":
            self._give_up(name)

    def _give_up(self, name: str) -> None:
        now = timestamp()

        def change(node: JsonObject) -> None:
            for item in node["status"].get("conditions") or []:
                item |= {
                    "status": "Unknown",
                    "lastTransitionTime": now,
                    "reason": "NodeStatusUnknown",
                    "message": "Kubelet stopped posting node status.",
                }

        self.store.mutate(NODES, name, change=change, subresource="status")

    def handle(self, changes: Sequence[Change]) -> None:
        """Taint what changed, and mark the pods of nodes that are not ready."""
        names = dict.fromkeys(change.value["metadata"]["name"] for change in changes)
        for change in changes:
            if change.kind == DELETED:
                self._ready.pop(change.value["metadata"]["name"], None)
                self._seen.pop(change.value["metadata"]["name"], None)
        for name in names:
            node = self.store.find(NODES, name)
            if node is None:
                continue
            self._taint(node)
            ready = _ready(node)
            before = self._ready.get(name, "True")
            self._ready[name] = ready
            if ready == before:
                continue
            state = "NodeReady" if ready == "True" else "NodeNotReady"
            self._events.record(node, NORMAL, state, f"Node {name} status is now: {state}")
            if before == "True":
                self._mark_pods(name)

    def _taint(self, node: JsonObject) -> None:
        present = (node.get("spec") or {}).get("taints") or []
        wanted = _taints_of(node)
        kept = [
            taint
            for taint in present
            if taint["key"] not in _OWN_KEYS or (taint["key"], taint["effect"]) in wanted
        ]
        known = {(taint["key"], taint["effect"]) for taint in kept}
        for key, effect in wanted:
            if (key, effect) not in known:
                kept.append({"key": key, "effect": effect, "timeAdded": timestamp()})
        if kept == present:
            return

        def change(value: JsonObject) -> None:
            if kept:
                value["spec"]["taints"] = kept
            else:
                value["spec"].pop("taints", None)

        self.store.mutate(NODES, node["metadata"]["name"], change=change)

    def _mark_pods(self, name: str) -> None:
        """Nobody says any more that they are ready, so they are not."""
        for revision in self.store.revisions(PODS):
            pod = revision.value
            if pod["spec"].get("nodeName") != name or not is_ready(pod):
                continue
            self._events.record(pod, WARNING, "NodeNotReady", "Node is not ready")
            metadata = pod["metadata"]
            try:
                self.store.mutate(
                    PODS,
                    metadata["name"],
                    metadata["namespace"],
                    change=_mark_unready,
                    subresource="status",
                )
            except ApiError as error:
                if error.code != 404:
                    raise


def _mark_unready(pod: JsonObject) -> None:
    for item in pod["status"]["conditions"]:
        if item["type"] == "Ready":
            item |= {"status": "False", "lastTransitionTime": timestamp()}


def _ready(node: JsonObject) -> str:
    for item in (node.get("status") or {}).get("conditions") or []:
        if item["type"] == "Ready":
            return str(item["status"])
    return "Unknown"


def _taints_of(node: JsonObject) -> list[tuple[str, str]]:
    """Key and effect of the taints that a node's state brings with it."""
    found = []
    if (node.get("spec") or {}).get("unschedulable"):
        found.append((_UNSCHEDULABLE, "NoSchedule"))
    key = {"False": _NOT_READY, "Unknown": _UNREACHABLE}.get(_ready(node))
    if key is not None:
        found += [(key, "NoSchedule"), (key, "NoExecute")]
    return found
