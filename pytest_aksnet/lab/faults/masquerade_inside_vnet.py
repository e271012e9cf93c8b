"""azure-ip-masq-agent without the ranges that it must leave alone."""

from collections.abc import Sequence

from pytest_aksnet.lab.api.resources import CONFIG_MAPS
from pytest_aksnet.lab.controllers.cluster import MASQUERADE_CONFIG, masquerade_config
from pytest_aksnet.lab.faults.fault import FaultableLab


class MasqueradeInsideVnet:
    """nonMasqueradeCIDRs lose the VNet and the pods' range, on all nodes."""

    name = "masquerade-inside-vnet"
    describes = (
        "nonMasqueradeCIDRs of azure-ip-masq-agent name neither the VNet nor the pod CIDR, so "
        "traffic between pods, and in node-subnet mode to the VNet, arrives with the node's "
        "address (ip-masq-agent-v2: README)."
    )

    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Empty the list."""
        lab.network.knobs.non_masquerade_cidrs = ()
        lab.network.resync()
        _write_config(lab, ())

    async def heal(self, lab: FaultableLab) -> None:
        """Restore the list."""
        lab.network.knobs.non_masquerade_cidrs = None
        lab.network.resync()
        _write_config(lab, lab.spec.non_masquerade_cidrs)


def _write_config(lab: FaultableLab, cidrs: Sequence[str]) -> None:
    """Let the ConfigMap say what the agent does, as it would in a cluster."""
    value = masquerade_config(cidrs)
    lab.store.update(CONFIG_MAPS, value, MASQUERADE_CONFIG[0])
