"""Faults of the ways between machines: what is lost, late, or too much for them."""

from abc import abstractmethod
from typing import ClassVar

from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.named_node import NamedNode
from pytest_aksnet.lab.faults.rated import RatedNodeFault
from pytest_aksnet.lab.faults.setting import Setting
from pytest_aksnet.lab.network_knobs import NetworkKnobs


class NodeNumber(RatedNodeFault):
    """A fault that is a number of a node in one of the network's knobs."""

    @abstractmethod
    def numbers(self, knobs: NetworkKnobs) -> dict[str, float]:
        """The knob: numbers by the names of nodes."""

    async def inject(self, lab: FaultableLab) -> None:
        """Set the number. Raises OSError where this machine's kernel cannot do it."""
        self.numbers(lab.network.knobs)[self.node] = self.value
        try:
            lab.network.resync()
        except OSError:
            del self.numbers(lab.network.knobs)[self.node]
            raise

    async def heal(self, lab: FaultableLab) -> None:
        """Take it back."""
        self.numbers(lab.network.knobs).pop(self.node, None)
        lab.network.resync()


class PacketLoss(NodeNumber):
    """Packets vanish at random between machines."""

    name = "packet-loss"
    describes = (
        "Each packet between machines, of one node if one is named, is lost with this probability, "
        "either way, as on an overloaded or broken link (Azure docs: TCP/IP performance tuning; "
        "RFC 2680)."
    )
    setting: ClassVar[Setting] = Setting(meaning="probability per packet", default=0.05, highest=1)

    def numbers(self, knobs: NetworkKnobs) -> dict[str, float]:
        """Probability by node."""
        return knobs.packet_loss


class PacketLatency(NodeNumber):
    """Packets take longer between machines."""

    name = "latency"
    describes = (
        "Each packet between machines, of one node if one is named, arrives this much later, "
        "either way, as between regions or through a busy appliance (Azure docs: network "
        "round-trip latency statistics; RFC 2681)."
    )
    setting: ClassVar[Setting] = Setting(
        meaning="seconds added to each way", default=0.02, highest=10
    )

    def numbers(self, knobs: NetworkKnobs) -> dict[str, float]:
        """Seconds by node."""
        return knobs.latency_seconds


class ThroughputCapped(NodeNumber):
    """A node slower than its VM size promises."""

    name = "throughput-capped"
    describes = (
        "All that one node sends and receives is limited to this rate, below what its VM size has, "
        "while its NIC and driver look right (Azure docs: virtual machine network throughput)."
    )
    setting: ClassVar[Setting] = Setting(meaning="Gbit/s", default=1.0, highest=100)

    def numbers(self, knobs: NetworkKnobs) -> dict[str, float]:
        """Gbit/s by node."""
        return knobs.rate_gbps


class RxDrops(NodeNumber):
    """A node that drops frames which have reached it."""

    name = "rx-drops"
    describes = (
        "One node drops a share of the frames that reach its NIC and counts them as rx_dropped of "
        "eth0, as with full receive rings or too few queues (Azure docs: TCP/IP performance "
        "tuning; Linux docs: networking/statistics)."
    )
    setting: ClassVar[Setting] = Setting(meaning="probability per frame", default=0.05, highest=1)

    def numbers(self, knobs: NetworkKnobs) -> dict[str, float]:
        """Probability by node."""
        return knobs.rx_drops


class LinkFlaps(NamedNode):
    """A link that comes and goes."""

    name = "link-flaps"
    describes = (
        "One node's link loses everything for one second of every three, as while its virtual "
        "function is withdrawn and given back again and again (Azure docs: accelerated networking, "
        "how it works in Linux VMs: servicing)."
    )

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes with such a link."""
        return knobs.flapping


class IcmpBlocked:
    """No ICMP between machines, neither echoes nor errors."""

    name = "icmp-blocked"
    node = ""
    describes = (
        "All ICMP between machines is dropped, so pings go unanswered and nobody learns of a "
        "smaller MTU on the way, while TCP and UDP work (RFC 2923, 2.1; RFC 4890; Azure docs: "
        "network security groups, ICMP rules)."
    )

    async def inject(self, lab: FaultableLab) -> None:
        """Drop it."""
        lab.network.knobs.icmp_blocked = True
        lab.network.resync()

    async def heal(self, lab: FaultableLab) -> None:
        """Let it through."""
        lab.network.knobs.icmp_blocked = False
        lab.network.resync()
