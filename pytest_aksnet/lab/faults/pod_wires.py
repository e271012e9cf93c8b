"""Faults of what connects the pods of a node with it."""

from pytest_aksnet.lab.faults.named_node import NamedNode
from pytest_aksnet.lab.network.host_firewall import CLAMPED_MSS
from pytest_aksnet.lab.network.node import NARROW_MTU
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


class PodMtuLowered(NamedNode):
    """The links of the pods of a node are narrower than those of other nodes."""

    name = "pod-mtu-lowered"
    describes = (
        f"The links of the pods of one node have an MTU of {NARROW_MTU} instead of 1500, as after "
        "a CNI configuration was changed by hand or by an agent (AKS docs: azure-cni-overlay; CNI "
        "plugins: mtu)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes with such links."""
        return knobs.pod_links_narrow


class PodLoopbackDown(NamedNode):
    """The loopback interfaces of the pods of a node are down."""

    name = "pod-loopback-down"
    describes = (
        "The interface lo of the pods of one node is down, as without the CNI plugin loopback, so "
        "they reach neither localhost nor their own address (CNI plugins: loopback; Kubernetes "
        "docs: network-plugins, loopback CNI)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes with such pods."""
        return knobs.pod_loopbacks_down


class MssClamped(NamedNode):
    """A middlebox before a node rewrites the MSS of the connections of its pods."""

    name = "mss-clamped"
    describes = (
        f"Something between the pods of one node and other machines lowers the MSS of TCP to "
        f"{CLAMPED_MSS}, as tunnels in tunnels and their gateways do (RFC 4459; Azure docs: "
        "virtual-network-tcpip-performance-tuning)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes behind it."""
        return knobs.segments_clamped


class HostPortUnmapped(NamedNode):
    """No port of a node leads to its pods."""

    name = "host-port-unmapped"
    describes = (
        "The network configuration of one node lacks the plugin portmap, so hostPorts of its pods "
        "are accepted and answer nobody (CNI plugins: portmap; Kubernetes docs: network-plugins, "
        "support hostPort)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes without it."""
        return knobs.host_ports_unmapped
