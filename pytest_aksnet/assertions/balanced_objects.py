"""Reads nodes and LoadBalancer Services from the Kubernetes API, as a load balancer sees them.

What must be in a backend pool: cloud-provider-azure, pkg/provider/azure.go (ShouldNodeExcluded...).
"""

from collections.abc import Iterable

from pytest_aksnet.model.api import ApiReader, Json
from pytest_aksnet.model.balanced import BackendNode, BalancedService

_EXCLUDED = "node.kubernetes.io/exclude-from-external-load-balancers"
_MANAGED = "kubernetes.azure.com/managed"
_GATEWAY = "kubeegressgateway.azure.com/mode"
_GOING = "ToBeDeletedByClusterAutoscaler"
_NEW = "node.cloudprovider.kubernetes.io/uninitialized"
_OF_SERVICE = "kubernetes.io/service-name"


def backend_nodes(api: ApiReader) -> tuple[BackendNode, ...]:
    """All nodes, sorted by name. Raises EnvironmentProblem."""
    found = map(_node, api.items("/api/v1/nodes"))
    return tuple(sorted(found, key=lambda node: node.name))


def _node(found: Json) -> BackendNode:
    metadata, spec, status = found["metadata"], found.get("spec") or {}, found.get("status") or {}
    return BackendNode(
        name=str(metadata["name"]),
        machine=str(spec.get("providerID") or "").removeprefix("azure://").lower(),
        addresses=tuple(
            str(one["address"])
            for one in status.get("addresses") or ()
            if one.get("type") == "InternalIP"
        ),
        spared=_spared(metadata.get("labels") or {}, spec, status),
    )


def _spared(labels: Json, spec: Json, status: Json) -> str:
    taints = {str(one.get("key")) for one in spec.get("taints") or ()}
    conditions = {one.get("type"): one.get("status") for one in status.get("conditions") or ()}
    if _EXCLUDED in labels:
        return f"label {_EXCLUDED}"
    if labels.get("type") == "virtual-kubelet":
        return "a virtual node"
    if labels.get(_MANAGED) == "false":
        return f"label {_MANAGED}=false"
    if _GATEWAY in labels:
        return "a node of an egress gateway"
    for taint in (_GOING, _NEW):
        if taint in taints:
            return f"taint {taint}"
    return "" if conditions.get("Ready") == "True" else "not Ready"


def balanced_services(api: ApiReader) -> tuple[BalancedService, ...]:
    """Services of type LoadBalancer that Azure's cloud provider has given addresses.

    Not those of another class, without an address yet, or on their way out. Raises
    EnvironmentProblem.
    """
    services = [one for one in api.items("/api/v1/services") if _is_balanced(one)]
    slices = api.items("/apis/discovery.k8s.io/v1/endpointslices") if services else ()
    ready = _ready_nodes(slices)
    return tuple(_service(one, ready.get(_key(one), set())) for one in services)


def service_uids(api: ApiReader) -> frozenset[str]:
    """The uids of all Services, those on their way out too. Raises EnvironmentProblem."""
    return frozenset(str(one["metadata"].get("uid")) for one in api.items("/api/v1/services"))


def _is_balanced(found: Json) -> bool:
    spec = found.get("spec") or {}
    return (
        spec.get("type") == "LoadBalancer"
        and not spec.get("loadBalancerClass")
        and "deletionTimestamp" not in found["metadata"]
        and bool(_addresses(found))
    )


def _addresses(found: Json) -> tuple[str, ...]:
    ingress = ((found.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    return tuple(str(one["ip"]) for one in ingress if one.get("ip"))


def _key(found: Json) -> str:
    return f"{found['metadata']['namespace']}/{found['metadata']['name']}"


def _service(found: Json, ready_on: set[str]) -> BalancedService:
    spec = found["spec"]
    return BalancedService(
        key=_key(found),
        uid=str(found["metadata"].get("uid") or ""),
        addresses=_addresses(found),
        ports=tuple(
            (str(one.get("protocol") or "TCP").lower(), int(one["port"]))
            for one in spec.get("ports") or ()
        ),
        local=spec.get("externalTrafficPolicy") == "Local",
        annotations=found["metadata"].get("annotations") or {},
        ready_on=frozenset(ready_on),
    )


def _ready_nodes(slices: Iterable[Json]) -> dict[str, set[str]]:
    """Nodes with a ready endpoint, by Service. A condition that is not said is true."""
    nodes: dict[str, set[str]] = {}
    for one in slices:
        name = (one["metadata"].get("labels") or {}).get(_OF_SERVICE)
        for endpoint in one.get("endpoints") or ():
            ready = (endpoint.get("conditions") or {}).get("ready")
            if name and endpoint.get("nodeName") and ready is not False:
                key = f"{one['metadata']['namespace']}/{name}"
                nodes.setdefault(key, set()).add(str(endpoint["nodeName"]))
    return nodes
