"""A private DNS zone without a link to the virtual network."""

from pytest_aksnet.lab.azure.state import CLUSTER_NETWORK, AzureState
from pytest_aksnet.lab.faults.fault import FaultableLab


class PrivateZoneUnlinked:
    """All private zones lose their links to the cluster's virtual network."""

    name = "private-zone-unlinked"
    describes = (
        "The private DNS zones are not linked to the VNet, so the storage account's name resolves "
        "to its public address (Azure Private Link docs: private-endpoint-dns)."
    )

    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Unlink them."""
        for zone in lab.azure.private_zones.values():
            zone.links = [link for link in zone.links if link.network != CLUSTER_NETWORK]
        lab.azure.changed()

    async def heal(self, lab: FaultableLab) -> None:
        """Link them as they were when the lab started."""
        for name, zone in AzureState(lab.spec).private_zones.items():
            known = lab.azure.private_zones[name].links
            known += [
                link for link in zone.links if link.network not in [one.network for one in known]
            ]
        lab.azure.changed()
