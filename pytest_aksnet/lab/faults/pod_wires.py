"""Faults of what connects the pods of a node with it."""

from pytest_aksnet.lab.faults.named_node import NamedNode
from pytest_aksnet.lab.network_knobs import NetworkKnobs


class PodVethDown(NamedNode):
    """The node's ends of its pods' wires are down."""

    name = "pod-veth-down"
    describes = (
        "The links of the pods of one node are down on the node's side, so the pods run and reach "
        "nobody (Azure/azure-container-networking: transparent mode sets them up; CNI plugin "
        "bridge)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes with such links."""
        return knobs.pod_links_down


class ArpEntryWrong(NamedNode):
    """The pods of a node have a wrong MAC address for their gateway."""

    name = "arp-entry-wrong"
    describes = (
        "The neighbour entry of the gateway in the pods of one node, static with azure-vnet "
        "(169.254.1.1 at aa:aa:aa:aa:aa:aa), has a MAC address that nobody has "
        "(Azure/azure-container-networking: transparent mode)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes whose pods have it."""
        return knobs.gateway_neighbours_wrong


class IpForwardingOff(NamedNode):
    """The kernel of a node does not forward."""

    name = "ip-forwarding-off"
    describes = (
        "net.ipv4.ip_forward is 0 on one node, as after a hardening script, so the node is up "
        "and its pods reach nobody but the node (Kubernetes docs: container runtimes, network "
        "configuration)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes that do not forward."""
        return knobs.forwarding_off
