"""Node objects as AKS makes them: labels, provider id, sizes, conditions. Pure.

Source: AKS docs ("Use labels in an AKS cluster", resource reservations) and recorded nodes.
"""

import platform
import uuid
from collections.abc import Sequence
from pathlib import Path

from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.azure.state import CLUSTER_NETWORK, POD_SUBNET
from pytest_aksnet.lab.spec import (
    NODE_RESOURCE_GROUP,
    REGION,
    RESOURCE_GROUP,
    SUBSCRIPTION,
    LabSpec,
    NodeSpec,
)

_IMAGE_VERSION = "AKSUbuntu-2404gen2containerd-202611.01.0"
_RUNTIME = "containerd://2.1.5-1"
_ZERO_ID = "00000000-0000-0000-0000-000000000000"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
_EPHEMERAL_STORAGE = "129886128Ki"
# What AKS reserves of CPU by number of cores, in millicores, for 2 and 8 cores.
_RESERVED_MILLICORES = {2: 100, 4: 140, 8: 180}
_MEBIBYTES_PER_POD = 20
_KUBE_RESERVED_BASE_MIB = 50
_EVICTION_MIB = 100
_CONDITIONS = (
    ("MemoryPressure", "False", "KubeletHasSufficientMemory", "has sufficient memory available"),
    ("DiskPressure", "False", "KubeletHasNoDiskPressure", "has no disk pressure"),
    ("PIDPressure", "False", "KubeletHasSufficientPID", "has sufficient PID available"),
    ("Ready", "True", "KubeletReady", "is posting ready status"),
)


def node_object(spec: LabSpec, node: NodeSpec, images: Sequence[JsonObject]) -> JsonObject:
    """The Node of a machine that is up and has these images, as its status lists them."""
    return {
        "metadata": {
            "name": node.name,
            "labels": labels(spec, node),
            "annotations": {
                "node.alpha.kubernetes.io/ttl": "0",
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            },
        },
        "spec": {**_pod_cidrs(spec, node), "providerID": node.provider_id},
        "status": {**_status(spec, node), "images": [*images]},
    }


def labels(spec: LabSpec, node: NodeSpec) -> dict[str, str]:
    """The labels of an AKS node."""
    architecture = _architecture()
    result = {
        "agentpool": node.pool,
        "beta.kubernetes.io/arch": architecture,
        "beta.kubernetes.io/instance-type": node.instance_type,
        "beta.kubernetes.io/os": "linux",
        "failure-domain.beta.kubernetes.io/region": REGION,
        "failure-domain.beta.kubernetes.io/zone": node.zone,
        "kubernetes.azure.com/agentpool": node.pool,
        "kubernetes.azure.com/cluster": NODE_RESOURCE_GROUP,
        "kubernetes.azure.com/consolidated-additional-properties": _ZERO_ID,
        "kubernetes.azure.com/kubelet-identity-client-id": _ZERO_ID,
        "kubernetes.azure.com/mode": node.pool_mode.lower(),
        "kubernetes.azure.com/node-image-version": _IMAGE_VERSION,
        "kubernetes.azure.com/nodepool-type": "VirtualMachineScaleSets",
        "kubernetes.azure.com/os-sku": "Ubuntu",
        "kubernetes.azure.com/os-sku-requested": "Ubuntu",
        "kubernetes.azure.com/role": "agent",
        "kubernetes.azure.com/storageprofile": "managed",
        "kubernetes.azure.com/storagetier": "Premium_LRS",
        "kubernetes.io/arch": architecture,
        "kubernetes.io/hostname": node.name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/role": "agent",
        "node-role.kubernetes.io/agent": "",
        "node.kubernetes.io/instance-type": node.instance_type,
        "storageprofile": "managed",
        "storagetier": "Premium_LRS",
        "topology.disk.csi.azure.com/zone": node.zone,
        "topology.kubernetes.io/region": REGION,
        "topology.kubernetes.io/zone": node.zone,
    }
    if spec.mode == "overlay":
        result["kubernetes.azure.com/azure-cni-overlay"] = "true"
        result["kubernetes.azure.com/podnetwork-type"] = "overlay"
    if spec.mode == "pod-subnet":
        kind = "vnetblock" if spec.options.static_blocks else "vnet"
        result |= {
            "kubernetes.azure.com/podnetwork-delegationguid": _ZERO_ID,
            "kubernetes.azure.com/podnetwork-name": CLUSTER_NETWORK,
            "kubernetes.azure.com/podnetwork-resourcegroup": RESOURCE_GROUP,
            "kubernetes.azure.com/podnetwork-subnet": POD_SUBNET,
            "kubernetes.azure.com/podnetwork-subscription": SUBSCRIPTION,
            "kubernetes.azure.com/podnetwork-type": kind,
        }
    if spec.engine == "cilium":
        result["kubernetes.azure.com/ebpf-dataplane"] = "cilium"
    if spec.options.local_dns:
        result["kubernetes.azure.com/localdns-state"] = "enabled"
    return result


def _pod_cidrs(spec: LabSpec, node: NodeSpec) -> JsonObject:
    """The pod ranges of a node, which the cluster gives out for kubenet only.

    Azure CNI leaves them empty: its addresses come from the network or from azure-cns.
    """
    if spec.mode != "kubenet":
        return {}
    cidrs = [cidr for cidr in (node.pod_cidr, node.pod_cidr6) if cidr]
    return {"podCIDR": cidrs[0], "podCIDRs": cidrs}


def _status(spec: LabSpec, node: NodeSpec) -> JsonObject:
    now = timestamp()
    reserved = _RESERVED_MILLICORES[node.cpus]
    total_mib = node.memory_gib * 1024
    kube_reserved = min(
        node.max_pods * _MEBIBYTES_PER_POD + _KUBE_RESERVED_BASE_MIB, total_mib // 4
    )
    common = {
        "ephemeral-storage": _EPHEMERAL_STORAGE,
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "pods": str(node.max_pods),
    }
    allocatable_mib = total_mib - kube_reserved - _EVICTION_MIB
    machine_id = uuid.uuid5(uuid.NAMESPACE_DNS, node.name).hex
    return {
        "capacity": {"cpu": str(node.cpus), "memory": f"{total_mib}Mi", **common},
        "allocatable": {
            "cpu": f"{node.cpus * 1000 - reserved}m",
            "memory": f"{allocatable_mib}Mi",
            **common,
        },
        "conditions": [
            {
                "type": kind,
                "status": status,
                "lastHeartbeatTime": now,
                "lastTransitionTime": now,
                "reason": reason,
                "message": f"kubelet {text}",
            }
            for kind, status, reason, text in _CONDITIONS
        ],
        "addresses": [
            *({"type": "InternalIP", "address": ip} for ip in (node.ip, node.ip6) if ip),
            {"type": "Hostname", "address": node.name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": {
            "machineID": machine_id,
            "systemUUID": str(uuid.UUID(machine_id)),
            "bootID": _boot_id(),
            "kernelVersion": platform.release(),
            "osImage": "Ubuntu 24.04.3 LTS",
            "containerRuntimeVersion": _RUNTIME,
            "kubeletVersion": spec.kubernetes_version,
            "kubeProxyVersion": "",
            "operatingSystem": "linux",
            "architecture": _architecture(),
        },
    }


def _architecture() -> str:
    return _ARCHITECTURES.get(platform.machine(), platform.machine())


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return str(uuid.uuid4())  # a container that masks /proc
