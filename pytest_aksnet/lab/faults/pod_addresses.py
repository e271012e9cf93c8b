"""Faults of the addresses that pods get, and of the plugin that gives them."""

import ipaddress
import itertools

from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.api.resources import NODES, PODS
from pytest_aksnet.lab.azure.state import NODE_SUBNET, POD_SUBNET
from pytest_aksnet.lab.controllers.kubelet.addresses import NOT_READY
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.spec import LabSpec

LEFT_OVER_RANGE = "10.88.0.0/16"


class SubnetFull:
    """There is no further address for pods."""

    name = "subnet-full"
    describes = (
        "The subnet that pods get addresses from is full, so new pods stay ContainerCreating and "
        "those that run go on (AKS docs: configure-azure-cni; Azure/AKS issue 2532; Azure docs: "
        "troubleshoot-network-aks)."
    )
    node = ""

    def unfit(self, spec: LabSpec) -> str:
        """Only the pods of two modes have addresses of a subnet."""
        if spec.pods_have_cidr:
            return f"pods have no subnet in mode {spec.mode}: set mode=node-subnet or pod-subnet"
        return ""

    async def inject(self, lab: FaultableLab) -> None:
        """Have no address left on any node."""
        for addresses in lab.pod_addresses.values():
            addresses.set_full(True)
        lab.azure.full_subnets.add(_pods_subnet(lab.spec))

    async def heal(self, lab: FaultableLab) -> None:
        """Have addresses again."""
        for addresses in lab.pod_addresses.values():
            addresses.set_full(False)
        lab.azure.full_subnets.discard(_pods_subnet(lab.spec))


def _pods_subnet(spec: LabSpec) -> str:
    return POD_SUBNET if spec.mode == "pod-subnet" else NODE_SUBNET


class LeakedPodIp:
    """The addresses of deleted pods of a node stay allocated."""

    name = "leaked-pod-ip"
    describes = (
        "What a deleted pod had as its address stays allocated on one node, as after a CNI DEL "
        "that never came, until none is left (Azure docs: troubleshoot-network-aks, compare the "
        "IPAM store with the running pods)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Keep what pods leave behind."""
        lab.pod_addresses[self.node].set_leaking(True)

    async def heal(self, lab: FaultableLab) -> None:
        """Give all of it back."""
        lab.pod_addresses[self.node].set_leaking(False)
        await lab.plugins[self.node].write()


class DuplicatePodIp:
    """New pods of a node get the address of a pod of another node."""

    name = "duplicate-pod-ip"
    describes = (
        "A new pod of one node gets the address that a pod of another node has, so that who "
        "answers depends on where one asks (Azure/azure-container-networking: an IPAM state that "
        "was lost or restored; AKS docs: use-byo-cni)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    def unfit(self, spec: LabSpec) -> str:
        """Where nodes have ranges of their own, none of them is given out twice."""
        if spec.pods_have_cidr:
            return (
                f"each node has a pod range of its own in mode {spec.mode}: "
                "set mode=node-subnet or pod-subnet"
            )
        return ""

    async def inject(self, lab: FaultableLab) -> None:
        """Copy addresses of the other nodes' pods, of the same namespace."""
        others = [one for name, one in lab.pod_addresses.items() if name != self.node]
        lab.pod_addresses[self.node].set_copied(others[::-1])

    async def heal(self, lab: FaultableLab) -> None:
        """Give out its own again; pods that have a copy keep it until they end."""
        lab.pod_addresses[self.node].set_copied(())


class NodeHasPodAddress:
    """A node lists an address that a pod has."""

    name = "node-has-pod-address"
    describes = (
        "The kubelet of one node lists, beside its own, the address of a running pod, as after a "
        "VM got one that the pods' IPAM had given out before (Azure/azure-container-networking: an "
        "IPAM state that was lost or restored; Kubernetes docs: Nodes, addresses)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """List that of the first pod of the cluster that has one of its own."""
        own = (
            revision.value["status"]["podIP"]
            for revision in lab.store.revisions(PODS)
            if not revision.value["spec"].get("hostNetwork")
            and revision.value.get("status", {}).get("podIP")
        )
        if ip := next(own, ""):
            _list_addresses(lab, self.node, ip)

    async def heal(self, lab: FaultableLab) -> None:
        """List the node's own alone."""
        _list_addresses(lab, self.node)


class CniConfigLeftOver:
    """A second network plugin gives addresses to the pods of a node."""

    name = "cni-config-left-over"
    describes = (
        "A configuration of another plugin, whose name sorts first, lies in /etc/cni/net.d of one "
        f"node, so new pods there get addresses of {LEFT_OVER_RANGE} that nothing routes "
        "(Kubernetes docs: network-plugins; libcni takes the first file; containers-common: "
        "87-podman-bridge.conflist)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    def unfit(self, spec: LabSpec) -> str:
        """A bridge has the range of its node."""
        if spec.mode == "kubenet":
            return "the bridge of kubenet leads to its own range alone: set another mode"
        return ""

    async def inject(self, lab: FaultableLab) -> None:
        """Have the other plugin answer."""
        hosts = ipaddress.ip_network(LEFT_OVER_RANGE).hosts()
        lab.pod_addresses[self.node].set_foreign(
            [str(one) for one in itertools.islice(hosts, 1, 255)]
        )

    async def heal(self, lab: FaultableLab) -> None:
        """Take its file away; pods that have such an address keep it until they end."""
        lab.pod_addresses[self.node].set_foreign(())


class CniConfigMissing:
    """A node without a network configuration is not ready, and starts no pods."""

    name = "cni-config-missing"
    describes = (
        "/etc/cni/net.d of one node is empty: the node is NotReady with `cni plugin not "
        "initialized`, its pods go on, new ones do not start (recorded from AKS with "
        "--network-plugin none; AKS docs: use-byo-cni)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Remove the file and say so in the Node."""
        await lab.plugins[self.node].set_config(False)
        _set_ready(lab, self.node, "False", "KubeletNotReady", NOT_READY)

    async def heal(self, lab: FaultableLab) -> None:
        """Write the file again."""
        await lab.plugins[self.node].set_config(True)
        _set_ready(lab, self.node, "True", "KubeletReady", "kubelet is posting ready status")


def _list_addresses(lab: FaultableLab, name: str, *more: str) -> None:
    """What a Node lists as its internal addresses: its own and these."""
    wanted = [{"type": "InternalIP", "address": ip} for ip in (*lab.spec.node(name).ips, *more)]

    def change(node: JsonObject) -> None:
        others = [one for one in node["status"]["addresses"] if one["type"] != "InternalIP"]
        node["status"]["addresses"] = [*wanted, *others]

    lab.store.mutate(NODES, name, change=change, subresource="status")


def _set_ready(lab: FaultableLab, name: str, status: str, reason: str, message: str) -> None:
    """The Node's condition as its kubelet sets it; its taint follows from that."""
    now = timestamp()

    def change(node: JsonObject) -> None:
        ready = next(one for one in node["status"]["conditions"] if one["type"] == "Ready")
        if ready["status"] != status:
            ready["lastTransitionTime"] = now
        ready |= {"status": status, "reason": reason, "message": message, "lastHeartbeatTime": now}

    lab.store.mutate(NODES, name, change=change, subresource="status")
