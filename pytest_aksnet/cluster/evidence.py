"""What a cluster says about its own network: objects read once, nothing concluded.

A missing right or object is kept in words, so that a fact which rests on it can say why it is
unknown. Reads only: nodes, DaemonSets, Services, ServiceCIDRs, and named ConfigMaps.
"""

import urllib.parse
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.rest import path_of
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import ApiRefused

MASQ_CONFIG = "azure-ip-masq-agent-config-reconciled"
COREDNS_CONFIG = "coredns"
CILIUM_CONFIG = "cilium-config"
KUBE_PROXY_CONFIG = "kube-proxy"
CONFIG_MAPS = (MASQ_CONFIG, COREDNS_CONFIG, CILIUM_CONFIG, KUBE_PROXY_CONFIG)
SYSTEM = "kube-system"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """`config_maps` holds the data of those of CONFIG_MAPS that are there, `server_host` the host
    that the kubeconfig names as the API server.

    `pod_ips` are addresses of pods of kube-system that do not use their node's network. `missing`
    says in words what could not be read, by its key: "daemonsets", "pods", "servicecidrs",
    "kube-dns", or the name of a ConfigMap.
    """

    version: str
    nodes: tuple[Json, ...]
    server_host: str = ""
    daemon_sets: tuple[Json, ...] = ()
    pod_ips: tuple[str, ...] = ()
    config_maps: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    service_cidrs: tuple[str, ...] = ()
    dns_service: Json | None = None
    missing: Mapping[str, str] = field(default_factory=dict)


def gather(cluster: Cluster) -> Evidence:
    """Read everything at once. Raises EnvironmentProblem only where the cluster cannot be asked."""
    with ThreadPoolExecutor(4, "aksnet-facts") as pool:
        nodes = pool.submit(cluster.rest.items, "/api/v1/nodes")
        lists = {
            key: pool.submit(_items, cluster, path)
            for key, path in (
                ("daemonsets", "/apis/apps/v1/daemonsets"),
                ("pods", path_of("api", "v1", "namespaces", SYSTEM, "pods")),
                ("servicecidrs", "/apis/networking.k8s.io/v1/servicecidrs"),
            )
        }
        objects = {
            name: pool.submit(
                _object, cluster, path_of("api", "v1", "namespaces", SYSTEM, kind, name)
            )
            for kind, name in (
                *(("configmaps", name) for name in CONFIG_MAPS),
                ("services", "kube-dns"),
            )
        }
        found_lists = {key: future.result() for key, future in lists.items()}
        found = {name: future.result() for name, future in objects.items()}
        all_nodes = tuple(nodes.result())
    missing = {key: read for key, read in {**found_lists, **found}.items() if isinstance(read, str)}
    return Evidence(
        version=cluster.version,
        nodes=all_nodes,
        server_host=urllib.parse.urlsplit(cluster.server).hostname or "",
        daemon_sets=_listed(found_lists["daemonsets"]),
        pod_ips=tuple(_pod_ips(_listed(found_lists["pods"]))),
        config_maps={
            name: {str(key): str(value) for key, value in (read.get("data") or {}).items()}
            for name, read in found.items()
            if isinstance(read, dict) and name in CONFIG_MAPS
        },
        service_cidrs=tuple(
            cidr
            for entry in _listed(found_lists["servicecidrs"])
            for cidr in entry.get("spec", {}).get("cidrs") or ()
        ),
        dns_service=_present(found["kube-dns"]),
        missing=missing,
    )


def _items(cluster: Cluster, path: str) -> list[Json] | str:
    try:
        return cluster.rest.items(path)
    except ApiRefused as refused:
        return _why(refused)


def _object(cluster: Cluster, path: str) -> Json | str:
    try:
        return cluster.rest.get(path)
    except ApiRefused as refused:
        return _why(refused)


def _why(refused: ApiRefused) -> str:
    if refused.status == 404:
        return "the cluster has none"
    return "it may not be read" if refused.status == 403 else str(refused)


def _listed(read: list[Json] | str) -> tuple[Json, ...]:
    return () if isinstance(read, str) else tuple(read)


def _present(read: Json | str) -> Json | None:
    return None if isinstance(read, str) else read


def _pod_ips(pods: tuple[Json, ...]) -> list[str]:
    return [
        address["ip"]
        for pod in pods
        if not pod["spec"].get("hostNetwork")
        for address in (pod.get("status") or {}).get("podIPs") or ()
        if address.get("ip")
    ]
