"""Tells the lab's network what Services, pods and policies there are.

Stands where kube-proxy, the policy engine's agent and the cloud's load balancer watch the API.
Changes are taken in batches: however many objects change at once, the kernel is told once.
"""

from collections.abc import Callable, Sequence
from typing import TypeVar

from pytest_aksnet.lab.api.ip_families import IPV4, family_of
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
from pytest_aksnet.lab.contracts import Network
from pytest_aksnet.lab.controllers.endpoint_slices import SERVICE_NAME_LABEL
from pytest_aksnet.lab.controllers.loop import ControlLoop
from pytest_aksnet.lab.network_views import (
    EndpointView,
    NamespaceView,
    PodView,
    PolicyView,
    ServicePortView,
)

_ALLOWED_RANGES = "service.beta.kubernetes.io/azure-allowed-ip-ranges"
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
    """The ports of a Service as a service proxy sees them, per family of its cluster IPs.

    None where it has no cluster IP.
    """
    spec = service["spec"]
    if spec["type"] == "ExternalName" or spec.get("clusterIP") in (None, "", "None"):
        return []
    return [
        view for address in spec["clusterIPs"] for view in _family_views(service, address, slices)
    ]


def _family_views(
    service: JsonObject, cluster_ip: str, slices: Sequence[JsonObject]
) -> list[ServicePortView]:
    spec, family = service["spec"], family_of(cluster_ip)
    allowed = (service["metadata"].get("annotations") or {}).get(_ALLOWED_RANGES, "")
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or []
    own = [item for item in slices if item.get("addressType", IPV4) == family]
    affinity = 0
    if spec.get("sessionAffinity") == "ClientIP":
        affinity = spec["sessionAffinityConfig"]["clientIP"]["timeoutSeconds"]
    return [
        ServicePortView(
            namespace=service["metadata"]["namespace"],
            service=service["metadata"]["name"],
            port_name=port.get("name", ""),
            protocol=port.get("protocol", "TCP"),
            cluster_ip=cluster_ip,
            port=port["port"],
            node_port=port.get("nodePort", 0),
            load_balancer_ips=tuple(
                item["ip"] for item in ingress if "ip" in item and family_of(item["ip"]) == family
            ),
            external_local=spec.get("externalTrafficPolicy") == "Local",
            internal_local=spec.get("internalTrafficPolicy") == "Local",
            affinity_seconds=affinity,
            health_check_node_port=spec.get("healthCheckNodePort", 0),
            source_ranges=tuple(
                cidr
                for cidr in spec.get("loadBalancerSourceRanges") or ()
                if family_of(cidr) == family
            ),
            security_group_ranges=tuple(
                cidr
                for cidr in (one.strip() for one in allowed.split(","))
                if cidr and family_of(cidr) == family
            ),
            endpoints=_endpoints(port, own, _is_ready),
            draining=_endpoints(port, own, _is_draining),
        )
        for port in spec.get("ports") or []
    ]


def _endpoints(
    port: JsonObject, slices: Sequence[JsonObject], wanted: Callable[[JsonObject], bool]
) -> tuple[EndpointView, ...]:
    """The endpoints of a port whose conditions are as `wanted`, each address once."""
    found: dict[tuple[str, int], EndpointView] = {}
    for item in slices:
        for offered in item.get("ports") or []:
            same_name = offered.get("name", "") == port.get("name", "")
            if not same_name or offered.get("protocol", "TCP") != port.get("protocol", "TCP"):
                continue
            for endpoint in item.get("endpoints") or []:
                if not wanted(endpoint.get("conditions") or {}):
                    continue
                hints = endpoint.get("hints") or {}
                for ip in endpoint["addresses"]:
                    found[ip, offered["port"]] = EndpointView(
                        ip=ip,
                        port=offered["port"],
                        node=endpoint.get("nodeName", ""),
                        for_zones=tuple(one["name"] for one in hints.get("forZones") or ()),
                        for_nodes=tuple(one["name"] for one in hints.get("forNodes") or ()),
                    )
    return tuple(view for _, view in sorted(found.items()))


def _is_ready(conditions: JsonObject) -> bool:
    return bool(conditions.get("ready", True))


def _is_draining(conditions: JsonObject) -> bool:
    serves = conditions.get("serving") and conditions.get("terminating")
    return bool(serves) and not _is_ready(conditions)


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
            elif change.value["spec"].get("hostNetwork"):
                self._note_host_network(change)
            elif metadata["uid"] in self._pods and change.kind != DELETED:
                known = self._pods[metadata["uid"]]
                self._pods[metadata["uid"]] = pod_view(change.value, known.ips)
        self._sync()

    def assigned(self, pod: JsonObject, ips: Sequence[str]) -> None:
        """A pod has its addresses."""
        self._pods[pod["metadata"]["uid"]] = pod_view(pod, ips)
        self._sync()

    def released(self, pod: JsonObject) -> None:
        """A pod's addresses are gone; a stale entry may wait for the next batch."""
        self._pods.pop(pod["metadata"]["uid"], None)

    def _note_host_network(self, change: Change) -> None:
        pod, uid = change.value, change.value["metadata"]["uid"]
        ips = [one["ip"] for one in (pod.get("status") or {}).get("podIPs") or ()]
        if change.kind == DELETED:
            self._pods.pop(uid, None)
        elif ips:
            self._pods[uid] = pod_view(pod, ips)

    def _sync(self) -> None:
        policies = [
            PolicyView(namespace=namespace, name=name, spec=value["spec"])
            for (namespace, name), value in sorted(self._policies.items())
        ]
        if not policies and self._shown == (policies,):
            return  # pods and namespaces matter to policies only
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


def pod_view(pod: JsonObject, ips: Sequence[str]) -> PodView:
    """A pod as policy engines see it; `ips` are its addresses, the IPv4 one first."""
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
        ip=ips[0],
        labels=metadata.get("labels") or {},
        named_ports=named,
        ip6=ips[1] if len(ips) > 1 else None,
        host_network=bool(pod["spec"].get("hostNetwork")),
    )
