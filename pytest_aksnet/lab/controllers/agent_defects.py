"""What may be wrong with an agent of the network on a node, as its pod's object shows it: a FACADE.

The lab's agents only pause, so nothing of the network changes with them. The agent is
azure-ip-masq-agent, or azure-cns in modes that have none.
"""

from collections.abc import Sequence

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.journal import DELETED, Change
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import PODS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.controllers.loop import ControlLoop
from pytest_aksnet.lab.controllers.node_agents import agents
from pytest_aksnet.lab.spec import LabSpec

OLD_TAG = "v0.0.1"
_CHOICES = ("azure-ip-masq-agent", "azure-cns")


class AgentDefects(ControlLoop):
    """Bends the pods of one agent: on nodes that are `not_ready` it is not, on `old` ones old."""

    watched = (PODS,)

    def __init__(self, store: Store, spec: LabSpec) -> None:
        super().__init__(store)
        self.not_ready: set[str] = set()
        self.old: set[str] = set()
        images = {agent.name: agent.image for agent in agents(spec)}
        self._name = next(name for name in _CHOICES if name in images)
        self._image = images[self._name]
        self._bent: set[str] = set()

    def handle(self, changes: Sequence[Change]) -> None:
        """Bend what came or was written anew."""
        for change in changes:
            if change.kind != DELETED:
                self._bend(change.value)

    def resync(self) -> None:
        """Bring every pod of the agent in line with the sets."""
        for revision in self.store.revisions(PODS):
            self._bend(revision.value)

    def _bend(self, pod: JsonObject) -> None:
        metadata, node = pod["metadata"], pod["spec"].get("nodeName", "")
        if metadata.get("labels", {}).get("k8s-app") != self._name:
            return
        wrong = node in self.not_ready or node in self.old
        if not wrong and metadata["uid"] not in self._bent:
            return
        (self._bent.add if wrong else self._bent.discard)(metadata["uid"])
        old = f"{self._image.rpartition(':')[0]}:{OLD_TAG}"
        image = old if node in self.old else self._image
        ready = node not in self.not_ready
        where = (metadata["name"], metadata["namespace"])

        def rename(found: JsonObject) -> None:
            found["spec"]["containers"][0]["image"] = image

        def set_ready(found: JsonObject) -> None:
            _set_ready(found["status"], ready=ready)

        try:
            if pod["spec"]["containers"][0]["image"] != image:
                self.store.mutate(PODS, *where, change=rename)
            if _runs(pod["status"]) and _is_ready(pod["status"]) != ready:
                self.store.mutate(PODS, *where, change=set_ready, subresource="status")
        except ApiError:
            return  # it has gone, or changes: then there will be another change to handle


def _runs(status: JsonObject) -> bool:
    return all(
        "running" in one["state"] for one in status.get("containerStatuses") or [{"state": {}}]
    )


def _is_ready(status: JsonObject) -> bool:
    return all(one["ready"] for one in status["containerStatuses"])


def _set_ready(status: JsonObject, *, ready: bool) -> None:
    for one in status["containerStatuses"]:
        one["ready"] = ready
    for condition in status["conditions"]:
        if condition["type"] in ("Ready", "ContainersReady"):
            condition["status"] = "True" if ready else "False"
