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


class PolicyIpv6NotEnforced(_Misreads):
    """Addresses of the second family are open."""

    name = "policy-ipv6-not-enforced"
    describes = (
        "The policy engine of one node of a dual-stack lab enforces policies over IPv4 alone, as "
        "one that was set up before the cluster got IPv6 (AKS docs: use-network-policies, Network "
        "Policy Manager has no IPv6)."
    )
    defect = PolicyDefect.IPV6_NOT_ENFORCED

    def unfit(self, spec: LabSpec) -> str:
        """Labs without IPv6 have nothing to leave open."""
        if not spec.dual_stack:
            return "the lab has no IPv6: set dual-stack to true"
        return needs_engine(spec)


class PolicyLetsNodesIn(_Misreads):
    """Ingress from nodes is not judged."""

    name = "policy-lets-nodes-in"
    describes = (
        "The policy engine of one node lets in whatever comes from a node, and with it all that "
        "comes through load balancers and node ports with externalTrafficPolicy Cluster (AKS docs: "
        "migrate-from-npm-to-cilium-network-policy: engine azure does so, others do not)."
    )
    defect = PolicyDefect.NODES_LET_IN

    def unfit(self, spec: LabSpec) -> str:
        """What engine azure does without any fault."""
        if spec.engine == "azure":
            return "engine azure lets nodes in without any fault: set engine to calico or cilium"
        return needs_engine(spec)


class PolicyOwnNodeOpen(_Misreads):
    """Egress to the pod's own node is not judged."""

    name = "policy-own-node-open"
    describes = (
        "The policy engine of one node does not judge what its pods send to the node itself "
        "(Calico docs: Felix configuration, DefaultEndpointToHostAction; AKS docs: "
        "migrate-from-npm-to-cilium-network-policy)."
    )
    defect = PolicyDefect.OWN_NODE_OPEN

    def unfit(self, spec: LabSpec) -> str:
        """What engine azure does without any fault."""
        if spec.engine == "azure":
            return "engine azure leaves the own node open without any fault: set engine to calico"
        return needs_engine(spec)


class PolicyHoldsHostNetwork(_Misreads):
    """Policies for pods of the host network."""

    name = "policy-holds-host-network"
    describes = (
        "The policy engine of one node closes pods of the host network that policies select "
        "(Kubernetes docs: Network Policies, hostNetwork pods)."
    )
    defect = PolicyDefect.HOST_NETWORK_HELD


class PolicySparesConnections(_Misreads):
    """Connections outlive a deny under an engine that ends them."""

    name = "policy-spares-connections"
    describes = (
        "Cilium's agent of one node lets connections go on that a new policy denies "
        "(cilium/cilium: bpf/bpf_lxc.c looks a policy up for each packet that is no reply)."
    )
    defect = PolicyDefect.CONNECTIONS_SPARED

    def unfit(self, spec: LabSpec) -> str:
        """Other engines do so without any fault."""
        if spec.engine != "cilium":
            return "only cilium ends connections that a policy denies: set engine to cilium"
        return ""


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


class PolicyUpdateGap(_Late):
    """Packets are lost while rules are written anew."""

    name = "policy-update-gap"
    describes = (
        "With each change of policies, pods of one node that policies select lose all packets for "
        "some seconds (AKS docs: use-network-policies, Network Policy Manager may cut connections "
        "for about 15 s when large policies change)."
    )

    def numbers(self, knobs: NetworkKnobs) -> dict[str, float]:
        """Seconds by node."""
        return knobs.policy_gap_seconds
