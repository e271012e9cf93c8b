"""Which names a cluster must reach to work, by the region of its nodes."""

from pytest_aksnet.model.errors import FactUnknown

# AKS docs: outbound-rules-control-egress, required FQDN rules of Azure Global and of the sovereign
# clouds. Left out are wildcards, of which no name is known to exist everywhere: the API server's
# *.hcp.REGION.azmk8s.io, the registry's *.data.mcr.microsoft.com.
_EVERYWHERE = ("mcr.microsoft.com", "packages.microsoft.com")
_PUBLIC = (
    *_EVERYWHERE,
    "mcr-0001.mcr-msedge.net",
    "management.azure.com",
    "login.microsoftonline.com",
    "acs-mirror.azureedge.net",
    "packages.aks.azure.com",
)
_US_GOVERNMENT = (
    *_EVERYWHERE,
    "management.usgovcloudapi.net",
    "login.microsoftonline.us",
    "acs-mirror.azureedge.net",
)
_CHINA = (*_EVERYWHERE, "management.chinacloudapi.cn", "login.chinacloudapi.cn")


def required_names(region: str | None) -> tuple[str, ...]:
    """The names that nodes of AKS must reach on port 443. Raises FactUnknown without a region."""
    if not region:
        raise FactUnknown(
            "the region of the nodes is unknown, which decides what the cluster must reach; set it "
            "with --aksnet-profile region=NAME, or list the names as required_fqdns in the file "
            "of --aksnet-config"
        )
    if region.startswith(("usgov", "usdod")):
        return _US_GOVERNMENT
    return _CHINA if region.startswith("china") else _PUBLIC
