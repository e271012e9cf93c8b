"""Services and network policies: created strictly, awaited, deleted.

Owns the manifests of Services and the waiting for their endpoints and load balancers. What a policy
says is its caller's; nothing here judges traffic.
"""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.rest import path_of
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import ApiRefused, EnvironmentProblem
from pytest_aksnet.model.peers import ServiceRef
from pytest_aksnet.model.view import ServiceEndpoint

ENDPOINTS_TIMEOUT_S = 30.0
LOAD_BALANCER_TIMEOUT_S = 300.0  # Azure takes one to two minutes as a rule
_INTERNAL_ANNOTATION = "service.beta.kubernetes.io/azure-load-balancer-internal"
_POLL_S = 0.05
_LONGEST_POLL_S = 1.0
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceRequest:
    """One Service that is wanted; fields mean what they mean in the API.

    `target_port` None is the same as `port`. Both protocols, TCP and UDP, are served with `udp`.
    `spec` has further fields of the Service's spec, which win over what stands here.
    """

    namespace: str
    name: str
    selector: Mapping[str, str] = field(default_factory=dict)
    port: int = 80
    target_port: int | None = None
    type: str = "ClusterIP"
    external_traffic_policy: str | None = None
    internal_traffic_policy: str | None = None
    headless: bool = False
    external_name: str | None = None
    internal_load_balancer: bool = False
    publish_not_ready: bool = False
    udp: bool = False
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    spec: Mapping[str, object] = field(default_factory=dict)


def service_manifest(request: ServiceRequest) -> Json:
    """The Service of a request."""
    annotations = dict(request.annotations)
    spec: Json = {}
    if request.external_name is not None:
        spec |= {"type": "ExternalName", "externalName": request.external_name}
    else:
        target = request.target_port if request.target_port is not None else request.port
        protocols = ("TCP", "UDP") if request.udp else ("TCP",)
        spec["type"] = request.type
        spec["ports"] = [
            {"name": p.lower(), "port": request.port, "targetPort": target, "protocol": p}
            for p in protocols
        ]
        if request.selector:
            spec["selector"] = dict(request.selector)
    if request.headless:
        spec["clusterIP"] = "None"
    for key, value in (
        ("externalTrafficPolicy", request.external_traffic_policy),
        ("internalTrafficPolicy", request.internal_traffic_policy),
    ):
        if value is not None:
            spec[key] = value
    if request.publish_not_ready:
        spec["publishNotReadyAddresses"] = True
    if request.internal_load_balancer:
        annotations[_INTERNAL_ANNOTATION] = "true"
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": request.name,
            "namespace": request.namespace,
            "labels": dict(request.labels),
            "annotations": annotations,
        },
        "spec": {**spec, **request.spec},
    }


def create_service(cluster: Cluster, request: ServiceRequest, *, cluster_domain: str) -> ServiceRef:
    """Create a Service and return it as the API server completed it. Raises EnvironmentProblem."""
    path = path_of("api", "v1", "namespaces", request.namespace, "services")
    try:
        created = cluster.rest.create(path, service_manifest(request))
    except ApiRefused as refused:
        raise not_admitted("Service", request.namespace, request.name, refused) from refused
    return service_ref(created, cluster_domain)


def change_service(
    cluster: Cluster, service: ServiceRef, change: Mapping[str, object], *, cluster_domain: str
) -> ServiceRef:
    """Change a Service by a JSON merge patch. Raises EnvironmentProblem."""
    path = _service_path(service.namespace, service.name)
    return service_ref(cluster.rest.patch(path, change), cluster_domain)


def read_service(
    cluster: Cluster, namespace: str, name: str, *, cluster_domain: str
) -> ServiceRef | None:
    """A Service that exists, or None."""
    found = cluster.rest.get_or_none(_service_path(namespace, name))
    return service_ref(found, cluster_domain) if found else None


def delete_service(cluster: Cluster, service: ServiceRef) -> None:
    """Delete a Service; no error where it is gone."""
    cluster.rest.delete(_service_path(service.namespace, service.name))


def service_ref(service: Json, cluster_domain: str) -> ServiceRef:
    """A Service of the API as the other layers see it; ports are those of its first port."""
    metadata, spec = service["metadata"], service["spec"]
    first: Json = next(iter(spec.get("ports") or ()), {})
    ingress = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    cluster_ip = spec.get("clusterIP") or ""
    return ServiceRef(
        namespace=metadata["namespace"],
        name=metadata["name"],
        cluster_ip="" if cluster_ip == "None" else cluster_ip,
        port=int(first.get("port") or 0),
        node_port=int(first.get("nodePort") or 0),
        health_check_node_port=int(spec.get("healthCheckNodePort") or 0),
        load_balancer_ips=tuple(entry["ip"] for entry in ingress if entry.get("ip")),
        cluster_domain=cluster_domain,
        cluster_ips=tuple(ip for ip in spec.get("clusterIPs") or () if ip != "None"),
    )


def read_endpoints(cluster: Cluster, namespace: str, name: str) -> tuple[ServiceEndpoint, ...]:
    """The ready endpoints of a Service from its EndpointSlices, sorted by address."""
    slices = cluster.rest.items(
        path_of("apis", "discovery.k8s.io", "v1", "namespaces", namespace, "endpointslices"),
        {"labelSelector": f"kubernetes.io/service-name={name}"},
    )
    found = set()
    for piece in slices:
        ports = [int(port["port"]) for port in piece.get("ports") or () if port.get("port")]
        for endpoint in piece.get("endpoints") or ():
            # Absent means unknown, which consumers should take for ready (EndpointSlice API).
            if (endpoint.get("conditions") or {}).get("ready") is False:
                continue
            target = endpoint.get("targetRef") or {}
            for address in endpoint.get("addresses") or ():
                found.add(
                    ServiceEndpoint(
                        ip=address,
                        port=ports[0] if ports else 0,
                        node=endpoint.get("nodeName") or "",
                        pod=target.get("name", "") if target.get("kind") == "Pod" else "",
                    )
                )
    return tuple(sorted(found, key=lambda endpoint: (endpoint.ip, endpoint.port)))


def await_endpoints(
    cluster: Cluster,
    service: ServiceRef,
    addresses: Collection[str],
    *,
    timeout_s: float = ENDPOINTS_TIMEOUT_S,
) -> tuple[ServiceEndpoint, ...]:
    """Wait until the ready endpoints are exactly these addresses. Raises EnvironmentProblem.

    Pods have addresses of other families besides, so only those of the named families count.
    """
    families = {":" in address for address in addresses}

    def look() -> tuple[ServiceEndpoint, ...] | None:
        found = read_endpoints(cluster, service.namespace, service.name)
        listed = {one.ip for one in found if not families or (":" in one.ip) in families}
        return found if listed == set(addresses) else None

    def give_up() -> str:
        found = read_endpoints(cluster, service.namespace, service.name)
        have = ", ".join(endpoint.ip for endpoint in found) or "none"
        return (
            f"the Service {service.namespace}/{service.name} should have the ready endpoints "
            f"{', '.join(sorted(addresses)) or 'none'}, but has {have} after {timeout_s:.0f} s"
        )

    return _poll(look, give_up, timeout_s)


def await_load_balancer(
    cluster: Cluster, service: ServiceRef, *, timeout_s: float = LOAD_BALANCER_TIMEOUT_S
) -> ServiceRef:
    """Wait until the load balancer has an address. Raises EnvironmentProblem."""

    def look() -> ServiceRef | None:
        found = read_service(
            cluster, service.namespace, service.name, cluster_domain=service.cluster_domain
        )
        if found is None:
            raise EnvironmentProblem(
                f"the Service {service.namespace}/{service.name} was deleted by somebody else"
            )
        return found if found.load_balancer_ips else None

    def give_up() -> str:
        return (
            f"the Service {service.namespace}/{service.name} got no load balancer address within "
            f"{timeout_s:.0f} s; kubectl describe service shows what the cloud provider says"
        )

    return _poll(look, give_up, timeout_s)


def policy_manifest(
    *,
    namespace: str,
    name: str,
    spec: Mapping[str, object],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
) -> Json:
    """A NetworkPolicy of networking.k8s.io/v1."""
    metadata = {"name": name, "namespace": namespace}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {**metadata, "labels": dict(labels), "annotations": dict(annotations)},
        "spec": dict(spec),
    }


def create_network_policy(
    cluster: Cluster,
    *,
    namespace: str,
    name: str,
    spec: Mapping[str, object],
    labels: Mapping[str, str],
    annotations: Mapping[str, str],
) -> None:
    """Create a NetworkPolicy of networking.k8s.io/v1. Raises EnvironmentProblem.

    A spec that the API server refuses (an unknown field, a CIDR with host bits) is named by it.
    """
    manifest = policy_manifest(
        namespace=namespace, name=name, spec=spec, labels=labels, annotations=annotations
    )
    try:
        cluster.rest.create(policies_path(namespace), manifest)
    except ApiRefused as refused:
        raise not_admitted("NetworkPolicy", namespace, name, refused) from refused


def delete_network_policy(cluster: Cluster, namespace: str, name: str) -> None:
    """Delete a NetworkPolicy; no error where it is gone."""
    cluster.rest.delete(f"{policies_path(namespace)}{path_of(name)}")


def policies_path(namespace: str) -> str:
    """Where the NetworkPolicies of a namespace are."""
    return path_of("apis", "networking.k8s.io", "v1", "namespaces", namespace, "networkpolicies")


def not_admitted(kind: str, namespace: str, name: str, refused: ApiRefused) -> EnvironmentProblem:
    """That the API server refuses an object, in its own words."""
    return EnvironmentProblem(f"the {kind} {namespace}/{name} is not admitted ({refused})")


def _service_path(namespace: str, name: str) -> str:
    return path_of("api", "v1", "namespaces", namespace, "services", name)


def _poll(look: Callable[[], _T | None], give_up: Callable[[], str], timeout_s: float) -> _T:
    """Ask until there is an answer. Raises EnvironmentProblem with give_up()'s words."""
    deadline = time.monotonic() + timeout_s
    pause = _POLL_S
    while (found := look()) is None:
        if time.monotonic() >= deadline:
            raise EnvironmentProblem(give_up())
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_POLL_S)
    return found
