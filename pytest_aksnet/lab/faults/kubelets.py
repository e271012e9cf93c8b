"""Faults of the kubelet of one node; the packets of the pods there are as before."""

from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.rated import RatedNodeFault
from pytest_aksnet.lab.faults.setting import Setting


class NodeNotReady:
    """A kubelet is not heard any more."""

    name = "node-not-ready"
    describes = (
        "The kubelet of a node stops reporting: the node becomes NotReady, its pods leave the "
        "Services though they run on, exec into them fails, and after their tolerations they are "
        "to go (Kubernetes docs: Nodes; AKS docs: node-not-ready-basic-troubleshooting)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Silence it."""
        lab.silence_kubelet(self.node)

    async def heal(self, lab: FaultableLab) -> None:
        """Let it be heard."""
        lab.restore_kubelet(self.node)


class KubeletSlowProbes(RatedNodeFault):
    """A kubelet is late with its probes."""

    name = "kubelet-slow-probes"
    describes = (
        "The kubelet of a node is late with its probes, as on a node short of CPU, so a pod that "
        "stopped serving stays an endpoint for long (Kubernetes issue 89898; Kubernetes docs: "
        "Configure Liveness, Readiness and Startup Probes)."
    )
    setting = Setting(meaning="seconds by which each look is late", default=30, highest=3600)

    async def inject(self, lab: FaultableLab) -> None:
        """Make it late."""
        lab.delay_probes(self.node, self.value)

    async def heal(self, lab: FaultableLab) -> None:
        """Let it be in time."""
        lab.delay_probes(self.node, 0.0)


class KubeletTunnelDown:
    """The API server does not get through to the kubelet of a node."""

    name = "kubelet-tunnel-down"
    describes = (
        "What the API server dials at port 10250 of one node times out while the node is Ready, so "
        "exec, logs and port-forward fail there (AKS docs: troubleshoot tunnel connectivity; "
        "Kubernetes docs: control-plane-node-communication)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Cut it."""
        lab.set_kubelet_tunnel(self.node, up=False)

    async def heal(self, lab: FaultableLab) -> None:
        """Have it back."""
        lab.set_kubelet_tunnel(self.node, up=True)
