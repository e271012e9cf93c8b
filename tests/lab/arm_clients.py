"""Unmodified clients of Azure's SDK for Python, pointed at a stand-in by its azure.env.

Each is imported when it is first made: all together take a second.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from azure.identity import (
        ClientSecretCredential,
        WorkloadIdentityCredential,
    )
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.containerservice import ContainerServiceClient
    from azure.mgmt.monitor import MonitorManagementClient
    from azure.mgmt.network import NetworkManagementClient
    from azure.mgmt.privatedns import PrivateDnsManagementClient
    from azure.monitor.querymetrics import MetricsClient

API_VERSION = "2026-03-01"


@dataclass(frozen=True)
class Clients:
    """Clients that read everything from `environment`. Close them."""

    environment: Mapping[str, str]

    @property
    def url(self) -> str:
        """Where ARM is."""
        return self.environment["AKSNET_LAB_ARM_ENDPOINT"]

    @property
    def subscription(self) -> str:
        """Its subscription."""
        return self.environment["AZURE_SUBSCRIPTION_ID"]

    @property
    def ca(self) -> str:
        """The bundle with its CA."""
        return self.environment["REQUESTS_CA_BUNDLE"]

    @cached_property
    def principal(self) -> "ClientSecretCredential":
        """The service principal."""
        from azure.identity import ClientSecretCredential

        return ClientSecretCredential(
            self.environment["AZURE_TENANT_ID"],
            self.environment["AZURE_CLIENT_ID"],
            self.environment["AZURE_CLIENT_SECRET"],
            authority=self.url,
            disable_instance_discovery=True,
            connection_verify=self.ca,
        )

    @cached_property
    def workload(self) -> "WorkloadIdentityCredential":
        """The same identity with a federated token."""
        from azure.identity import WorkloadIdentityCredential

        return WorkloadIdentityCredential(
            tenant_id=self.environment["AZURE_TENANT_ID"],
            client_id=self.environment["AZURE_CLIENT_ID"],
            token_file_path=self.environment["AZURE_FEDERATED_TOKEN_FILE"],
            authority=self.url,
            disable_instance_discovery=True,
            connection_verify=self.ca,
        )

    def _options(self) -> dict[str, Any]:
        return {
            "base_url": self.url,
            "connection_verify": self.ca,
            "polling_interval": 0,
            "retry_total": 2,
        }

    @cached_property
    def network(self) -> "NetworkManagementClient":
        """Microsoft.Network."""
        from azure.mgmt.network import NetworkManagementClient

        return NetworkManagementClient(self.principal, self.subscription, **self._options())

    @cached_property
    def compute(self) -> "ComputeManagementClient":
        """Microsoft.Compute."""
        from azure.mgmt.compute import ComputeManagementClient

        return ComputeManagementClient(self.principal, self.subscription, **self._options())

    @cached_property
    def aks(self) -> "ContainerServiceClient":
        """Microsoft.ContainerService."""
        from azure.mgmt.containerservice import ContainerServiceClient

        return ContainerServiceClient(self.principal, self.subscription, **self._options())

    @cached_property
    def dns(self) -> "PrivateDnsManagementClient":
        """Microsoft.Network/privateDnsZones."""
        from azure.mgmt.privatedns import PrivateDnsManagementClient

        return PrivateDnsManagementClient(self.principal, self.subscription, **self._options())

    @cached_property
    def monitor(self) -> "MonitorManagementClient":
        """Microsoft.Insights."""
        from azure.mgmt.monitor import MonitorManagementClient

        return MonitorManagementClient(self.principal, self.subscription, **self._options())

    @cached_property
    def metrics(self) -> "MetricsClient":
        """The data plane of metrics."""
        from azure.monitor.querymetrics import MetricsClient

        return MetricsClient(self.url, self.principal, connection_verify=self.ca)

    def network_as(self, credential: Any) -> "NetworkManagementClient":
        """Microsoft.Network for another identity."""
        from azure.mgmt.network import NetworkManagementClient

        return NetworkManagementClient(credential, self.subscription, **self._options())

    def send(self, method: str, path: str, body: object = None) -> Any:
        """A request of one's own through the SDK's pipeline; the response."""
        from azure.core.rest import HttpRequest

        request = HttpRequest(method, f"{self.url}{path}", json=body)
        return self.compute.send_request(request)

    def raw(
        self,
        method: str,
        path: str,
        *,
        token: str | None = None,
        body: Any = None,
    ) -> requests.Response:
        """A request without any SDK; with the service principal's token unless another is given."""
        if token is None:
            token = self.principal.get_token("https://management.azure.com/.default").token
        return requests.request(
            method,
            f"{self.url}{path}",
            headers={"Authorization": f"Bearer {token}"} if token else {},
            json=body,
            verify=self.ca,
            timeout=10,
        )

    def close(self) -> None:
        """Close the connections of all clients and credentials that were made."""
        for made in list(self.__dict__.values()):
            if hasattr(made, "close"):
                made.close()


def walk(model: Any, seen: int = 0) -> int:
    """Read every attribute of a model and of what is below it: they are decoded when read.

    How many there were; raises what the SDK raises for a value of a wrong type.
    """
    count = 0
    if hasattr(model, "_attr_to_rest_field"):
        for name in model._attr_to_rest_field:
            count += 1 + walk(getattr(model, name))
    elif isinstance(model, dict):
        count += sum(walk(one) for one in model.values())
    elif isinstance(model, list):
        count += sum(walk(one) for one in model)
    elif hasattr(model, "_attribute_map"):
        count += sum(1 + walk(getattr(model, name)) for name in model._attribute_map)
    return count
