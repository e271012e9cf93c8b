"""The files by which the stand-in is found: azure.env, its CA, and a federated token.

The variables are those that azure-identity and requests read ("Azure SDK for Python:
azure-identity, environment variables"); the endpoint of ARM has none, so it has a name of the lab.
"""

import shlex
from pathlib import Path

from pytest_aksnet.lab.arm.identities import TENANT, Identities
from pytest_aksnet.lab.arm.tokens import Tokens
from pytest_aksnet.lab.spec import SUBSCRIPTION

FILE = "azure.env"
ARM_ENDPOINT = "AKSNET_LAB_ARM_ENDPOINT"


def write_environment(
    folder: Path, *, arm_url: str, identity_url: str, ca_pem: bytes, identities: Identities
) -> Path:
    """Write them; the path of azure.env, whose lines are NAME=VALUE as a shell reads them.

    `arm_url` is that of ARM, of metrics and of the authority, `identity_url` that of managed
    identities.
    """
    ca = _write(folder / "azure-ca.pem", ca_pem.decode())
    federated = Tokens(identities).federated(f"{arm_url}/oidc")
    variables = {
        ARM_ENDPOINT: arm_url,
        "AZURE_AUTHORITY_HOST": arm_url,
        "AZURE_TENANT_ID": TENANT,
        "AZURE_SUBSCRIPTION_ID": SUBSCRIPTION,
        "AZURE_CLIENT_ID": identities.principal.client_id,
        "AZURE_CLIENT_SECRET": identities.client_secret,
        "AZURE_FEDERATED_TOKEN_FILE": str(_write(folder / "azure-federated-token", federated)),
        "AZURE_POD_IDENTITY_AUTHORITY_HOST": identity_url,
        "IDENTITY_ENDPOINT": f"{identity_url}/msi/token",
        "IDENTITY_HEADER": identities.identity_header,
        "REQUESTS_CA_BUNDLE": str(ca),
    }
    lines = [f"{name}={shlex.quote(value)}\n" for name, value in variables.items()]
    return _write(folder / FILE, "".join(lines))


def _write(path: Path, text: str) -> Path:
    path.touch(mode=0o600)
    path.write_text(text, encoding="utf-8")
    return path
