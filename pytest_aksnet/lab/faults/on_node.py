"""Faults of the components of one node."""

from pytest_aksnet.lab.contracts import NetworkKnobs
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.named_node import NamedNode

RATE_WITHOUT_VF_GBPS = 1.5


class PolicyNotEnforced(NamedNode):
    """The policy engine's agent does nothing on a node."""

    name = "policy-not-enforced-on-node"
    describes = (
        "The network policy engine does not program one node, so policies do not hold for the "
        "pods there (Kubernetes docs: Network Policies, prerequisites)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes without the engine's rules."""
        return knobs.policy_absent


class KubeProxyRulesMissing(NamedNode):
    """kube-proxy does nothing on a node."""

    name = "kube-proxy-rules-missing"
    describes = (
        "kube-proxy has no rules on one node, so Services cannot be reached from it or through it "
        "(Kubernetes docs: Virtual IPs and Service Proxies)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes without kube-proxy's rules."""
        return knobs.service_proxy_absent


class NicWithoutVf:
    """A node without its virtual function, and with the rate of the synthetic path."""

    name = "nic-without-vf"
    describes = (
        "A node has no virtual function, so its traffic takes the synthetic path and is slow "
        "(Azure docs: how accelerated networking works in Linux VMs)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Take the VF away and limit the node's rate."""
        if self.node in lab.network.knobs.rate_gbps:
            return
        lab.facade.remove_vf(self.node)
        lab.network.knobs.rate_gbps[self.node] = RATE_WITHOUT_VF_GBPS
        lab.network.resync()

    async def heal(self, lab: FaultableLab) -> None:
        """Bring both back. Raises FacadeError."""
        if lab.network.knobs.rate_gbps.pop(self.node, None) is None:
            return
        lab.network.resync()
        await lab.facade.restore_vf(self.node)
