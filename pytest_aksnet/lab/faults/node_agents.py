"""Faults of what runs on one node for the network: kube-proxy's and the kubelet's own ports, agents
that are not ready or old, and what the kubelet says of its node.
"""

from collections.abc import Callable

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import NODES
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.spec import LabSpec

OLD_KUBELET = "v1.30.14"


class KubeProxyFellBack:
    """kube-proxy of one node runs in another mode than the others."""

    name = "kube-proxy-fell-back"
    describes = (
        "kube-proxy of one node runs in another mode than it was told to, as after a fall-back to "
        "iptables on a kernel without nftables (AKS docs: configure-kube-proxy; Kubernetes docs: "
        "virtual-ips, proxy modes)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    def unfit(self, spec: LabSpec) -> str:
        """With Cilium there is no kube-proxy."""
        return "there is no kube-proxy; set another --engine" if spec.engine == "cilium" else ""

    async def inject(self, lab: FaultableLab) -> None:
        """Let it say another mode."""
        lab.proxy_status.fallen_back.add(self.node)

    async def heal(self, lab: FaultableLab) -> None:
        """Let it say its own."""
        lab.proxy_status.fallen_back.discard(self.node)


class KubeletReadOnlyPort:
    """A kubelet serves its pods to everybody, without TLS."""

    name = "kubelet-read-only-port"
    describes = (
        "The kubelet of one node has its read-only port 10255 open, which tells everybody its pods "
        "(Kubernetes docs: KubeletConfiguration readOnlyPort; CIS AKS benchmark 3.2.4)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Open it. Raises OSError."""
        await lab.kubelet_ports.open_read_only(self.node)

    async def heal(self, lab: FaultableLab) -> None:
        """Close it."""
        await lab.kubelet_ports.close_read_only(self.node)


class KubeletAnonymous:
    """A kubelet answers who shows no credentials."""

    name = "kubelet-anonymous"
    describes = (
        "The kubelet of one node lets anonymous requests in, so whoever reaches port 10250 reads "
        "its pods and runs commands in them (Kubernetes docs: Kubelet authentication; CIS AKS "
        "benchmark 3.2.1)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Let them in."""
        lab.kubelet_ports.anonymous.add(self.node)

    async def heal(self, lab: FaultableLab) -> None:
        """Ask for credentials again."""
        lab.kubelet_ports.anonymous.discard(self.node)


class KubeletVersionMixed:
    """A kubelet that an upgrade left behind."""

    name = "kubelet-version-mixed"
    describes = (
        f"The kubelet of one node is {OLD_KUBELET}, more versions older than the API server than "
        "are supported and than the others of its pool are (Kubernetes docs: version skew policy)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Let the node say so."""
        _change_node(lab, self.node, _version(OLD_KUBELET))

    async def heal(self, lab: FaultableLab) -> None:
        """Let it say the cluster's version."""
        _change_node(lab, self.node, _version(lab.spec.kubernetes_version))


class NodeAddressTwice:
    """A node that has the address of another one as well."""

    name = "node-address-twice"
    describes = (
        "The kubelet of one node lists the address of another node beside its own, as after a VM "
        "was replaced and its address given away (Kubernetes docs: Nodes, addresses)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """List it."""
        _change_node(lab, self.node, self._change(lab, listed=True))

    async def heal(self, lab: FaultableLab) -> None:
        """List it no more."""
        _change_node(lab, self.node, self._change(lab, listed=False))

    def _change(self, lab: FaultableLab, *, listed: bool) -> Callable[[JsonObject], None]:
        other = next(node.ip for node in lab.spec.nodes if node.name != self.node)
        extra = {"type": "InternalIP", "address": other}

        def change(node: JsonObject) -> None:
            own = [item for item in node["status"]["addresses"] if item != extra]
            node["status"]["addresses"] = [*own, extra] if listed else own

        return change


class AgentNotReady:
    """An agent of the network that does not get ready on one node."""

    name = "agent-not-ready"
    describes = (
        "azure-ip-masq-agent, or azure-cns where there is none, is not ready on one node, as in a "
        "crash loop, so its rules are not kept there (Kubernetes docs: DaemonSet, status)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Say so in the status of its pod, also of one that comes later."""
        lab.agent_defects.not_ready.add(self.node)
        lab.agent_defects.resync()

    async def heal(self, lab: FaultableLab) -> None:
        """Say that it is ready."""
        lab.agent_defects.not_ready.discard(self.node)
        lab.agent_defects.resync()


class AgentVersionMixed:
    """An agent of the network whose update did not come to one node."""

    name = "agent-version-mixed"
    describes = (
        "azure-ip-masq-agent, or azure-cns where there is none, runs an older image on one node "
        "than on the others (Kubernetes docs: Perform a Rolling Update on a DaemonSet)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Name the older image in its pod, also in one that comes later."""
        lab.agent_defects.old.add(self.node)
        lab.agent_defects.resync()

    async def heal(self, lab: FaultableLab) -> None:
        """Name that of the others."""
        lab.agent_defects.old.discard(self.node)
        lab.agent_defects.resync()


def _version(version: str) -> Callable[[JsonObject], None]:
    def change(node: JsonObject) -> None:
        node["status"]["nodeInfo"]["kubeletVersion"] = version

    return change


def _change_node(lab: FaultableLab, node: str, change: Callable[[JsonObject], None]) -> None:
    lab.store.mutate(NODES, node, change=change, subresource="status")
