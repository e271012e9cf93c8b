"""Faults of what the network plugin of one node has in its files beside what belongs there."""

from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.spec import LabSpec


class CniConfigLeftover:
    """Another plugin's configuration comes first on a node."""

    name = "cni-config-leftover"
    describes = (
        "/etc/cni/net.d of one node has another plugin's configuration before its own, as after a "
        "change of the network mode, which containerd loads when it starts the next time (libcni: "
        "ConfFiles; AKS docs: update-azure-cni)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    async def inject(self, lab: FaultableLab) -> None:
        """Write it. Raises OSError."""
        await lab.plugins[self.node].set_leftover_config(True)

    async def heal(self, lab: FaultableLab) -> None:
        """Remove it. Raises OSError."""
        await lab.plugins[self.node].set_leftover_config(False)


class CniStateLeaked:
    """A plugin's state has a pod that is gone."""

    name = "cni-state-leaked"
    describes = (
        "/var/run/azure-vnet.json of one node holds an address for a pod that is gone, as after a "
        "CNI DEL that never came (Azure docs: troubleshoot-network-aks, compare the IPAM store "
        "with the running pods)."
    )

    def __init__(self, node: str) -> None:
        self.node = node

    def unfit(self, spec: LabSpec) -> str:
        """Only Azure's plugin has that file."""
        if spec.mode == "kubenet" or spec.engine == "cilium":
            return "only azure-vnet keeps that state; set another --mode or --engine"
        return ""

    async def inject(self, lab: FaultableLab) -> None:
        """Write it there. Raises OSError."""
        await lab.plugins[self.node].set_leaked(True)

    async def heal(self, lab: FaultableLab) -> None:
        """Take it out. Raises OSError."""
        await lab.plugins[self.node].set_leaked(False)
