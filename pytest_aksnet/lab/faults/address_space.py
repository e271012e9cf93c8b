"""Faults of address space: ranges that are full, too small, given twice, or overlap."""

import ipaddress
from collections.abc import Sequence

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import (
    CONFIG_MAPS,
    DAEMON_SETS,
    DEPLOYMENTS,
    NODES,
    PODS,
    SERVICE_CIDRS,
    SERVICES,
)
from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.controllers.cluster import SERVICE_CIDR
from pytest_aksnet.lab.controllers.node_agents import MASQUERADE_CONFIG, masquerade_config
from pytest_aksnet.lab.faults.cluster_objects import Made, ObjectsFault
from pytest_aksnet.lab.faults.egress import OutboundPorts
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.spec import LabSpec

_DEFAULT = "default"
_ENDED = ("Succeeded", "Failed")
_LABELS = {"app": "checkout"}
_SMALL_RANGE = 28
_PORTS_OF_AN_ADDRESS = 64_000


class PodsWithoutAddress(ObjectsFault):
    """A pod waits for an address."""

    name = "pods-without-address"
    describes = (
        "No node has an address left for pods, and a Deployment's pod waits for one in "
        "ContainerCreating (Azure docs: troubleshoot-network-aks; Azure/AKS issue 2532)."
    )

    def objects(self, lab: FaultableLab) -> Sequence[Made]:
        """The Deployment."""
        container = {"name": "pause", "image": "registry.k8s.io/pause:3.10"}
        spec = {
            "replicas": 1,
            "selector": {"matchLabels": _LABELS},
            "template": {"metadata": {"labels": _LABELS}, "spec": {"containers": [container]}},
        }
        metadata = {"name": "checkout", "namespace": _DEFAULT}
        return ((DEPLOYMENTS, {"metadata": metadata, "spec": spec}),)

    async def inject(self, lab: FaultableLab) -> None:
        """Take the addresses, and have somebody want one."""
        for addresses in lab.pod_addresses.values():
            addresses.set_full(True)
        await super().inject(lab)

    async def heal(self, lab: FaultableLab) -> None:
        """Have addresses again, and nobody who waits."""
        await super().heal(lab)
        for addresses in lab.pod_addresses.values():
            addresses.set_full(False)


class PodRangeFull:
    """Every block of the pod range has a node."""

    name = "pod-range-full"
    describes = (
        "The pod CIDR is just what the nodes' blocks of /24 take, so a further node, also one that "
        "an upgrade adds, gets none (AKS docs: concepts-network-azure-cni-overlay, "
        "configure-kubenet)."
    )
    node = ""

    def unfit(self, spec: LabSpec) -> str:
        """The pods of two modes have no range of their own."""
        if not spec.pods_have_cidr:
            return f"pods have no range in mode {spec.mode}: set mode=overlay or kubenet"
        return ""

    async def inject(self, lab: FaultableLab) -> None:
        """List the nodes' blocks, in place of a range that has more."""
        blocks = [node.pod_cidr for node in lab.spec.nodes if node.pod_cidr]
        second = [lab.spec.pod_cidr6] if lab.spec.dual_stack else []
        self._set(lab, [*blocks, *second])

    async def heal(self, lab: FaultableLab) -> None:
        """List the range."""
        self._set(lab, lab.spec.non_masquerade_cidrs)

    @staticmethod
    def _set(lab: FaultableLab, ranges: Sequence[str]) -> None:
        lab.store.update(CONFIG_MAPS, masquerade_config(ranges), MASQUERADE_CONFIG[0])


class PodCidrTwice:
    """Two nodes have one pod range."""

    name = "pod-cidr-twice"
    describes = (
        "A node has the podCIDR of another one, as after a restored or edited Node object, so both "
        "give out the same addresses (AKS docs: configure-kubenet; kubernetes/kubernetes "
        "node-ipam-controller)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    def unfit(self, spec: LabSpec) -> str:
        """Nodes have a podCIDR with kubenet only."""
        return "" if spec.mode == "kubenet" else "nodes have a podCIDR in mode kubenet only"

    async def inject(self, lab: FaultableLab) -> None:
        """Give it that of the first other node."""
        other = next(node for node in lab.spec.nodes if node.name != self.node)
        self._set(lab, other.pod_cidr or "")

    async def heal(self, lab: FaultableLab) -> None:
        """Give it its own."""
        self._set(lab, lab.spec.node(self.node).pod_cidr or "")

    def _set(self, lab: FaultableLab, cidr: str) -> None:
        def change(node: JsonObject) -> None:
            rest = node["spec"].get("podCIDRs", [])[1:]
            node["spec"] |= {"podCIDR": cidr, "podCIDRs": [cidr, *rest]}

        lab.store.mutate(NODES, self.node, change=change)


class NodeFullOfPods:
    """A node takes no more pods than it has."""

    name = "node-full-of-pods"
    describes = (
        "The kubelet of one node takes as many pods as run there, so no further one is scheduled "
        "to it: `Too many pods` (AKS docs: quotas-skus-regions, max pods per node; Kubernetes "
        "docs: kubelet, --max-pods)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Take no more than run there and DaemonSets bring, whose pods may still be to come."""
        others = sum(
            pod["spec"].get("nodeName") == self.node
            and pod["metadata"].get("ownerReferences", [{}])[0].get("kind") != "DaemonSet"
            and (pod.get("status") or {}).get("phase") not in _ENDED
            for pod in lab.store.list(PODS)
        )
        self._set(lab, others + len(lab.store.list(DAEMON_SETS)))

    async def heal(self, lab: FaultableLab) -> None:
        """Take as many as its pool says."""
        self._set(lab, lab.spec.node(self.node).max_pods)

    def _set(self, lab: FaultableLab, most: int) -> None:
        def change(node: JsonObject) -> None:
            for part in ("capacity", "allocatable"):
                node["status"][part]["pods"] = str(most)

        lab.store.mutate(NODES, self.node, change=change, subresource="status")


class ServiceRangeOverlaps(ObjectsFault):
    """A range of Services that the network has as well."""

    name = "service-range-overlaps"
    describes = (
        "A second ServiceCIDR overlaps with a subnet of the virtual network, so pods do not reach "
        "the machines there once Services have their addresses (Kubernetes docs: Extend Service "
        "IP Ranges; AKS docs: configure-kubenet, CIDR requirements)."
    )

    def objects(self, lab: FaultableLab) -> Sequence[Made]:
        """The range of the subnet of VMs."""
        metadata = {"name": "more-services"}
        return ((SERVICE_CIDRS, {"metadata": metadata, "spec": {"cidrs": [lab.spec.vm_subnet]}}),)


class ServiceRangeFull:
    """There is no further cluster IP."""

    name = "service-range-full"
    describes = (
        "The range of cluster IPs is small and full, so creating a Service fails with `range is "
        "full` (Kubernetes docs: Extend Service IP Ranges)."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Have a range of 14 addresses, each of which a Service has."""
        small = _first_of(lab.spec.service_cidr)
        self._set(lab, str(small))
        taken = {
            ip
            for service in lab.store.list(SERVICES)
            for ip in service["spec"].get("clusterIPs") or ()
        }
        for number, address in enumerate(small.hosts()):
            if str(address) not in taken:
                lab.store.create(SERVICES, _filler(number, str(address)), _DEFAULT)

    async def heal(self, lab: FaultableLab) -> None:
        """Have the whole range again, and nobody who fills it."""
        for number, _ in enumerate(_first_of(lab.spec.service_cidr).hosts()):
            name = _filler(number, "")["metadata"]["name"]
            if lab.store.find(SERVICES, name, _DEFAULT) is not None:
                lab.store.delete(SERVICES, name, _DEFAULT)
        self._set(lab, lab.spec.service_cidr)

    @staticmethod
    def _set(lab: FaultableLab, cidr: str) -> None:
        def change(value: JsonObject) -> None:
            value["spec"]["cidrs"] = [cidr, *value["spec"]["cidrs"][1:]]

        lab.store.mutate(SERVICE_CIDRS, SERVICE_CIDR, change=change)
        lab.store.restrict_services(cidr)


def _first_of(cidr: str) -> ipaddress.IPv4Network:
    return ipaddress.IPv4Network((ipaddress.IPv4Network(cidr).network_address, _SMALL_RANGE))


def _filler(number: int, address: str) -> JsonObject:
    port = {"port": 80, "protocol": "TCP", "targetPort": 80}
    return {
        "metadata": {"name": f"tenant-{number}", "namespace": _DEFAULT},
        "spec": {"clusterIP": address, "ports": [port], "selector": {"app": f"tenant-{number}"}},
    }


class SnatPortsForNodesOnly(OutboundPorts):
    """The SNAT ports of the load balancer are given out to the last."""

    name = "snat-ports-for-nodes-only"
    describes = (
        "The outbound rule gives each node so many ports that its addresses have none for a "
        "further one, so a node that an upgrade adds has no way out (AKS docs: "
        "load-balancer-standard, fixed ports and surge)."
    )

    def ports(self, azure: AzureState) -> int:
        """The nodes share all of them; ports come in eights."""
        return _PORTS_OF_AN_ADDRESS // len(azure.spec.nodes) // 8 * 8


ADDRESS_SPACE_FAULTS = (
    SnatPortsForNodesOnly,
    PodsWithoutAddress,
    PodRangeFull,
    ServiceRangeOverlaps,
    ServiceRangeFull,
)
ADDRESS_SPACE_NODE_FAULTS = (PodCidrTwice, NodeFullOfPods)
