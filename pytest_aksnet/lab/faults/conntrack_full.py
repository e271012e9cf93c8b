"""A node whose connection tracking table is full."""

from functools import partial

from pytest_aksnet.lab.facade.conntrack_limit import hide_limit, show_limit
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.rated import RatedNodeFault
from pytest_aksnet.lab.faults.setting import Setting


class ConntrackFull(RatedNodeFault):
    """New connections of a node are dropped once so many are tracked; old ones go on."""

    name = "conntrack-full"
    describes = (
        "A node tracks no more than so many connections and drops the first packet of others, as "
        "the kernel does with 'nf_conntrack: table full, dropping packet' (Linux: "
        "Documentation/networking/nf_conntrack-sysctl.rst)."
    )
    setting = Setting(meaning="connections", default=200, highest=1_000_000)

    async def inject(self, lab: FaultableLab) -> None:
        """Set the limit; what is tracked already does not count."""
        limits = lab.network.knobs.most_connections
        limits[self.node] = int(self.value)
        lab.network.resync()
        await lab.views.show(self.node, self.name, partial(show_limit, most=int(self.value)))

    async def heal(self, lab: FaultableLab) -> None:
        """Take it back."""
        if lab.network.knobs.most_connections.pop(self.node, None) is None:
            return
        lab.network.resync()
        await lab.views.hide(self.node, self.name, hide_limit)
