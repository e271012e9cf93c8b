"""Who may ask ARM: the identities of a lab, and where they are told.

One service principal, which may also come with a federated token (workload identity), and one
managed identity, the kubelets' ("AKS docs: use-managed-identity").
"""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field

from pytest_aksnet.lab.arm.ids import guid
from pytest_aksnet.lab.spec import CLUSTER_NAME

TENANT = guid("tenant")
FEDERATED_AUDIENCE = "api://AzureADTokenExchange"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """An identity of the tenant. `role` is what it is given on the subscription at first."""

    name: str
    role: str

    @property
    def client_id(self) -> str:
        """Of the application: what people configure."""
        return guid(f"application {self.name}")

    @property
    def object_id(self) -> str:
        """Of the service principal in the tenant: what roles are assigned to."""
        return guid(f"principal {self.name}")


@dataclass(frozen=True, kw_only=True)
class Identities:
    """The identities and their secrets, new for each lab.

    `signing_key` signs tokens, `client_secret` is the service principal's, `identity_header` what
    an App Service gives its applications as IDENTITY_HEADER.
    """

    principal: Identity
    managed: Identity = field(
        default_factory=lambda: Identity(name=f"{CLUSTER_NAME}-agentpool", role="Reader")
    )
    signing_key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    client_secret: str = field(default_factory=lambda: secrets.token_urlsafe(30), repr=False)
    identity_header: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)

    def __iter__(self) -> Iterator[Identity]:
        """All of them."""
        return iter((self.principal, self.managed))


def make_identities(role: str) -> Identities:
    """The identities of a lab; `role` is what the service principal has on the subscription."""
    return Identities(principal=Identity(name=CLUSTER_NAME, role=role))
