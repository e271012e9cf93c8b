"""A private DNS zone without a link to the virtual network."""

from pytest_aksnet.lab.faults.fault import FaultableLab


class PrivateZoneUnlinked:
    """All private zones lose their links."""

    name = "private-zone-unlinked"
    describes = (
        "The private DNS zones are not linked to the VNet, so the storage account's name resolves "
        "to its public address (Azure Private Link docs: private-endpoint-dns)."
    )

    node = ""

    async def inject(self, lab: FaultableLab) -> None:
        """Unlink them."""
        for endpoint in lab.spec.private_endpoints:
            lab.azure_dns.unlink(endpoint.zone)

    async def heal(self, lab: FaultableLab) -> None:
        """Link them."""
        for endpoint in lab.spec.private_endpoints:
            lab.azure_dns.link(endpoint.zone)
