"""Faults of the ways to and from one node and its pods."""

from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.named_node import NamedNode
from pytest_aksnet.lab.network_knobs import NetworkKnobs

CAPPED_POD_GBPS = 0.5


class NodeDropsPodTraffic(NamedNode):
    """A node's firewall drops what its own pods send to the node itself."""

    name = "node-drops-pod-traffic"
    describes = (
        "A node drops new connections of its own pods to the node's address, as Felix does with "
        "its default DefaultEndpointToHostAction (Calico docs: Felix configuration)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes with such a firewall."""
        return knobs.drops_own_pods


class LongPacketsLost(NamedNode):
    """Long packets between the pods of a node and other machines vanish, and nobody is told."""

    name = "long-packets-lost"
    describes = (
        "Packets of more than 1400 bytes between the pods of one node and other machines are "
        "dropped without an ICMP message, a path MTU black hole (RFC 2923, 2.1; AKS docs: pods "
        "have an MTU of 1500)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes whose pods lose long packets."""
        return knobs.long_packets_lost


class MtuBlackhole(NamedNode):
    """Long packets to and from a node vanish on their way, and nobody is told."""

    name = "mtu-blackhole"
    describes = (
        "Azure's network drops packets of more than 1400 bytes to and from one node, its pods "
        "included, without an ICMP message, a path MTU black hole (RFC 2923, 2.1; Azure docs: "
        "virtual-network-tcpip-performance-tuning)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes behind such a way."""
        return knobs.narrow_nodes


class HealthCheckPortDead(NamedNode):
    """The service proxy of a node does not serve health check ports."""

    name = "health-check-port-dead"
    describes = (
        "The service proxy of one node does not listen on healthCheckNodePorts, as when another "
        "process has taken them, so load balancers take the node out (KEP-1669; kubernetes: "
        "pkg/proxy/healthcheck)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes whose health check ports are dead."""
        return knobs.health_check_absent


class PodBandwidthCapped:
    """The pods of a node receive slower than the node does."""

    name = "pod-bandwidth-capped"
    describes = (
        f"Each pod of one node receives at most {CAPPED_POD_GBPS} Gbit/s, as with "
        "kubernetes.io/ingress-bandwidth, while the node itself is not limited "
        "(Kubernetes docs: network plugins, traffic shaping)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Limit the pods' interfaces, those of later pods included."""
        lab.network.knobs.pod_rate_gbps[self.node] = CAPPED_POD_GBPS
        lab.network.resync()

    async def heal(self, lab: FaultableLab) -> None:
        """Take the limits back."""
        lab.network.knobs.pod_rate_gbps.pop(self.node, None)
        lab.network.resync()
