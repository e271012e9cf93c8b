"""Whether this run has credentials for Azure, by explicit signs alone. Imports nothing of azure.

The signs are the environment variables of azure-identity ("Azure SDK for Python: azure-identity,
environment variables") and --aksnet-resource-id. Looking for a managed identity without a sign
would cost every run on another machine the time-outs of a metadata service.
"""

from collections.abc import Mapping

_SIGNS: tuple[tuple[str, ...], ...] = (
    ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_SECRET"),
    ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_CERTIFICATE_PATH"),
    ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"),
    ("IDENTITY_ENDPOINT",),
    ("MSI_ENDPOINT",),
    ("AZURE_TOKEN_CREDENTIALS",),
)
NO_SIGN = (
    "Azure Resource Manager was not asked, because no credentials are configured: set the "
    "environment variables of azure-identity, or name the cluster with --aksnet-resource-id"
)


def why_not_configured(environment: Mapping[str, str], resource_id: str | None) -> str:
    """Why Azure is not asked; empty where there is a sign of credentials."""
    if resource_id or any(all(environment.get(name) for name in names) for names in _SIGNS):
        return ""
    return NO_SIGN
