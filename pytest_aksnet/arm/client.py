"""The door to Azure: the credential, the clients, and what every request goes through.

DefaultAzureCredential decides who asks. Every client has the same short pipeline, which is not the
SDK's own: that would register a provider where one is missing, which is a write, would obey any
Retry-After, and would send the token wherever a link in an answer points.
"""

import contextlib
import threading
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from azure.core import AzureClouds
from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import (
    ContentDecodePolicy,
    RequestIdPolicy,
    UserAgentPolicy,
)
from azure.core.rest import HttpRequest
from azure.identity import DefaultAzureCredential
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.tools import get_arm_endpoints

from pytest_aksnet.arm.exchanges import ReadOnly, Recording
from pytest_aksnet.arm.limits import BoundedRetry, Limits, LongRunning, OneTry
from pytest_aksnet.arm.refusals import Refused, short
from pytest_aksnet.arm.sdk_models import lock_models
from pytest_aksnet.arm.tokens import Authorised, OnlyToArm, Tokens
from pytest_aksnet.model.arm import Refusal, Sort

if TYPE_CHECKING:
    from azure.mgmt.compute import ComputeManagementClient
    from azure.mgmt.containerservice import ContainerServiceClient
    from azure.mgmt.monitor import MonitorManagementClient
    from azure.mgmt.network import NetworkManagementClient
    from azure.mgmt.privatedns import PrivateDnsManagementClient

_CLOUDS = {
    "public": (AzureClouds.AZURE_PUBLIC_CLOUD, "login.microsoftonline.com"),
    "usgov": (AzureClouds.AZURE_US_GOVERNMENT, "login.microsoftonline.us"),
    "china": (AzureClouds.AZURE_CHINA_CLOUD, "login.chinacloudapi.cn"),
}
_AZ_S = 20  # the command az starts slowly where it was not used for a while
Client = TypeVar("Client")


class Door:
    """Clients for one subscription, each made when it is first used. Safe between threads.

    `base` is the URL of ARM. `verify` is a CA bundle where ARM's certificate is from no public
    authority.
    """

    def __init__(
        self, tokens: Tokens, subscription: str, base: str, limits: Limits, verify: str = ""
    ) -> None:
        self.subscription = subscription
        self._tokens = tokens
        self._base = base
        self._limits = limits
        self._transport = {"connection_verify": verify} if verify else {}
        self._making = threading.RLock()
        self._made: dict[str, Any] = {}

    @property
    def containers(self) -> "ContainerServiceClient":
        """Microsoft.ContainerService."""
        from azure.mgmt.containerservice import ContainerServiceClient

        return self._client(ContainerServiceClient)

    @property
    def network(self) -> "NetworkManagementClient":
        """Microsoft.Network without private DNS."""
        from azure.mgmt.network import NetworkManagementClient

        return self._client(NetworkManagementClient)

    @property
    def compute(self) -> "ComputeManagementClient":
        """Microsoft.Compute."""
        from azure.mgmt.compute import ComputeManagementClient

        return self._client(ComputeManagementClient)

    @property
    def private_dns(self) -> "PrivateDnsManagementClient":
        """Microsoft.Network/privateDnsZones."""
        from azure.mgmt.privatedns import PrivateDnsManagementClient

        return self._client(PrivateDnsManagementClient)

    @property
    def monitor(self) -> "MonitorManagementClient":
        """Microsoft.Insights."""
        from azure.mgmt.monitor import MonitorManagementClient

        return self._client(MonitorManagementClient)

    def get(self, path: str, version: str) -> Any:
        """The JSON at a path of ARM for which the clients have no method. Raises AzureError."""
        client: Any = self._kept(
            "resources",
            lambda: ARMPipelineClient(
                base_url=self._base, policies=self._policies(), **self._transport
            ),
        )
        request = HttpRequest("GET", client.format_url(path), params={"api-version": version})
        response = client.send_request(request)
        response.raise_for_status()
        return response.json()

    def close(self) -> None:
        """Close the connections."""
        with self._making:
            for made in self._made.values():
                made.close()

    def _client(self, kind: type[Client]) -> Client:
        def make() -> Client:
            lock_models(kind)
            made: Any = kind
            return made(  # type: ignore[no-any-return]
                self._tokens,
                self.subscription,
                base_url=self._base,
                credential_scopes=self._tokens.scopes,
                policies=self._policies(),
                polling_interval=self._limits.poll_s,
                **self._transport,
            )

        return self._kept(kind.__name__, make)

    def _kept(self, name: str, make: Callable[[], Client]) -> Client:
        with self._making:
            if name not in self._made:
                self._made[name] = make()
            made: Client = self._made[name]
            return made

    def _policies(self) -> list[Any]:
        retry = BoundedRetry(self._limits)
        return [
            RequestIdPolicy(),
            UserAgentPolicy(base_user_agent="pytest-aksnet"),
            ContentDecodePolicy(),
            ReadOnly(),
            OnlyToArm(self._base),
            LongRunning(self._limits, retry),
            retry,
            OneTry(self._limits),
            Authorised(self._tokens),
            Recording(),
        ]


@contextlib.contextmanager
def open_credential(
    *,
    cloud: str,
    environment: Mapping[str, str],
    endpoint: str = "",
    verify: str = "",
    limits: Limits | None = None,
) -> Iterator[Callable[[str], Door]]:
    """Gives doors by subscription, with one credential, which is closed at the end.

    Nothing is asked yet. `endpoint` is that of ARM where it is no cloud's own. Raises Refused where
    no credential can be made.
    """
    chosen = limits or Limits()
    setting, login = _CLOUDS[cloud]
    authority = environment.get("AZURE_AUTHORITY_HOST") or f"https://{login}"
    host = urllib.parse.urlsplit(authority).hostname or authority
    known = any(host == one for _, one in _CLOUDS.values())
    arm = get_arm_endpoints(setting)
    base = endpoint or arm["resource_manager"]
    with contextlib.ExitStack() as closing:
        # An authority that is none of Microsoft's own is not known to its public directory.
        try:
            credential = closing.enter_context(
                DefaultAzureCredential(
                    authority=authority,
                    disable_instance_discovery=not known,
                    process_timeout=_AZ_S,
                    retry_total=chosen.retries,
                    connection_timeout=chosen.connect_s,
                    read_timeout=chosen.read_s,
                    timeout=chosen.token_s,
                    **({"connection_verify": verify} if verify else {}),
                )
            )
        except (AzureError, ValueError) as error:
            why = f"no credential can be made ({short(error)})"
            raise Refused(Refusal(sort=Sort.CREDENTIALS, why=why)) from error
        tokens = Tokens(credential, arm["credential_scopes"], chosen.token_s)

        def door(subscription: str) -> Door:
            made = Door(tokens, subscription, base, chosen, verify)
            closing.callback(made.close)
            return made

        yield door
