"""Faults of the addresses that pods get, and of the plugin that gives them."""

from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.api.resources import NODES
from pytest_aksnet.lab.controllers.kubelet.addresses import NOT_READY
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.spec import LabSpec


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

    async def heal(self, lab: FaultableLab) -> None:
        """Have addresses again."""
        for addresses in lab.pod_addresses.values():
            addresses.set_full(False)


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


def _set_ready(lab: FaultableLab, name: str, status: str, reason: str, message: str) -> None:
    """The Node's condition as its kubelet sets it; its taint follows from that."""
    now = timestamp()

    def change(node: JsonObject) -> None:
        ready = next(one for one in node["status"]["conditions"] if one["type"] == "Ready")
        if ready["status"] != status:
            ready["lastTransitionTime"] = now
        ready |= {"status": status, "reason": reason, "message": message, "lastHeartbeatTime": now}

    lab.store.mutate(NODES, name, change=change, subresource="status")
