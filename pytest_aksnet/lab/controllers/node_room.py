"""What a scheduler knows of one node: its object, the pods there, and what they take. No I/O."""

from collections import Counter
from collections.abc import Iterable
from decimal import Decimal

from pytest_aksnet.lab.api import quantity
from pytest_aksnet.lab.api.objects import JsonObject, controller_uid

HostPort = tuple[str, str, int]
"""Address, protocol and number of a hostPort."""


class NodeRoom:
    """A node and the pods that are there, as sums that are kept up to date.

    `pods` are by uid; `repelling` are those of them with anti-affinity.
    """

    def __init__(self, node: JsonObject, pods: Iterable[JsonObject] = ()) -> None:
        self.pods: dict[str, JsonObject] = {}
        self.repelling: dict[str, JsonObject] = {}
        self.used: dict[str, Decimal] = {}
        self.host_ports: Counter[HostPort] = Counter()
        self.by_controller: Counter[str] = Counter()
        self.allocatable: dict[str, Decimal] = {}
        self.show(node)
        for pod in pods:
            self.add(pod)

    def show(self, node: JsonObject) -> None:
        """The node's object as it is now."""
        self.node = node
        self.labels: dict[str, str] = node["metadata"].get("labels") or {}
        stated = (node.get("status") or {}).get("allocatable") or {}
        self.allocatable = {name: quantity.parse(value) for name, value in stated.items()}

    def add(self, pod: JsonObject) -> None:
        """A pod is there; one that was is replaced."""
        uid = pod["metadata"]["uid"]
        self.remove(uid)
        self.pods[uid] = pod
        if "podAntiAffinity" in (pod["spec"].get("affinity") or {}):
            self.repelling[uid] = pod
        self._count(pod, 1)

    def remove(self, uid: str) -> None:
        """A pod is not there any more; harmless where it never was."""
        pod = self.pods.pop(uid, None)
        self.repelling.pop(uid, None)
        if pod is not None:
            self._count(pod, -1)

    def _count(self, pod: JsonObject, sign: int) -> None:
        for name, value in quantity.pod_requests(pod["spec"]).items():
            self.used[name] = self.used.get(name, Decimal(0)) + sign * value
        for port in host_ports(pod["spec"]):
            self.host_ports[port] += sign
        if owner := controller_uid(pod):
            self.by_controller[owner] += sign


def host_ports(spec: JsonObject) -> Iterable[HostPort]:
    """The ports of its node that a pod takes."""
    for container in spec.get("containers") or []:
        for port in container.get("ports") or []:
            if port.get("hostPort"):
                address = port.get("hostIP") or "0.0.0.0"
                yield address, port.get("protocol", "TCP"), int(port["hostPort"])
