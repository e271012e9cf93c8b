"""Readings that several facts share: labels, DaemonSets, settings and ranges out of API objects.

Pure. What cannot be read is left out, never guessed: the rules in `facts` say what that means.
"""

import ipaddress
import re
from collections.abc import Iterable, Mapping

import yaml

from pytest_aksnet.cluster.evidence import CILIUM_CONFIG, MASQ_CONFIG, Evidence
from pytest_aksnet.model.api import Json

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
LABEL = "kubernetes.azure.com/"
_POOL_LABELS = (f"{LABEL}agentpool", "agentpool")


def labels_of(node: Json) -> Mapping[str, str]:
    """The labels of an object."""
    return node["metadata"].get("labels") or {}


def is_aks(evidence: Evidence) -> bool:
    """Whether AKS made the nodes: it labels them with their cluster."""
    return any(f"{LABEL}cluster" in labels_of(node) for node in evidence.nodes)


def pool_of(node: Json) -> str:
    """The agent pool of a node, empty where no label tells it."""
    labels = labels_of(node)
    return next((labels[key] for key in _POOL_LABELS if labels.get(key)), "")


def daemon_set(evidence: Evidence, name: str) -> Json | None:
    """The DaemonSet of that name, in whatever namespace."""
    return next((ds for ds in evidence.daemon_sets if ds["metadata"]["name"] == name), None)


def cilium_config(evidence: Evidence) -> Mapping[str, str]:
    """Cilium's own settings."""
    return evidence.config_maps.get(CILIUM_CONFIG, {})


def words_of(daemon_set: Json) -> list[str]:
    """Every word of the commands of a DaemonSet."""
    template = (daemon_set.get("spec") or {}).get("template") or {}
    return [
        str(word)
        for container in (template.get("spec") or {}).get("containers") or ()
        for word in (*(container.get("command") or ()), *(container.get("args") or ()))
    ]


def proxy_mode_argument(proxy: Json) -> str:
    """What --proxy-mode says; empty where it is not given."""
    found = re.search(r"--proxy-mode[= ]+(\w+)", " ".join(words_of(proxy)))
    return found[1] if found else ""


def proxy_mode_configured(data: Mapping[str, str]) -> str | None:
    """The mode in a KubeProxyConfiguration; empty for its default, None where there is none."""
    for text in data.values():
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError:
            continue
        if isinstance(document, dict) and document.get("kind") == "KubeProxyConfiguration":
            return str(document.get("mode") or "")
    return None


def node_addresses(
    evidence: Evidence,
) -> list[ipaddress.IPv4Address | ipaddress.IPv6Address]:
    """The InternalIPs of all nodes."""
    return [
        ipaddress.ip_address(address["address"])
        for node in evidence.nodes
        for address in node["status"].get("addresses") or ()
        if address.get("type") == "InternalIP"
    ]


def pod_cidrs_of(node: Json) -> list[str]:
    """The pod ranges that the cluster gave a node."""
    spec = node.get("spec") or {}
    return list(spec.get("podCIDRs") or ([spec["podCIDR"]] if spec.get("podCIDR") else []))


def non_masquerade(evidence: Evidence) -> list[Network]:
    """The ranges that AKS keeps from masquerade; keys are read without regard to case."""
    ranges: list[str] = []
    for name, text in evidence.config_maps.get(MASQ_CONFIG, {}).items():
        if not name.startswith("ip-masq"):
            continue
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError:
            continue
        if isinstance(document, dict):
            for key, value in document.items():
                if str(key).lower() == "nonmasqueradecidrs" and isinstance(value, list):
                    ranges.extend(str(cidr) for cidr in value)
    return joined(ranges)


def joined(ranges: Iterable[str]) -> list[Network]:
    """Ranges as networks, adjoining ones joined, sorted; what is no range is left out."""
    four: list[ipaddress.IPv4Network] = []
    six: list[ipaddress.IPv6Network] = []
    for text in ranges:
        try:
            network = ipaddress.ip_network(text.strip(), strict=False)
        except ValueError:
            continue
        if isinstance(network, ipaddress.IPv4Network):
            four.append(network)
        else:
            six.append(network)
    return [*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)]


def listed(ranges: Iterable[Network]) -> str:
    """Ranges as a fact holds them: comma separated."""
    return ",".join(map(str, ranges))
