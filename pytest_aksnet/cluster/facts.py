"""The network profile of a cluster: what its own objects prove, each fact with its source.

Rules over `evidence`, pure but for `read_profile`. Nothing is guessed: what only AKS has stays
unknown elsewhere, and sources that disagree are kept as conflicts. How AKS modes show in a cluster:
node labels podnetwork-type (overlay, vnet, vnetblock) and azure-cni-overlay; the non-masquerade
ranges of azure-ip-masq-agent (overlay: the pod range; node subnet: the whole virtual network);
azure-cns where addresses come from the Azure IPAM; Node.spec.podCIDR with kubenet.
"""

import ipaddress
import re
from collections.abc import Callable, Mapping

from pytest_aksnet.cluster import platform_facts
from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.evidence import (
    CILIUM_CONFIG,
    COREDNS_CONFIG,
    KUBE_PROXY_CONFIG,
    MASQ_CONFIG,
    Evidence,
    gather,
)
from pytest_aksnet.cluster.findings import Finding, Seen, Unknown
from pytest_aksnet.cluster.overrides import checked_overrides
from pytest_aksnet.cluster.reading import (
    LABEL,
    cilium_config,
    daemon_set,
    is_aks,
    joined,
    labels_of,
    listed,
    node_addresses,
    non_masquerade,
    pod_cidrs_of,
    proxy_mode_argument,
    proxy_mode_configured,
    words_of,
)
from pytest_aksnet.model.profile import FACTS, OF_AZURE, Elsewhere, Fact, NetworkProfile

_POD_NETWORK_TYPES = {"overlay": "overlay", "vnet": "pod-subnet", "vnetblock": "pod-subnet"}
_ENGINES = {
    "calico-node": "calico",
    "canal": "calico",
    "azure-npm": "azure",
    "cilium": "cilium",
    "kube-network-policies": "other",
    "antrea-agent": "other",
    "kube-router": "other",
    "weave-net": "other",
    "ovnkube-node": "other",
}
_NOWHERE_ELSE = Elsewhere()
_ONLY_AKS = "only AKS has it, and this cluster shows no sign of AKS"
_COREFILE_ZONE = re.compile(r"^\s*kubernetes\s+([A-Za-z0-9.-]+)", re.MULTILINE)


def read_profile(
    cluster: Cluster,
    overrides: Mapping[str, str],
    elsewhere: Callable[[], Elsewhere] | None = None,
) -> NetworkProfile:
    """Every fact that is proven; `overrides` (--aksnet-profile) win.

    `elsewhere` tells what is known outside of the cluster. Raises SettingsError for an override
    that is unknown or cannot be read, before asking the cluster, and EnvironmentProblem where the
    cluster cannot be asked.
    """
    checked_overrides(overrides)
    evidence = gather(cluster)
    return profile_of(evidence, overrides, elsewhere() if elsewhere else _NOWHERE_ELSE)


def profile_of(
    evidence: Evidence, overrides: Mapping[str, str], elsewhere: Elsewhere = _NOWHERE_ELSE
) -> NetworkProfile:
    """The profile that all of this proves: overrides first, then the cluster. SettingsError."""
    facts: dict[str, Fact] = {}
    unknown: dict[str, str] = {}
    given = checked_overrides(overrides)
    for name in FACTS:
        finding = _RULES[name](evidence)
        seen = finding if isinstance(finding, list) else []
        seen = [*seen, *(Seen(*one) for one in elsewhere.facts.get(name, ()))]
        if name in given:
            seen = [Seen(given[name], "--aksnet-profile"), *seen]
        if not seen:
            why = finding.why if isinstance(finding, Unknown) else "nothing says it"
            unknown[name] = f"{why}; {elsewhere.no_azure}" if name in OF_AZURE else why
            continue
        facts[name] = Fact(
            value=seen[0].value,
            source=seen[0].source,
            conflicts=tuple(
                f"{other.source} says {other.value}"
                for other in seen[1:]
                if other.value != seen[0].value
            ),
        )
    return NetworkProfile(
        facts=facts, unknown=unknown, azure=elsewhere.azure, no_azure=elsewhere.no_azure
    )


def _mode(evidence: Evidence) -> Finding:
    if not is_aks(evidence):
        return Unknown(_ONLY_AKS)
    seen = [
        *_mode_by_label(evidence),
        *_mode_by_pod_cidrs(evidence),
        *_mode_by_masquerade(evidence),
    ]
    if seen:
        return seen
    if "daemonsets" in evidence.missing:
        return Unknown(
            f"no node label tells it, and of DaemonSets {evidence.missing['daemonsets']}"
        )
    if daemon_set(evidence, "azure-cns"):
        return [Seen("pod-subnet", "DaemonSet azure-cns without azure-ip-masq-agent's ranges")]
    if not daemon_set(evidence, "azure-ip-masq-agent"):
        return [Seen("byo", "neither azure-cns nor azure-ip-masq-agent runs")]
    return Unknown(
        f"no node label tells it, and of ConfigMap {MASQ_CONFIG}: "
        f"{evidence.missing.get(MASQ_CONFIG, 'it lists no range')}"
    )


def _mode_by_label(evidence: Evidence) -> list[Seen]:
    seen: dict[str, Seen] = {}
    for node in evidence.nodes:
        labels, name = labels_of(node), node["metadata"]["name"]
        kind = labels.get(f"{LABEL}podnetwork-type", "")
        if kind in _POD_NETWORK_TYPES:
            source = f"label {LABEL}podnetwork-type={kind} of node {name}"
            seen.setdefault(_POD_NETWORK_TYPES[kind], Seen(_POD_NETWORK_TYPES[kind], source))
        elif labels.get(f"{LABEL}azure-cni-overlay") == "true":
            source = f"label {LABEL}azure-cni-overlay=true of node {name}"
            seen.setdefault("overlay", Seen("overlay", source))
    return list(seen.values())


def _mode_by_pod_cidrs(evidence: Evidence) -> list[Seen]:
    """Only kubenet takes pod addresses from the nodes' ranges; BYO CNIs run no masquerade agent."""
    agent, cns = daemon_set(evidence, "azure-ip-masq-agent"), daemon_set(evidence, "azure-cns")
    if agent is None or cns is not None:
        return []
    if not evidence.nodes or not all(pod_cidrs_of(node) for node in evidence.nodes):
        return []
    source = "every node has a podCIDR; azure-ip-masq-agent runs and azure-cns does not"
    return [Seen("kubenet", source)]


def _mode_by_masquerade(evidence: Evidence) -> list[Seen]:
    ranges = non_masquerade(evidence)
    addresses = node_addresses(evidence)
    if not ranges or not addresses:
        return []
    source = f"ConfigMap {MASQ_CONFIG}: nonMasqueradeCIDRs {listed(ranges)}"
    inside = [any(address in network for network in ranges) for address in addresses]
    if all(inside):
        return [Seen("node-subnet", f"{source} contain the nodes' addresses")]
    if any(inside) or "daemonsets" in evidence.missing:
        return []
    if daemon_set(evidence, "azure-cns"):
        return [Seen("overlay", f"{source} contain no node address; azure-cns runs")]
    if any(pod_cidrs_of(node) for node in evidence.nodes):
        return [Seen("kubenet", f"{source} contain no node address; nodes have a podCIDR")]
    return []


def _policy_engine(evidence: Evidence) -> Finding:
    if "daemonsets" in evidence.missing:
        return Unknown(f"of DaemonSets: {evidence.missing['daemonsets']}")
    seen = []
    for found in evidence.daemon_sets:
        metadata = found["metadata"]
        engine = _ENGINES.get(metadata["name"])
        if engine == "cilium" and cilium_config(evidence).get("enable-policy") == "never":
            seen.append(Seen("none", f"ConfigMap {CILIUM_CONFIG}: enable-policy is never"))
        elif engine:
            seen.append(Seen(engine, f"DaemonSet {metadata['namespace']}/{metadata['name']}"))
    if seen:
        return seen
    if is_aks(evidence):
        return [Seen("none", "no DaemonSet of Calico, Cilium or Azure NPM runs")]
    return Unknown("no DaemonSet of a known policy engine runs, but another one may enforce")


def _pod_cidrs(evidence: Evidence) -> Finding:
    seen = []
    masquerade = non_masquerade(evidence)
    if masquerade:
        seen.append(Seen(listed(masquerade), f"ConfigMap {MASQ_CONFIG}: nonMasqueradeCIDRs"))
    of_nodes = [cidr for node in evidence.nodes for cidr in pod_cidrs_of(node)]
    if of_nodes and not masquerade:
        seen.append(Seen(listed(joined(of_nodes)), "spec.podCIDRs of the nodes"))
    if not seen:
        return Unknown("neither azure-ip-masq-agent nor the nodes' spec.podCIDRs list them")
    ranges = [ipaddress.ip_network(part) for part in seen[0].value.split(",")]
    for text in evidence.pod_ips:
        address = ipaddress.ip_address(text)
        if not any(address in network for network in ranges):
            seen.append(Seen(f"{text} too", "the address of a pod in kube-system"))
            break
    return seen


def _service_cidrs(evidence: Evidence) -> Finding:
    if evidence.service_cidrs:
        return [Seen(listed(joined(evidence.service_cidrs)), "the ServiceCIDR objects")]
    why = evidence.missing.get("servicecidrs", "the cluster has none")
    return Unknown(f"of ServiceCIDR objects (Kubernetes 1.33 on): {why}")


def _node_cidrs(_: Evidence) -> Finding:
    return Unknown("the nodes' addresses are known, but not their subnets")


def _vnet_cidrs(evidence: Evidence) -> Finding:
    mode = _mode(evidence)
    if isinstance(mode, list) and mode[0].value == "node-subnet":
        ranges = non_masquerade(evidence)
        if ranges:
            source = f"ConfigMap {MASQ_CONFIG}: AKS lists the ranges of the virtual network there"
            return [Seen(listed(ranges), source)]
    return Unknown("in this network mode no object lists the ranges of the virtual network")


def _cluster_domain(evidence: Evidence) -> Finding:
    corefile = evidence.config_maps.get(COREDNS_CONFIG, {}).get("Corefile", "")
    zone = _COREFILE_ZONE.search(corefile)
    if zone:
        source = f"ConfigMap {COREDNS_CONFIG}: plugin kubernetes in the Corefile"
        return [Seen(zone[1].rstrip("."), source)]
    why = evidence.missing.get(COREDNS_CONFIG, "its Corefile has no plugin kubernetes")
    return Unknown(f"of ConfigMap kube-system/{COREDNS_CONFIG}: {why}")


def _kube_proxy_mode(evidence: Evidence) -> Finding:
    if "daemonsets" in evidence.missing:
        return Unknown(f"of DaemonSets: {evidence.missing['daemonsets']}")
    proxy = daemon_set(evidence, "kube-proxy")
    if proxy is None:
        replacement = cilium_config(evidence).get("kube-proxy-replacement", "")
        if replacement in ("true", "strict"):
            return [
                Seen("none", f"ConfigMap {CILIUM_CONFIG}: kube-proxy-replacement {replacement}")
            ]
        if is_aks(evidence) and daemon_set(evidence, "cilium"):
            return [Seen("none", "cilium runs and kube-proxy does not")]
        return Unknown("there is no DaemonSet kube-proxy, and nothing says what replaces it")
    argument = proxy_mode_argument(proxy)
    if argument:
        return [Seen(argument, "arguments of DaemonSet kube-proxy")]
    configured = proxy_mode_configured(evidence.config_maps.get(KUBE_PROXY_CONFIG, {}))
    if configured is not None:
        source = f"ConfigMap kube-system/{KUBE_PROXY_CONFIG}"
        return [Seen(configured or "iptables", source if configured else f"{source} (default)")]
    if any("--config" in word for word in words_of(proxy)):
        return Unknown("kube-proxy has a configuration file that is in no ConfigMap known here")
    return [Seen("iptables", "DaemonSet kube-proxy names no mode (default on Linux)")]


def _in_azure_only(_: Evidence) -> Finding:
    return Unknown("nothing in the cluster says it")


_RULES: Mapping[str, Callable[[Evidence], Finding]] = {
    "mode": _mode,
    "policy-engine": _policy_engine,
    "pod-cidrs": _pod_cidrs,
    "service-cidrs": _service_cidrs,
    "node-cidrs": _node_cidrs,
    "vnet-cidrs": _vnet_cidrs,
    "cluster-domain": _cluster_domain,
    "dns-service-ip": platform_facts.dns_service_ip,
    "kube-proxy-mode": _kube_proxy_mode,
    "egress-ips": _in_azure_only,
    "kubernetes-version": platform_facts.kubernetes_version,
    "cloud": platform_facts.cloud,
    "region": platform_facts.region,
    "ip-families": platform_facts.ip_families,
    "data-plane": platform_facts.data_plane,
    "ebpf-host-routing": platform_facts.ebpf_host_routing,
    "local-dns": platform_facts.local_dns,
    "max-pods": platform_facts.max_pods,
    "api-server": platform_facts.api_server,
    "outbound-type": _in_azure_only,
    "load-balancer-sku": _in_azure_only,
    "support-plan": _in_azure_only,
}
