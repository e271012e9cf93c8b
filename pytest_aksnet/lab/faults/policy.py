"""Faults of the policy engine's agent on one node: late, or wrong about what a policy says."""

from typing import ClassVar

from pytest_aksnet.lab.contracts import NetworkKnobs, PolicyDefect
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.named_node import NamedNode
from pytest_aksnet.lab.faults.rated import RatedNodeFault
from pytest_aksnet.lab.faults.setting import Setting
from pytest_aksnet.lab.spec import LabSpec

_LATE = Setting(meaning="seconds", default=5, highest=600)


def _needs_engine(spec: LabSpec) -> str:
    if spec.engine == "none":
        return "engine none enforces no policies: set engine to calico, azure or cilium"
    return ""


class _Misreads(NamedNode):
    """An agent that gets one thing wrong."""

    defect: ClassVar[PolicyDefect]

    def unfit(self, spec: LabSpec) -> str:
        """Labs without an engine have no agents."""
        return _needs_engine(spec)

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes whose agents have the defect."""
        return knobs.policy_defects.setdefault(self.defect, set())


class PolicyExceptIgnored(_Misreads):
    """ipBlock without its exceptions."""

    name = "policy-except-ignored"
    describes = (
        "The policy engine of one node forgets `except`, so an ipBlock allows what it excepts (AKS "
        "docs: use-network-policies, Network Policy Manager on Windows has no `except`)."
    )
    defect = PolicyDefect.EXCEPT_IGNORED


class PolicyNamespaceSelectorAny(_Misreads):
    """namespaceSelector that selects every namespace."""

    name = "policy-namespace-selector-any"
    describes = (
        "The policy engine of one node takes every namespaceSelector for the empty one, so pods of "
        "all namespaces are let in (Kubernetes docs: Network Policies, behaviour of to and from "
        "selectors)."
    )
    defect = PolicyDefect.NAMESPACE_SELECTOR_ANY


class PolicyEndPortOffByOne(_Misreads):
    """endPort taken for the first port that is not allowed any more."""

    name = "policy-end-port-off-by-one"
    describes = (
        "The policy engine of one node takes endPort for exclusive, so the last port of a range "
        "stays closed (Kubernetes docs: Network Policies, targeting a range of ports)."
    )
    defect = PolicyDefect.END_PORT_OFF_BY_ONE


class PolicyEgressNotEnforced(_Misreads):
    """Ingress alone is enforced."""

    name = "policy-egress-not-enforced"
    describes = (
        "The policy engine of one node enforces ingress alone, so its pods reach what egress "
        "policies deny them (Kubernetes docs: Network Policies, the two sorts of pod isolation)."
    )
    defect = PolicyDefect.EGRESS_NOT_ENFORCED


class PolicyLag(RatedNodeFault):
    """An agent that is late with every change."""

    name = "policy-lag"
    describes = (
        "The policy engine of one node enforces each change some seconds late (Kubernetes docs: "
        "Network Policies, pod lifecycle: it may take some time; AKS docs: use-network-policies)."
    )
    setting = _LATE

    def unfit(self, spec: LabSpec) -> str:
        """Labs without an engine have no agents."""
        return _needs_engine(spec)

    async def inject(self, lab: FaultableLab) -> None:
        """Let changes from now on be late."""
        lab.network.knobs.policy_lag_seconds[self.node] = self.value
        lab.network.resync()

    async def heal(self, lab: FaultableLab) -> None:
        """Catch up at once."""
        lab.network.knobs.policy_lag_seconds.pop(self.node, None)
        lab.network.resync()


class PolicyUnprotectedWindow(RatedNodeFault):
    """New pods run before their policies hold."""

    name = "policy-unprotected-window"
    describes = (
        "The policies of a new pod hold only some seconds after it got its address, so it starts "
        "unprotected (Kubernetes docs: Network Policies, pod lifecycle)."
    )
    setting = _LATE

    def unfit(self, spec: LabSpec) -> str:
        """Labs without an engine have no agents."""
        return _needs_engine(spec)

    async def inject(self, lab: FaultableLab) -> None:
        """Open a window for each pod that is that young."""
        lab.network.knobs.policy_window_seconds[self.node] = self.value
        lab.network.resync()

    async def heal(self, lab: FaultableLab) -> None:
        """Close all of them."""
        lab.network.knobs.policy_window_seconds.pop(self.node, None)
        lab.network.resync()
