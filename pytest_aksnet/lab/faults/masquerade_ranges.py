"""azure-ip-masq-agent with other ranges than those that it must leave alone."""

from abc import ABC, abstractmethod

from pytest_aksnet.lab.api.resources import CONFIG_MAPS
from pytest_aksnet.lab.controllers.node_agents import MASQUERADE_CONFIG, masquerade_config
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.spec import LabSpec


class _Ranges(ABC):
    """A wrong nonMasqueradeCIDRs list on all nodes, in the agent's ConfigMap too."""

    name: str
    describes: str
    node = ""

    @abstractmethod
    def ranges(self, spec: LabSpec) -> tuple[str, ...]:
        """The wrong list."""

    def unfit(self, spec: LabSpec) -> str:
        """Pod subnets have no such agent (AKS docs: concepts-network-cni-overview)."""
        if spec.mode == "pod-subnet":
            return (
                "nothing masquerades in mode pod-subnet: set mode=overlay, node-subnet or kubenet"
            )
        return ""

    async def inject(self, lab: FaultableLab) -> None:
        """Set the list."""
        self._set(lab, self.ranges(lab.spec))

    async def heal(self, lab: FaultableLab) -> None:
        """Restore the list."""
        self._set(lab, None)

    @staticmethod
    def _set(lab: FaultableLab, ranges: tuple[str, ...] | None) -> None:
        lab.network.knobs.non_masquerade_cidrs = ranges
        lab.network.resync()
        right = lab.spec.non_masquerade_cidrs
        value = masquerade_config(right if ranges is None else ranges)
        lab.store.update(CONFIG_MAPS, value, MASQUERADE_CONFIG[0])


class MasqueradeInsideVnet(_Ranges):
    """nonMasqueradeCIDRs lose what must keep the pods' addresses, on all nodes."""

    name = "masquerade-inside-vnet"
    describes = (
        "nonMasqueradeCIDRs of azure-ip-masq-agent lack a range: in node-subnet mode the VNet "
        "beyond the nodes' subnet, so a VM there sees the node's address (Azure/AKS issue 1207); "
        "in overlay and kubenet the pod CIDR, so pods do (ip-masq-agent-v2: README)."
    )

    def ranges(self, spec: LabSpec) -> tuple[str, ...]:
        """Shorter by what matters most."""
        return () if spec.pods_have_cidr else (spec.node_subnet,)


class MasqueradeOutsideMissing(_Ranges):
    """nonMasqueradeCIDRs name what must not see the pods' addresses, on all nodes."""

    name = "masquerade-outside-missing"
    describes = (
        "nonMasqueradeCIDRs of azure-ip-masq-agent contain everything, so pods leave their node "
        "with addresses that nothing outside can answer (AKS docs: update-azure-cni; Azure/AKS "
        "issues 1207 and 2653)."
    )

    def ranges(self, spec: LabSpec) -> tuple[str, ...]:
        """Everything."""
        return ("0.0.0.0/0", "::/0") if spec.dual_stack else ("0.0.0.0/0",)
