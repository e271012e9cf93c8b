"""Faults of the policy engine's agent on one node: late, or wrong about what a policy says."""

from typing import ClassVar

from pytest_aksnet.lab.faults.named_node import NamedNode
from pytest_aksnet.lab.faults.on_the_way import NodeNumber
from pytest_aksnet.lab.faults.setting import Setting
from pytest_aksnet.lab.network_knobs import NetworkKnobs, PolicyDefect
from pytest_aksnet.lab.spec import LabSpec


def needs_engine(spec: LabSpec) -> str:
    """Why a lab cannot have a fault of policy engines, "" where it can."""
    if spec.engine == "none":
        return "engine none enforces no policies: set engine to calico, azure or cilium"
    return ""


class _Misreads(NamedNode):
    """An agent that gets one thing wrong."""

    defect: ClassVar[PolicyDefect]

    def unfit(self, spec: LabSpec) -> str:
        """Labs without an engine have no agents."""
        return needs_engine(spec)

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


class _Late(NodeNumber):
    """An agent that is late by some seconds."""

    setting: ClassVar[Setting] = Setting(meaning="seconds", default=5, highest=600)

    def unfit(self, spec: LabSpec) -> str:
        """Labs without an engine have no agents."""
        return needs_engine(spec)


class PolicyLag(_Late):
    """An agent that is late with every change."""

    name = "policy-lag"
    describes = (
        "The policy engine of one node enforces each change some seconds late (Kubernetes docs: "
        "Network Policies, pod lifecycle: it may take some time; AKS docs: use-network-policies)."
    )

    def numbers(self, knobs: NetworkKnobs) -> dict[str, float]:
        """Seconds by node; without them it catches up at once."""
        return knobs.policy_lag_seconds


class PolicyUnprotectedWindow(_Late):
    """New pods run before their policies hold."""

    name = "policy-unprotected-window"
    describes = (
        "The policies of a new pod hold only some seconds after it got its address, so it starts "
        "unprotected (Kubernetes docs: Network Policies, pod lifecycle)."
    )

    def numbers(self, knobs: NetworkKnobs) -> dict[str, float]:
        """Seconds by node, counted from a pod's address on."""
        return knobs.policy_window_seconds
