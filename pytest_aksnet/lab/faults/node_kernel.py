"""Faults of one node's kernel settings: they change how its packets are treated, or could be."""

from pytest_aksnet.lab.facade.conntrack_limit import run_on
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.spec import LabSpec

OTHER_MTU = 3900
_MTU = 1500


class NodeMtuDiffers:
    """The interface of one node takes longer packets than those of the others."""

    name = "node-mtu-differs"
    describes = (
        f"The interface eth0 of one node has an MTU of {OTHER_MTU} and the others 1500, as where "
        "jumbo frames were turned on for some nodes only, so what the node sends in long packets "
        "does not arrive (Azure docs: virtual-machines-mtu; RFC 1191)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Set it. Raises OSError."""
        await self._set(lab, OTHER_MTU)

    async def heal(self, lab: FaultableLab) -> None:
        """Set the usual one. Raises OSError."""
        await self._set(lab, _MTU)

    async def _set(self, lab: FaultableLab, mtu: int) -> None:
        await run_on(lab.machines[self.node], "ip", "link", "set", "eth0", "mtu", str(mtu))


class ReversePathStrict:
    """A node drops what comes by another interface than the answer would leave by."""

    name = "rp-filter-strict"
    describes = (
        "net.ipv4.conf.all.rp_filter is 1 on one node, as some distributions and hardening scripts "
        "set it, where Cilium needs it off (Cilium docs: system requirements; systemd issue 20282)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    def unfit(self, spec: LabSpec) -> str:
        """Other data planes live with it."""
        return "" if spec.engine == "cilium" else "only Cilium needs it off; set --engine cilium"

    async def inject(self, lab: FaultableLab) -> None:
        """Set it. Raises OSError."""
        await self._set(lab, 1)

    async def heal(self, lab: FaultableLab) -> None:
        """Turn it off. Raises OSError."""
        await self._set(lab, 0)

    async def _set(self, lab: FaultableLab, value: int) -> None:
        setting = f"net.ipv4.conf.all.rp_filter={value}"
        await run_on(lab.machines[self.node], "sysctl", "-qw", setting)
