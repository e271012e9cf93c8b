"""azure-ip-masq-agent without the ranges that it must leave alone."""

from collections.abc import Sequence

from pytest_aksnet.lab.api.resources import CONFIG_MAPS
from pytest_aksnet.lab.controllers.cluster import MASQUERADE_CONFIG, masquerade_config
from pytest_aksnet.lab.faults.fault import FaultableLab


class MasqueradeInsideVnet:
    """nonMasqueradeCIDRs lose what must keep the pods' addresses, on all nodes."""

    name = "masquerade-inside-vnet"
    describes = (
        "nonMasqueradeCIDRs of azure-ip-masq-agent lack a range: in node-subnet mode the VNet "
        "beyond the nodes' subnet, so a VM there sees the node's address (Azure/AKS issue 1207); "
        "in overlay the pod CIDR, so pods do (ip-masq-agent-v2: README)."
    )

    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Shorten the list."""
        left = () if lab.spec.mode == "overlay" else (lab.spec.node_subnet,)
        lab.network.knobs.non_masquerade_cidrs = left
        lab.network.resync()
        _write_config(lab, left)

    async def heal(self, lab: FaultableLab) -> None:
        """Restore the list."""
        lab.network.knobs.non_masquerade_cidrs = None
        lab.network.resync()
        _write_config(lab, lab.spec.non_masquerade_cidrs)


def _write_config(lab: FaultableLab, cidrs: Sequence[str]) -> None:
    """Let the ConfigMap say what the agent does, as it would in a cluster."""
    value = masquerade_config(cidrs)
    lab.store.update(CONFIG_MAPS, value, MASQUERADE_CONFIG[0])
