"""What AKS runs on nodes for the network, and its configuration: DaemonSets and ConfigMaps.

Which of them there are follows from mode, engine and kube-proxy's mode (AKS docs:
"concepts-network-cni-overview", "azure-cni-powered-by-cilium", "use-network-policies",
"configure-kube-proxy"; Azure/azure-container-networking: cns and npm manifests). They are real
objects with real pods, but their programs only pause: the lab's network does their work.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import CONFIG_MAPS, DAEMON_SETS, DEPLOYMENTS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.spec import LabSpec

MASQUERADE_CONFIG = ("kube-system", "azure-ip-masq-agent-config-reconciled")
CALICO_NAMESPACE = "calico-system"
_REGISTRY = "mcr.microsoft.com"
_SYSTEM = "kube-system"
_RECONCILED = {"addonmanager.kubernetes.io/mode": "Reconcile"}
_OPERATOR_REPLICAS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A DaemonSet: its namespace, name and image, and the command that its pods show."""

    namespace: str = _SYSTEM
    name: str
    image: str
    command: tuple[str, ...] = ()


def agents(spec: LabSpec) -> list[Agent]:
    """The DaemonSets of a cluster."""
    found = []
    if spec.mode != "pod-subnet":
        found.append(
            Agent(
                name="azure-ip-masq-agent",
                image=f"{_REGISTRY}/oss/v2/azure/ip-masq-agent-v2:v0.1.15-2",
            )
        )
    if spec.engine == "cilium":
        found.append(Agent(name="cilium", image=f"{_REGISTRY}/oss/cilium/cilium:v1.18.6"))
    else:
        found.append(
            Agent(
                name="kube-proxy",
                image=f"{_REGISTRY}/oss/v2/kubernetes/kube-proxy:{spec.kubernetes_version}",
                command=_kube_proxy(spec),
            )
        )
    if spec.mode in ("overlay", "pod-subnet") or spec.engine == "cilium":
        found.append(
            Agent(name="azure-cns", image=f"{_REGISTRY}/containernetworking/azure-cns:v1.6.33")
        )
    if spec.engine == "azure":
        found.append(
            Agent(name="azure-npm", image=f"{_REGISTRY}/containernetworking/azure-npm:v1.6.29")
        )
    if spec.engine == "calico":
        found.append(
            Agent(
                namespace=CALICO_NAMESPACE,
                name="calico-node",
                image=f"{_REGISTRY}/oss/calico/node:v3.30.3",
            )
        )
    return found


def images(spec: LabSpec) -> tuple[str, ...]:
    """References of their images."""
    found = tuple(agent.image for agent in agents(spec))
    return (*found, _operator_image()) if spec.engine == "cilium" else found


def create_agents(store: Store, spec: LabSpec) -> None:
    """Create DaemonSets, ConfigMaps, and Cilium's operator."""
    for config in _config_maps(spec):
        store.create(CONFIG_MAPS, config, _SYSTEM)
    for agent in agents(spec):
        store.create(DAEMON_SETS, _daemon_set(agent), agent.namespace)
    if spec.engine == "cilium":
        store.create(DEPLOYMENTS, _cilium_operator(), _SYSTEM)


def masquerade_config(cidrs: Sequence[str]) -> JsonObject:
    """The ConfigMap that azure-ip-masq-agent reads, with this nonMasqueradeCIDRs list.

    AKS writes the keys with a capital letter; the agent takes them either way.
    """
    listed = "".join(f"\n  - {cidr}" for cidr in cidrs) or " []"
    text = f"NonMasqueradeCIDRs:{listed}\nMasqLinkLocal: true\n"
    if any(":" in cidr for cidr in cidrs):
        text += "MasqLinkLocalIPv6: true\n"
    return {
        "metadata": {
            "name": MASQUERADE_CONFIG[1],
            "labels": {**_RECONCILED, "component": "ip-masq-agent"},
        },
        "data": {"ip-masq-agent-reconciled": text},
    }


def _kube_proxy(spec: LabSpec) -> tuple[str, ...]:
    """kube-proxy's command line; no word of the mode where it is the default, iptables."""
    mode = () if spec.kube_proxy == "iptables" else (f"--proxy-mode={spec.kube_proxy}",)
    return (
        "kube-proxy",
        "--conntrack-max-per-core=0",
        "--metrics-bind-address=0.0.0.0:10249",
        "--kubeconfig=/var/lib/kubelet/kubeconfig",
        f"--cluster-cidr={','.join(spec.cluster_cidrs)}",
        "--detect-local-mode=ClusterCIDR",
        "--v=3",
        *mode,
    )


def _config_maps(spec: LabSpec) -> list[JsonObject]:
    found = []
    if spec.mode != "pod-subnet":
        found.append(masquerade_config(spec.non_masquerade_cidrs))
    if spec.engine == "cilium":
        found.append({"metadata": {"name": "cilium-config"}, "data": _cilium_config(spec)})
    if spec.engine == "azure":
        config = json.dumps(_NPM_CONFIG, indent=4)
        found.append(
            {
                "metadata": {"name": "azure-npm-config", "labels": _RECONCILED},
                "data": {"azure-npm.json": config},
            }
        )
    return found


def _cilium_config(spec: LabSpec) -> dict[str, str]:
    """Of Azure/azure-container-networking: test/integration/manifests/cilium/v1.17."""
    return {
        "bpf-lb-mode": "snat",
        "cluster-name": "default",
        "enable-internal-traffic-policy": "true",
        "enable-ipv4": "true",
        "enable-ipv4-masquerade": "false",
        "enable-ipv6": "true" if spec.dual_stack else "false",
        "enable-ipv6-masquerade": "false",
        "enable-local-redirect-policy": "true",
        "enable-policy": "default",
        "enable-sctp": "false",
        "enable-source-ip-verification": "true",
        "ipam": "delegated-plugin",
        "kube-proxy-replacement": "true",
        "kube-proxy-replacement-healthz-bind-address": "0.0.0.0:10256",
        "routing-mode": "native",
    }


# Azure/azure-container-networking: npm/azure-npm.yaml.
_NPM_CONFIG = {
    "ResyncPeriodInMinutes": 15,
    "ListeningPort": 10091,
    "ListeningAddress": "0.0.0.0",
    "NetPolInvervalInMilliseconds": 500,
    "MaxPendingNetPols": 100,
    "Toggles": {
        "EnablePrometheusMetrics": True,
        "EnablePprof": True,
        "EnableHTTPDebugAPI": True,
        "EnableV2NPM": True,
        "PlaceAzureChainFirst": True,
        "ApplyIPSetsOnNeed": False,
        "NetPolInBackground": True,
    },
    "LogLevel": "info",
}


def _operator_image() -> str:
    return f"{_REGISTRY}/oss/cilium/operator-generic:v1.18.6"


def _cilium_operator() -> JsonObject:
    labels = {"io.cilium/app": "operator", "name": "cilium-operator"}
    pod = {
        **_pod_spec("cilium-operator", _operator_image(), ()),
        "priorityClassName": "system-cluster-critical",
    }
    return {
        "metadata": {"name": "cilium-operator", "labels": labels},
        "spec": {
            "replicas": _OPERATOR_REPLICAS,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _daemon_set(agent: Agent) -> JsonObject:
    labels = {"k8s-app": agent.name}
    return {
        "metadata": {"name": agent.name, "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": _pod_spec(agent.name, agent.image, agent.command),
            },
        },
    }


def _pod_spec(name: str, image: str, command: Sequence[str]) -> JsonObject:
    container: JsonObject = {
        "name": name,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "resources": {"requests": {"cpu": "40m", "memory": "25Mi"}},
    }
    if command:
        container["command"] = [*command]
    return {
        "hostNetwork": True,
        "priorityClassName": "system-node-critical",
        "tolerations": [{"operator": "Exists"}],
        "containers": [container],
    }
