"""What is known of the cluster from outside of it: the site file, and Azure Resource Manager.

Owns the run's one way to Azure, which is opened when a fact of Azure is needed and there is a sign
of credentials; a lab's own only with --aksnet-lab-arm.
"""

import contextlib
import os
import shlex
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_aksnet.arm.installed import uncover, why_not_importable
from pytest_aksnet.arm.signs import why_not_configured
from pytest_aksnet.model.arm import Reading, Refusal, Sort
from pytest_aksnet.model.azure import AzureNetwork
from pytest_aksnet.model.errors import ArmNotAsked
from pytest_aksnet.model.profile import Elsewhere
from pytest_aksnet.model.site import Site
from pytest_aksnet.options import Settings

if TYPE_CHECKING:
    from pytest_aksnet.arm.reader import Readings

_LAB_ENDPOINT = "AKSNET_LAB_ARM_ENDPOINT"
_NOT_IN_LAB = (
    "Azure Resource Manager was not asked: --aksnet-lab-arm asks that of the lab, with "
    "pip install pytest-aksnet[azure]"
)
# Variables that azure-identity and its credentials read.
_READ_BY_IDENTITY = ("AZURE_", "IDENTITY_", "IMDS_", "MSI_")


def why_not_asked(settings: Settings, environment: Mapping[str, str]) -> str:
    """Why this run asks nothing of Azure; empty where it does. Imports nothing of azure."""
    if settings.is_lab and not settings.lab_arm:
        return _NOT_IN_LAB
    if not settings.is_lab and (why := why_not_configured(environment, settings.resource_id)):
        return why
    return why_not_importable()


class AzureSource:
    """The run's way to Azure Resource Manager. Safe to share between threads.

    `provider_ids` gives those of the nodes, `lab_environment` the lab's azure.env, None on a live
    cluster; both are asked for when the first topic is.
    """

    def __init__(
        self,
        settings: Settings,
        provider_ids: Callable[[], Sequence[str]],
        lab_environment: Callable[[], Path | None],
    ) -> None:
        self._settings = settings
        self._provider_ids = provider_ids
        self._lab_environment = lab_environment
        self._opening = threading.Lock()
        self._closing = contextlib.ExitStack()
        self._readings: Readings | None = None
        self._refusal: Refusal | None = None
        self._why: str | None = None

    def reading(self, topic: str, *, since: float = 0.0) -> Reading[Any]:
        """See model.arm.ArmReader. Raises ArmNotAsked."""
        if why := self._why_not_asked():
            raise ArmNotAsked(why)
        if self._readings is None and self._refusal is None:
            # Who answers these waits for others, and they may wait for us: not with our lock held.
            provider_ids, lab_environment = self._provider_ids(), self._lab_environment()
            with self._opening:
                if self._readings is None and self._refusal is None:
                    self._open(provider_ids, lab_environment)
        if self._readings is None:
            return Reading(topic=topic, taken=time.time(), refusal=self._refusal)
        return self._readings.reading(topic, since=since)

    def network(self) -> tuple[AzureNetwork | None, str]:
        """What Azure says for the network profile, or why it says nothing. Never raises."""
        if why := self._why_not_asked():
            return None, why
        from pytest_aksnet.arm.network import network_of

        found = network_of(self)
        if isinstance(found, Refusal):
            return None, f"Azure Resource Manager: {found.why}"
        return found, ""

    def _why_not_asked(self) -> str:
        """Found out once: tests may change the environment."""
        if self._why is None:
            self._why = why_not_asked(self._settings, os.environ)
        return self._why

    def close(self) -> None:
        """Close the connections."""
        self._closing.close()

    def _open(self, provider_ids: Sequence[str], lab_environment: Path | None) -> None:
        uncover()
        try:
            from pytest_aksnet.arm.refusals import Refused
            from pytest_aksnet.arm.topics import open_readings
        except (ImportError, Warning) as error:  # a warning where all of them are errors
            why = f"the packages of Azure cannot be imported ({error})"
            self._refusal = Refusal(sort=Sort.FAILED, why=why)
            return
        given = _variables(lab_environment) if lab_environment else {}
        opened = open_readings(
            provider_ids,
            resource_id=self._settings.resource_id,
            cloud=self._settings.cloud,
            environment=given if lab_environment else os.environ,
            endpoint=given.get(_LAB_ENDPOINT, ""),
            verify=given.get("REQUESTS_CA_BUNDLE", ""),
        )
        try:
            with _environment(given):
                self._readings = self._closing.enter_context(opened)
        except Refused as refused:
            self._refusal = refused.refusal


def read_elsewhere(site: Site, azure: AzureSource) -> Elsewhere:
    """All that is said outside of the cluster. Never raises: what is not known says why."""
    network, no_azure = azure.network()
    facts: dict[str, list[tuple[str, str]]] = {}
    for name, fact in (network.facts if network else {}).items():
        facts.setdefault(name, []).append(fact)
    for name, fact in _of_site(site).items():
        facts.setdefault(name, []).append(fact)
    return Elsewhere(facts=facts, azure=network, no_azure=no_azure)


def _of_site(site: Site) -> dict[str, tuple[str, str]]:
    plan = site.address_plan
    said = (
        ("node-cidrs", plan.node_subnets, "node_subnets"),
        ("pod-cidrs", plan.pod_subnets, "pod_subnets"),
        ("vnet-cidrs", plan.vnet, "vnet"),
    )
    return {
        name: (",".join(ranges), f"address_plan.{key} of the site file")
        for name, ranges, key in said
        if ranges
    }


def _variables(file: Path) -> dict[str, str]:
    """NAME=VALUE lines as a shell reads them."""
    lines = shlex.split(file.read_text(encoding="utf-8"))
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


@contextlib.contextmanager
def _environment(given: Mapping[str, str]) -> Iterator[None]:
    """Have these variables while a credential is made: azure-identity reads them from nowhere else.

    The lab's are not left in the environment, where tests and tools would find them; and the user's
    own are not there meanwhile: a lab never gets a token that is good elsewhere.
    """
    own = [name for name in os.environ if name.startswith(_READ_BY_IDENTITY)] if given else []
    before = {name: os.environ.pop(name, None) for name in {*own, *given}}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
