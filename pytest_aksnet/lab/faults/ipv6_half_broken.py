"""IPv6 that names promise and packets do not keep."""

from pytest_aksnet.lab.faults.named_node import NamedNode
from pytest_aksnet.lab.network_knobs import NetworkKnobs
from pytest_aksnet.lab.spec import LabSpec


class Ipv6HalfBroken(NamedNode):
    """A node's IPv6 packets are lost, those of its pods included."""

    name = "ipv6-half-broken"
    describes = (
        "AAAA records are answered and IPv6 packets of one node vanish, so programs that prefer "
        "IPv6 hang before they fall back (RFC 8305; AKS docs: configure-dual-stack)."
    )

    def unfit(self, spec: LabSpec) -> str:
        """It needs IPv6."""
        return "" if spec.dual_stack else "the lab has no IPv6: set dual-stack=true"

    def broken(self, knobs: NetworkKnobs) -> set[str]:
        """Nodes whose IPv6 packets are lost."""
        return knobs.ipv6_lost
