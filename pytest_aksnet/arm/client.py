"""The door to Azure: credentials, clients with bounded retries, and errors in words.

Every request is a GET. DefaultAzureCredential decides who asks; azure-core repeats what failed.
"""

import contextlib
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from azure.core import AzureClouds
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ResourceNotFoundError,
)
from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy
from azure.core.rest import HttpRequest
from azure.identity import DefaultAzureCredential
from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.core import ARMPipelineClient
from azure.mgmt.core.tools import get_arm_endpoints
from azure.mgmt.network import NetworkManagementClient

# Seconds and tries of one request; those of azure-core are 300 s and 10.
LIMITS: Mapping[str, int] = {"retry_total": 3, "connection_timeout": 10, "read_timeout": 30}
_CLOUDS = {
    "public": (AzureClouds.AZURE_PUBLIC_CLOUD, "login.microsoftonline.com"),
    "usgov": (AzureClouds.AZURE_US_GOVERNMENT, "login.microsoftonline.us"),
    "china": (AzureClouds.AZURE_CHINA_CLOUD, "login.chinacloudapi.cn"),
}
_GROUP_VERSION = "2021-04-01"
_LONGEST = 300
Read = TypeVar("Read")


class Refused(Exception):
    """What could not be read: `why`, in words."""

    def __init__(self, why: str) -> None:
        super().__init__(why)
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """Open clients for one subscription. `resources` asks for what the clients have no method."""

    containers: Any
    network: Any
    resources: Any

    def resource_group(self, subscription: str, name: str) -> Mapping[str, Any]:
        """A resource group as ARM has it. Raises Refused."""

        def ask() -> Mapping[str, Any]:
            path = f"/subscriptions/{subscription}/resourceGroups/{name}"
            url = self.resources.format_url(path)
            request = HttpRequest("GET", url, params={"api-version": _GROUP_VERSION})
            response = self.resources.send_request(request)
            response.raise_for_status()
            found: Mapping[str, Any] = response.json()
            return found

        return asked(ask, "Microsoft.Resources/subscriptions/resourceGroups/read")


@contextlib.contextmanager
def open_door(
    subscription: str, *, cloud: str, environment: Mapping[str, str], endpoint: str = ""
) -> Iterator[Door]:
    """Clients that are closed at the end; `endpoint` is that of ARM where it is no cloud's own.

    Nothing is asked yet. Raises Refused where no credential can be made.
    """
    setting, login = _CLOUDS[cloud]
    authority = environment.get("AZURE_AUTHORITY_HOST") or f"https://{login}"
    host = urllib.parse.urlsplit(authority).hostname or authority
    known = any(host == one for _, one in _CLOUDS.values())
    arm = get_arm_endpoints(setting)
    base = endpoint or arm["resource_manager"]
    scopes = arm["credential_scopes"]
    options: dict[str, Any] = {"base_url": base, "credential_scopes": scopes, **LIMITS}
    with contextlib.ExitStack() as closing:
        try:
            # An authority that is none of Microsoft's own is not known to its public directory.
            credential = closing.enter_context(
                DefaultAzureCredential(
                    authority=authority, disable_instance_discovery=not known, **LIMITS
                )
            )
        except (AzureError, ValueError) as error:
            raise Refused(f"no credential can be made ({_short(error)})") from error
        policies = [
            RetryPolicy(retry_total=LIMITS["retry_total"]),
            BearerTokenCredentialPolicy(credential, *scopes),
        ]
        yield Door(
            containers=closing.enter_context(
                ContainerServiceClient(credential, subscription, **options)
            ),
            network=closing.enter_context(
                NetworkManagementClient(credential, subscription, **options)
            ),
            resources=closing.enter_context(
                ARMPipelineClient(base_url=base, policies=policies, **LIMITS)
            ),
        )


def asked(ask: Callable[[], Read], action: str) -> Read:
    """What `ask` gives; `action` is what the identity must be allowed to do. Raises Refused."""
    try:
        return ask()
    except ClientAuthenticationError as error:
        raise Refused(f"Azure refuses the credentials ({_short(error)})") from error
    except ResourceNotFoundError as error:
        raise Refused(f"ARM has no such resource ({_short(error)})") from error
    except HttpResponseError as error:
        words = {
            403: f"this identity may not: it needs the action {action}",
            429: "ARM has had too many requests of this identity (429): try again later",
        }
        why = words.get(error.status_code or 0)
        raise Refused(why or f"ARM answers {error.status_code} ({_short(error)})") from error
    except AzureError as error:
        raise Refused(f"ARM could not be asked ({_short(error)})") from error


def _short(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__)[:_LONGEST]
