"""Faults of the components of one node."""

from pytest_aksnet.lab.facade.accelerated_networking import VF_NAMES
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.named_node import NamedNode
from pytest_aksnet.lab.faults.policy import needs_engine
from pytest_aksnet.lab.network_knobs import NetworkKnobs
from pytest_aksnet.lab.spec import LabSpec

RATE_WITHOUT_VF_GBPS = 1.5


class PolicyNotEnforced(NamedNode):
    """The policy engine's agent does nothing on a node."""

    name = "policy-not-enforced-on-node"
    describes = (
        "The network policy engine does not program one node, so policies do not hold for the "
        "pods there (Kubernetes docs: Network Policies, prerequisites)."
    )

    def unfit(self, spec: LabSpec) -> str:
        """Labs without an engine have nothing that could be missing."""
        return needs_engine(spec)

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes without the engine's rules."""
        return knobs.policy_absent


class KubeProxyRulesMissing(NamedNode):
    """kube-proxy, or Cilium in its place, serves nothing on a node."""

    name = "kube-proxy-rules-missing"
    describes = (
        "The service proxy of one node, kube-proxy or Cilium, has no rules, so Services cannot be "
        "reached from the node or through it (Kubernetes docs: Virtual IPs and Service Proxies; "
        "Cilium docs: Kubernetes without kube-proxy)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes without rules for Services."""
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
        if not lab.facade.has_vf(self.node):
            return
        lab.facade.remove_vf(self.node)
        lab.network.knobs.rate_gbps[self.node] = RATE_WITHOUT_VF_GBPS
        lab.network.resync()

    async def heal(self, lab: FaultableLab) -> None:
        """Bring both back. Raises FacadeError."""
        if lab.facade.has_vf(self.node):
            return
        lab.network.knobs.rate_gbps.pop(self.node, None)
        lab.network.resync()
        await lab.facade.restore_vf(self.node)


class VfDriverMixed:
    """A node whose virtual function is of another adapter than those of its pool."""

    name = "vf-driver-mixed"
    describes = (
        "One node of a pool came up on other hardware, so its virtual function has the driver mana "
        "where the others have mlx5_core, or the other way round, and tools that name a driver "
        "miss it (Azure docs: Microsoft Azure Network Adapter, MANA; Azure/AKS issue 3420)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Show the other driver. Raises FacadeError."""
        usual = lab.spec.node(self.node).vf_driver
        other = next(driver for driver in VF_NAMES if driver != usual)
        await lab.facade.set_vf_driver(self.node, other)

    async def heal(self, lab: FaultableLab) -> None:
        """Show its own. Raises FacadeError."""
        await lab.facade.set_vf_driver(self.node, lab.spec.node(self.node).vf_driver)


class VfCountersFlat:
    """A virtual function that carries nothing."""

    name = "vf-counters-flat"
    describes = (
        "One node has its virtual function and driver, but its vf_ counters do not grow, because "
        "all traffic takes the synthetic path (Azure docs: accelerated networking, confirm that "
        "packets flow over the VF interface)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Let the counters stand still; a facade: no packet takes another path."""
        await lab.facade.set_vf_idle(self.node, idle=True)

    async def heal(self, lab: FaultableLab) -> None:
        """Let them count again."""
        await lab.facade.set_vf_idle(self.node, idle=False)
