"""Facts of the platform under the network: cloud, version, families, data plane, API server.

Rules over `evidence`, pure. Sources: AKS docs (use-labels, localdns-custom,
container-network-performance-ebpf-host-routing, private-clusters), Kubernetes docs (dual-stack).
"""

import ipaddress
import re
from collections.abc import Iterable

from pytest_aksnet.cluster.evidence import Evidence
from pytest_aksnet.cluster.findings import Finding, Seen, Unknown
from pytest_aksnet.cluster.reading import LABEL, daemon_set, is_aks, labels_of, pool_of
from pytest_aksnet.model.api import Json

_REGION_LABEL = "topology.kubernetes.io/region"
_LOCAL_DNS_LABEL = f"{LABEL}localdns-state"
_HOST_ROUTING_LABEL = f"{LABEL}ebpf-host-routing"
_DATA_PLANE_LABEL = f"{LABEL}ebpf-dataplane"
_PRIVATE_API = re.compile(r"\.(privatelink|private)\.[a-z0-9.-]*azmk8s\.(io|cn|us)$")
_AKS_API = re.compile(r"\.azmk8s\.(io|cn|us)$")


def cloud(evidence: Evidence) -> Finding:
    """Azure, as the nodes' providerID says, or another one."""
    providers: dict[str, str] = {}
    for node in evidence.nodes:
        provider = str((node.get("spec") or {}).get("providerID") or "").partition(":")[0]
        value = "azure" if provider == "azure" else "other"
        source = f"spec.providerID of node {node['metadata']['name']} ({provider or 'empty'})"
        providers.setdefault(value, source)
    if not providers:
        return Unknown("the cluster has no node")
    return [Seen(value, source) for value, source in providers.items()]


def kubernetes_version(evidence: Evidence) -> Finding:
    """What the API server says of itself."""
    if not evidence.version:
        return Unknown("the API server names none")
    return [Seen(evidence.version, "/version of the API server")]


def dns_service_ip(evidence: Evidence) -> Finding:
    """The cluster IP of the Service kube-dns."""
    if evidence.dns_service is None:
        return Unknown(f"of Service kube-system/kube-dns: {evidence.missing.get('kube-dns', '')}")
    return [Seen(evidence.dns_service["spec"]["clusterIP"], "Service kube-system/kube-dns")]


def region(evidence: Evidence) -> Finding:
    """The region label, of whatever cloud."""
    seen: dict[str, Seen] = {}
    for node in evidence.nodes:
        value = labels_of(node).get(_REGION_LABEL, "")
        if value:
            source = f"label {_REGION_LABEL} of node {node['metadata']['name']}"
            seen.setdefault(value, Seen(value, source))
    return list(seen.values()) or Unknown(f"no node has the label {_REGION_LABEL}")


def ip_families(evidence: Evidence) -> Finding:
    """The families of the ranges of Services, and of the addresses of pods."""
    seen = []
    if evidence.service_cidrs:
        seen.append(Seen(_families(evidence.service_cidrs), "the ServiceCIDR objects"))
    if evidence.pod_ips:
        seen.append(Seen(_families(evidence.pod_ips), "addresses of pods in kube-system"))
    return seen or Unknown("neither ServiceCIDR objects nor pods of kube-system could be read")


def _families(addresses: Iterable[str]) -> str:
    versions = {ipaddress.ip_interface(address).version for address in addresses}
    return ",".join(f"ipv{version}" for version in sorted(versions))


def data_plane(evidence: Evidence) -> Finding:
    """Cilium where its agent runs; else Azure's own, which only AKS has."""
    seen = [
        Seen("cilium", f"label {_DATA_PLANE_LABEL}=cilium of node {node['metadata']['name']}")
        for node in evidence.nodes
        if labels_of(node).get(_DATA_PLANE_LABEL) == "cilium"
    ][:1]
    if "daemonsets" in evidence.missing:
        return seen or Unknown(f"of DaemonSets: {evidence.missing['daemonsets']}")
    if daemon_set(evidence, "cilium"):
        return [*seen, Seen("cilium", "a DaemonSet cilium runs")]
    if is_aks(evidence):
        return [*seen, Seen("azure", "an AKS cluster without a DaemonSet cilium")]
    return [*seen, Seen("other", "no sign of AKS, and no DaemonSet cilium")]


def ebpf_host_routing(evidence: Evidence) -> Finding:
    """Whether packets of pods pass by the hosts' iptables."""
    routed = _labelled(evidence.nodes, _HOST_ROUTING_LABEL, "true")
    if routed:
        return [Seen("yes", f"label {_HOST_ROUTING_LABEL}=true of {_some(routed)}")]
    if is_aks(evidence):
        return [Seen("no", f"no node has the label {_HOST_ROUTING_LABEL}=true")]
    return Unknown("only AKS labels its nodes with it, and this cluster shows no sign of AKS")


def local_dns(evidence: Evidence) -> Finding:
    """Whether nodes have AKS's LocalDNS."""
    with_it = _labelled(evidence.nodes, _LOCAL_DNS_LABEL, "enabled")
    if not with_it:
        return [Seen("off", f"no node has the label {_LOCAL_DNS_LABEL}=enabled")]
    value = "on" if len(with_it) == len(evidence.nodes) else "some"
    return [Seen(value, f"label {_LOCAL_DNS_LABEL}=enabled of {_some(with_it)}")]


def max_pods(evidence: Evidence) -> Finding:
    """What kubelets say that they take, the least of each pool."""
    least: dict[str, int] = {}
    for node in evidence.nodes:
        text = str(((node.get("status") or {}).get("capacity") or {}).get("pods", ""))
        if not text.isdecimal():
            return Unknown(f"node {node['metadata']['name']} does not say how many pods it takes")
        pool = pool_of(node) or "nodes"
        least[pool] = min(int(text), least.get(pool, int(text)))
    if not least:
        return Unknown("the cluster has no node")
    value = ",".join(f"{pool}={number}" for pool, number in sorted(least.items()))
    return [Seen(value, "status.capacity.pods of the nodes")]


def api_server(evidence: Evidence) -> Finding:
    """Private where the kubeconfig has a name of a private zone; any other name may be either."""
    if _PRIVATE_API.search(evidence.server_host):
        return [Seen("private", f"the kubeconfig's server {evidence.server_host}")]
    if _AKS_API.search(evidence.server_host):
        return Unknown(f"{evidence.server_host} may be public or private: only ARM knows")
    return Unknown(f"the kubeconfig's server {evidence.server_host} is no name of AKS")


def _labelled(nodes: Iterable[Json], label: str, value: str) -> list[str]:
    return [str(node["metadata"]["name"]) for node in nodes if labels_of(node).get(label) == value]


def _some(names: list[str]) -> str:
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    return f"node {names[0]}{more}"
