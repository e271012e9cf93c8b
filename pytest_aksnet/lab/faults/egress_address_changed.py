"""Outbound traffic with another public address than the one that others have on their lists."""

from pytest_aksnet.lab.faults.fault import FaultableLab


class EgressAddressChanged:
    """New outbound flows of all nodes leave with the lab's other public address."""

    name = "egress-address-changed"
    describes = (
        "Outbound traffic leaves with a new public address, as after a change of the load "
        "balancer's outbound IPs or of the outbound type (AKS docs: load-balancer-standard, "
        "egress-outboundtype)."
    )

    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Change it."""
        lab.network.knobs.egress_ip = lab.spec.other_egress_ip
        lab.network.resync()

    async def heal(self, lab: FaultableLab) -> None:
        """Change it back."""
        lab.network.knobs.egress_ip = None
        lab.network.resync()
