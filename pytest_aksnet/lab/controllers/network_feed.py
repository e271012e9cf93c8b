"""Tells the lab's network what Services, pods and policies there are.

Stands where kube-proxy, the policy engine's agent and the cloud's load balancer watch the API.
Changes are taken in batches: however many objects change at once, the kernel is told once.
"""

from collections.abc import Sequence
from typing import TypeVar

from pytest_aksnet.lab.api.journal import DELETED, Change
from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import (
    ENDPOINT_SLICES,
    NAMESPACES,
    NETWORK_POLICIES,
    PODS,
    SERVICES,
)
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.contracts import (
    EndpointView,
    NamespaceView,
    Network,
    PodView,
    PolicyView,
    ServicePortView,
)
from pytest_aksnet.lab.controllers.endpoints import SERVICE_NAME_LABEL
from pytest_aksnet.lab.controllers.loop import ControlLoop

_Key = tuple[str, str]
_AnyKey = TypeVar("_AnyKey")


class ServiceFeed(ControlLoop):
    """Services and their endpoints to `Network.sync_services`."""

    watched = (SERVICES, ENDPOINT_SLICES)

    def __init__(self, store: Store, network: Network) -> None:
        super().__init__(store)
        self._network = network
        self._services: dict[_Key, JsonObject] = {}
        self._slices: dict[_Key, dict[str, JsonObject]] = {}
        self._shown: list[ServicePortView] | None = None

    def handle(self, changes: Sequence[Change]) -> None:
        """Take in the changes and sync where something that matters is different."""
        for change in changes:
            metadata = change.value["metadata"]
            if change.resource is SERVICES:
                key = (metadata["namespace"], metadata["name"])
                if change.kind == DELETED:
                    self._services.pop(key, None)
                else:
                    self._services[key] = change.value
                continue
            service = (metadata.get("labels") or {}).get(SERVICE_NAME_LABEL, "")
            slices = self._slices.setdefault((metadata["namespace"], service), {})
            if change.kind == DELETED:
                slices.pop(metadata["name"], None)
            else:
                slices[metadata["name"]] = change.value
        views = [
            view
            for key, service in sorted(self._services.items())
            for view in service_views(service, list(self._slices.get(key, {}).values()))
        ]
        if views != self._shown:
            self._network.sync_services(views)
            self._shown = views


def service_views(service: JsonObject, slices: Sequence[JsonObject]) -> list[ServicePortView]:
    """The ports of a Service as a service proxy sees them; none where it has no cluster IP."""
    spec = service["spec"]
    if spec["type"] == "ExternalName" or spec.get("clusterIP") in (None, "", "None"):
        return []
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    affinity = 0
    if spec.get("sessionAffinity") == "ClientIP":
        affinity = spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"]
    return [
        ServicePortView(
            namespace=service["metadata"]["namespace"],
            service=service["metadata"]["name"],
            port_name=port.get("name", ""),
            protocol=port.get("protocol", "TCP"),
            cluster_ip=spec["clusterIP"],
            port=port["port"],
            node_port=port.get("nodePort", 0),
            load_balancer_ips=tuple(item["ip"] for item in ingress if "ip" in item),
            external_local=spec.get("externalTrafficPolicy") == "Local",
            internal_local=spec.get("internalTrafficPolicy") == "Local",
            affinity_seconds=affinity,
            health_check_node_port=spec.get("healthCheckNodePort", 0),
            source_ranges=tuple(spec.get("loadBalancerSourceRanges") or ()),
            endpoints=_endpoints(port, slices),
        )
        for port in spec.get("ports") or []
    ]


def _endpoints(port: JsonObject, slices: Sequence[JsonObject]) -> tuple[EndpointView, ...]:
    found = set()
    for item in slices:
        for offered in item.get("ports") or []:
            same_name = offered.get("name", "") == port.get("name", "")
            if not same_name or offered.get("protocol", "TCP") != port.get("protocol", "TCP"):
                continue
            for endpoint in item.get("endpoints") or []:
                if (endpoint.get("conditions") or {}).get("ready", True):
                    node = endpoint.get("nodeName", "")
                    for ip in endpoint["addresses"]:
                        found.add(EndpointView(ip=ip, port=offered["port"], node=node))
    return tuple(sorted(found, key=lambda one: (one.ip, one.port)))


class PolicyFeed(ControlLoop):
    """NetworkPolicies, pods and namespaces to `Network.sync_policies`.

    Pods are added by the kubelets as soon as they have an address (`assigned`), before anything in
    them runs, so that no packet of theirs goes unjudged.
    """

    watched = (NETWORK_POLICIES, NAMESPACES, PODS)

    def __init__(self, store: Store, network: Network) -> None:
        super().__init__(store)
        self._network = network
        self._policies: dict[_Key, JsonObject] = {}
        self._namespaces: dict[str, JsonObject] = {}
        self._pods: dict[str, PodView] = {}
        self._shown: tuple[object, ...] | None = None

    def handle(self, changes: Sequence[Change]) -> None:
        """Take in the changes and sync where something that matters is different."""
        for change in changes:
            metadata = change.value["metadata"]
            if change.resource is NAMESPACES:
                _note(self._namespaces, metadata["name"], change)
            elif change.resource is NETWORK_POLICIES:
                _note(self._policies, (metadata["namespace"], metadata["name"]), change)
            elif metadata["uid"] in self._pods and change.kind != DELETED:
                known = self._pods[metadata["uid"]]
                self._pods[metadata["uid"]] = pod_view(change.value, known.ip)
        self._sync()

    def assigned(self, pod: JsonObject, ip: str) -> None:
        """A pod has an address."""
        self._pods[pod["metadata"]["uid"]] = pod_view(pod, ip)
        self._sync()

    def released(self, pod: JsonObject) -> None:
        """A pod's address is gone; a stale entry may wait for the next batch."""
        self._pods.pop(pod["metadata"]["uid"], None)

    def _sync(self) -> None:
        policies = [
            PolicyView(namespace=namespace, name=name, spec=value["spec"])
            for (namespace, name), value in sorted(self._policies.items())
        ]
        pods = sorted(self._pods.values(), key=lambda pod: (pod.namespace, pod.name))
        namespaces = [
            NamespaceView(name=name, labels=value["metadata"].get("labels") or {})
            for name, value in sorted(self._namespaces.items())
        ]
        shown = (policies, pods, namespaces) if policies else (policies,)
        if shown != self._shown:
            self._network.sync_policies(policies, pods, namespaces)
            self._shown = shown


def _note(table: dict[_AnyKey, JsonObject], key: _AnyKey, change: Change) -> None:
    if change.kind == DELETED:
        table.pop(key, None)
    else:
        table[key] = change.value


def pod_view(pod: JsonObject, ip: str) -> PodView:
    """A pod as policy engines see it."""
    metadata = pod["metadata"]
    named = {
        (port["name"], port.get("protocol", "TCP")): int(port["containerPort"])
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or []
        if port.get("name")
    }
    return PodView(
        namespace=metadata["namespace"],
        name=metadata["name"],
        node=pod["spec"]["nodeName"],
        ip=ip,
        labels=metadata.get("labels") or {},
        named_ports=named,
    )
