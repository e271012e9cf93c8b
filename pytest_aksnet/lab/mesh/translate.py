"""What sidecars are told, made from the cluster's objects: pure.

Rules are Istio's: the PeerAuthentication closest to a workload counts, then that of its namespace,
then that of the mesh (Istio docs: PeerAuthentication); weights are those of the first http rule
without a match (Istio docs: VirtualService). Sidecars speak mutual TLS to whoever has one.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Object = dict[str, Any]

PROXY = "istio-proxy"
_SERVICE_LABEL = "kubernetes.io/service-name"
_DOMAIN = "svc.cluster.local"


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """The objects; `root` is the namespace of the mesh, `defects` what is broken on purpose."""

    services: Sequence[Object]
    slices: Sequence[Object]
    pods: Sequence[Object]
    authentications: Sequence[Object]
    virtual_services: Sequence[Object]
    destination_rules: Sequence[Object]
    root: str
    defects: frozenset[str] = frozenset()


def config_of(cluster: Cluster) -> Object:
    """`modes` by pod address, `services` by "address:port", and whether the `outside` is open."""
    meshed = {
        pod["status"]["podIP"]: pod
        for pod in cluster.pods
        if _has_sidecar(pod) and (pod.get("status") or {}).get("podIP")
    }
    modes = {address: _mode(cluster, pod) for address, pod in meshed.items()}
    pods = {(pod["status"] or {}).get("podIP"): pod for pod in cluster.pods}
    services: Object = {}
    for service in cluster.services:
        address = service["spec"].get("clusterIP")
        if address in (None, "", "None"):
            continue
        for port in service["spec"].get("ports") or []:
            if port.get("protocol", "TCP") == "TCP":
                endpoints = list(_endpoints(cluster, service, port, modes))
                splits = list(_splits(cluster, service, endpoints, pods))
                services[f"{address}:{port['port']}"] = {"splits": splits}
    return {
        "modes": modes,
        "services": services,
        "outside": "blocks-outside" not in cluster.defects,
    }


def _has_sidecar(pod: Object) -> bool:
    spec = pod["spec"]
    every = [*(spec.get("initContainers") or []), *spec["containers"]]
    return any(one["name"] == PROXY for one in every)


def _mode(cluster: Cluster, pod: Object) -> str:
    """STRICT, PERMISSIVE or DISABLE."""
    if "permissive" in cluster.defects:
        return "PERMISSIVE"
    place, labels = pod["metadata"]["namespace"], pod["metadata"].get("labels") or {}
    best, mode = 0, "PERMISSIVE"
    for one in cluster.authentications:
        spec = one.get("spec") or {}
        wanted = (spec.get("selector") or {}).get("matchLabels") or {}
        said = (spec.get("mtls") or {}).get("mode") or "UNSET"
        where = one["metadata"]["namespace"]
        rank = 1 if where == cluster.root else 0
        if where == place and labels.items() >= wanted.items():
            rank = 3 if wanted else 2
        if said != "UNSET" and rank > best:
            best, mode = rank, said
    return mode


def _endpoints(
    cluster: Cluster, service: Object, port: Object, modes: Mapping[str, str]
) -> Iterator[Object]:
    metadata = service["metadata"]
    for one in cluster.slices:
        if one["metadata"]["namespace"] != metadata["namespace"]:
            continue
        if (one["metadata"].get("labels") or {}).get(_SERVICE_LABEL) != metadata["name"]:
            continue
        if one["addressType"] != "IPv4":
            continue
        numbers = [p["port"] for p in one.get("ports") or [] if _same_name(p, port)]
        for endpoint in one.get("endpoints") or []:
            if numbers and (endpoint.get("conditions") or {}).get("ready", True):
                address = endpoint["addresses"][0]
                mesh = modes.get(address, "DISABLE") != "DISABLE"
                yield {"address": address, "port": numbers[0], "mesh": mesh}


def _same_name(one: Object, other: Object) -> bool:
    return (one.get("name") or "") == (other.get("name") or "")


def _splits(
    cluster: Cluster,
    service: Object,
    endpoints: list[Object],
    pods: Mapping[Any, Object],
) -> Iterator[Object]:
    """Weights and endpoints; all endpoints alike where no VirtualService says otherwise."""
    route = [] if "weights-ignored" in cluster.defects else _route(cluster, service)
    if not route:
        yield {"weight": 1, "endpoints": endpoints}
    for destination in route:
        labels = _subset(cluster, service, destination["destination"].get("subset"))
        chosen = [one for one in endpoints if _labels(pods.get(one["address"])) >= labels.items()]
        yield {"weight": destination.get("weight", 100), "endpoints": chosen}


def _labels(pod: Object | None) -> Any:
    return ((pod or {}).get("metadata", {}).get("labels") or {}).items()


def _route(cluster: Cluster, service: Object) -> list[Object]:
    for one in cluster.virtual_services:
        if any(_is_host(host, one, service) for host in one["spec"].get("hosts") or []):
            for rule in one["spec"].get("http") or []:
                if not rule.get("match"):
                    return list(rule.get("route") or [])
    return []


def _subset(cluster: Cluster, service: Object, name: str | None) -> dict[str, str]:
    for rule in cluster.destination_rules:
        if name and _is_host(rule["spec"].get("host", ""), rule, service):
            for subset in rule["spec"].get("subsets") or []:
                if subset["name"] == name:
                    return dict(subset.get("labels") or {})
    return {}


def _is_host(host: str, owner: Object, service: Object) -> bool:
    """Whether a host, short names in the namespace of their object, is this Service."""
    name, place = service["metadata"]["name"], service["metadata"]["namespace"]
    full = f"{name}.{place}.{_DOMAIN}"
    return host == full or (host == name and owner["metadata"]["namespace"] == place)
