"""A node whose clock is wrong."""

from functools import partial

from pytest_aksnet.lab.facade.node_clock import right_date, skew_date
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.rated import RatedNodeFault
from pytest_aksnet.lab.faults.setting import Setting


class NodeClockSkew(RatedNodeFault):
    """What the kubelet writes of its node, and `date` there, are ahead: the rest is not."""

    name = "node-clock-skew"
    describes = (
        "The clock of one node is ahead, so its kubelet renews the node's Lease with a time to "
        "come and `date` on the node is wrong, while the lab's processes share one clock and go on "
        "reading the right time (Kubernetes docs: Nodes, heartbeats; AKS docs: time "
        "synchronization with chrony)."
    )
    setting = Setting(meaning="seconds ahead", default=300, highest=86_400)

    async def inject(self, lab: FaultableLab) -> None:
        """Put it forward. Raises OSError."""
        if lab.kubelet_clock(self.node) != 0:
            return
        await lab.views.show(self.node, self.name, partial(skew_date, seconds=self.value))
        lab.set_kubelet_clock(self.node, self.value)

    async def heal(self, lab: FaultableLab) -> None:
        """Put it right. Raises OSError."""
        if lab.kubelet_clock(self.node) == 0:
            return
        lab.set_kubelet_clock(self.node, 0)
        await lab.views.hide(self.node, self.name, right_date)
