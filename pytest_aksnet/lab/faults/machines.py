"""Faults of the nodes' machines and network interfaces in Azure."""

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import NODES, PODS
from pytest_aksnet.lab.azure.state import VM_SUBNET, AzureState
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.of_azure import AzureFault
from pytest_aksnet.lab.spec import LabSpec

_EXTERNAL = "ExternalIP"


class NicForwardingOff(AzureFault):
    """A node whose interface does not forward."""

    name = "nic-ip-forwarding-off"
    describes = (
        "IP forwarding is off at the network interface of one node, so that the virtual network "
        "drops what its pods send with their own addresses, and what a route sends to them (Azure "
        "docs: virtual-network-network-interface; AKS docs: configure-kubenet)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    def unfit(self, spec: LabSpec) -> str:
        """Only kubenet's packets are known to depend on it."""
        if spec.mode != "kubenet":
            return f"pods of mode {spec.mode} are not routed by a route table: set mode=kubenet"
        return ""

    def breaks(self, azure: AzureState) -> None:
        """Turn it off."""
        azure.machines.without_forwarding.add(self.node)

    def mends(self, azure: AzureState) -> None:
        """Turn it on."""
        azure.machines.without_forwarding.discard(self.node)


class NicAddressRemoved:
    """A node whose interface has lost the address of a pod."""

    name = "nic-address-removed"
    describes = (
        "The IP configuration with the address of a running pod was taken off the interface of its "
        "node, so that the virtual network delivers nothing to the pod and takes nothing from it "
        "(Azure docs: virtual-network-network-interface-addresses; AKS docs: configure-azure-cni)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    def unfit(self, spec: LabSpec) -> str:
        """Interfaces have addresses of pods in one mode alone."""
        if spec.mode != "node-subnet":
            return f"interfaces have no addresses of pods in mode {spec.mode}: set mode=node-subnet"
        return ""

    async def inject(self, lab: FaultableLab) -> None:
        """Take off that of the pod that came last, or of the next one where none runs."""
        reserved = lab.spec.node(self.node).reserved_pod_ips
        if lab.azure.machines.taken_off & set(reserved):
            return
        pods = (one.value for one in lab.store.revisions(PODS))
        running = {pod.get("status", {}).get("podIP") for pod in pods}
        found = next((ip for ip in reversed(reserved) if ip in running), reserved[0])
        lab.azure.machines.taken_off.add(found)
        lab.azure.changed()

    async def heal(self, lab: FaultableLab) -> None:
        """Give it back."""
        lab.azure.machines.taken_off.difference_update(lab.spec.node(self.node).reserved_pod_ips)
        lab.azure.changed()


class NicInOtherSubnet(AzureFault):
    """A node whose interface is in another subnet than its pool."""

    name = "nic-in-other-subnet"
    describes = (
        "ARM has the network interface of one node in the subnet of the virtual machines, as after "
        "the network profile of the scale set was edited by hand (REST API: Agent Pools, "
        "vnetSubnetID)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    def breaks(self, azure: AzureState) -> None:
        """Name the other subnet."""
        azure.machines.moved[self.node] = VM_SUBNET

    def mends(self, azure: AzureState) -> None:
        """Name its own."""
        azure.machines.moved.pop(self.node, None)


class MachineFailed(AzureFault):
    """A machine that Azure calls Failed while its node is Ready."""

    name = "machine-failed"
    describes = (
        "The provisioning state of one node's machine is Failed, as after an extension that did "
        "not come to its end, while its node is Ready (Azure docs: troubleshoot AKS clusters or "
        "nodes in a failed state)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    def breaks(self, azure: AzureState) -> None:
        """Let it be Failed."""
        azure.machines.failed.add(self.node)

    def mends(self, azure: AzureState) -> None:
        """Let it be Succeeded."""
        azure.machines.failed.discard(self.node)


class MachineNeverJoined(AzureFault):
    """A machine that is no node."""

    name = "machine-never-joined"
    describes = (
        "The scale set of the last pool has one machine more, which runs and never joined the "
        "cluster, as after a bootstrap that could not reach what it needs (Azure docs: "
        "troubleshoot-aks-node-provisioning, VMExtensionProvisioningError)."
    )

    def breaks(self, azure: AzureState) -> None:
        """Have one more."""
        azure.machines.unjoined.add(azure.spec.nodes[-1].pool)

    def mends(self, azure: AzureState) -> None:
        """Have none."""
        azure.machines.unjoined.clear()


class NodesPublic:
    """A pool whose nodes have public addresses."""

    name = "nodes-public"
    describes = (
        "The last pool was made with a public address for each node, which interfaces and Nodes "
        "list; no packet has one, a facade (AKS docs: use-node-public-ips)."
    )
    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Give them out."""
        lab.azure.machines.public.add(lab.spec.nodes[-1].pool)
        self._follow(lab)

    async def heal(self, lab: FaultableLab) -> None:
        """Take them back."""
        lab.azure.machines.public.clear()
        self._follow(lab)

    @staticmethod
    def _follow(lab: FaultableLab) -> None:
        """Have ARM and the Nodes list them."""
        lab.azure.changed()
        for node in lab.spec.nodes:
            _list_public(lab, node.name, lab.azure.machines.public_ip(node))


def _list_public(lab: FaultableLab, name: str, ip: str) -> None:
    wanted = [{"type": _EXTERNAL, "address": ip}] if ip else []

    def change(node: JsonObject) -> None:
        others = [one for one in node["status"]["addresses"] if one["type"] != _EXTERNAL]
        node["status"]["addresses"] = [*others, *wanted]

    lab.store.mutate(NODES, name, change=change, subresource="status")


MACHINE_FAULTS = (MachineNeverJoined, NodesPublic)
MACHINE_NODE_FAULTS = (
    NicForwardingOff,
    NicAddressRemoved,
    NicInOtherSubnet,
    MachineFailed,
)
