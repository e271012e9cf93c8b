"""A pod's object as its kubelet last saw it, and what the kubelet says of it: status and events."""

import contextlib
from collections.abc import Sequence

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.api.resources import PODS
from pytest_aksnet.lab.api.trouble import SYSTEM_NAMESPACES
from pytest_aksnet.lab.controllers.kubelet import status
from pytest_aksnet.lab.controllers.kubelet.kubelet_node import KubeletNode
from pytest_aksnet.lab.controllers.kubelet.status import ContainerState, PodState


class PodRecord:
    """One pod of a node. `state` is what its status shows besides the containers."""

    def __init__(self, node: KubeletNode, pod: JsonObject) -> None:
        self.pod = pod
        self.state = PodState(host_ips=node.spec.ips, start_time=timestamp())
        self._node = node

    @property
    def host_network(self) -> bool:
        """Whether the pod shares its node's network."""
        return bool(self.pod["spec"].get("hostNetwork"))

    @property
    def is_workload(self) -> bool:
        """Whether it is none of the cluster's own pods."""
        return self.pod["metadata"]["namespace"] not in SYSTEM_NAMESPACES

    @property
    def grace_seconds(self) -> float:
        """How long the pod may take to end where nobody says otherwise."""
        return float(self.pod["spec"].get("terminationGracePeriodSeconds", 30))

    def publish(
        self,
        init: Sequence[ContainerState],
        containers: Sequence[ContainerState],
        ephemeral: Sequence[ContainerState],
    ) -> None:
        """Write the status where it is not what the object says, and the kubelet is heard."""
        if not self._node.link.up:
            return
        store, metadata = self._node.around.store, self.pod["metadata"]
        current = store.find(PODS, metadata["name"], metadata["namespace"])
        if current is None or current["metadata"]["uid"] != metadata["uid"]:
            return
        current["status"] = status.pod_status(current, self.state, init, containers, ephemeral)
        with contextlib.suppress(ApiError):
            self.pod = store.update(PODS, current, metadata["namespace"], subresource="status")

    def remove(self) -> None:
        """Remove the object, which nothing runs for any more."""
        metadata = self.pod["metadata"]
        with contextlib.suppress(ApiError):
            self._node.around.store.delete(
                PODS,
                metadata["name"],
                metadata["namespace"],
                grace_seconds=0,
                uid=metadata["uid"],
            )
        self._node.events.forget(metadata["uid"])

    def event(self, kind: str, reason: str, message: str) -> None:
        """Record an event of the pod; `kind` is NORMAL or WARNING."""
        self._node.events.record(self.pod, kind, reason, message)
