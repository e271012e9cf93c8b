"""What is known of the cluster from outside of it: the site file, and Azure Resource Manager.

Owns the run's one way to Azure, which is opened when a fact of Azure is needed and there is a sign
of credentials; a lab's own only with --aksnet-lab-arm.
"""

import contextlib
import os
import shlex
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from importlib.machinery import PathFinder
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_aksnet.arm.signs import why_not_configured
from pytest_aksnet.model.arm import Reading, Refusal
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
_NOT_INSTALLED = (
    "Azure Resource Manager was not asked, because its packages are not installed: "
    "pip install pytest-aksnet[azure]"
)
# Those of the extra `azure`, by the names that they are imported by.
_PACKAGES = (
    *("azure.identity", "azure.mgmt.compute", "azure.mgmt.containerservice"),
    *("azure.mgmt.monitor", "azure.mgmt.network", "azure.mgmt.privatedns"),
)


def why_not_asked(settings: Settings, environment: Mapping[str, str]) -> str:
    """Why this run asks nothing of Azure; empty where it does. Imports nothing of azure."""
    if settings.is_lab and not settings.lab_arm:
        return _NOT_IN_LAB
    if not settings.is_lab and (why := why_not_configured(environment, settings.resource_id)):
        return why
    there = _installed()
    wanted = [Path(*package.split(".")[1:], "__init__.py") for package in _PACKAGES]
    if not all(any((place / file).is_file() for place in there) for file in wanted):
        return _NOT_INSTALLED
    return ""


def _installed() -> list[Path]:
    """Where the namespace package of Azure's SDK lies; nothing is imported."""
    spec = PathFinder.find_spec("azure")
    return [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []


def _uncover() -> None:
    """Have Azure's SDK found although tests lie in a folder of the same name.

    pytest imports suites/azure/test_x.py as azure.test_x (import mode importlib, "Good Integration
    Practices"), and then `azure` is that folder and nothing else.
    """
    module = sys.modules.get("azure")
    if module is not None:
        known = list(module.__path__)
        module.__path__ = [*known, *(str(one) for one in _installed() if str(one) not in known)]


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

    def reading(self, topic: str, *, since: float = 0.0) -> Reading[Any]:
        """See model.arm.ArmReader. Raises ArmNotAsked."""
        if why := why_not_asked(self._settings, os.environ):
            raise ArmNotAsked(why)
        with self._opening:
            if self._readings is None and self._refusal is None:
                self._open()
        if self._readings is None:
            return Reading(topic=topic, taken=0.0, refusal=self._refusal)
        return self._readings.reading(topic, since=since)

    def network(self) -> tuple[AzureNetwork | None, str]:
        """What Azure says for the network profile, or why it says nothing. Never raises."""
        if why := why_not_asked(self._settings, os.environ):
            return None, why
        _uncover()
        from pytest_aksnet.arm.network import network_of

        found = network_of(self)
        if isinstance(found, Refusal):
            return None, f"Azure Resource Manager: {found.why}"
        return found, ""

    def close(self) -> None:
        """Close the connections."""
        self._closing.close()

    def _open(self) -> None:
        _uncover()
        from pytest_aksnet.arm.refusals import Refused
        from pytest_aksnet.arm.topics import open_readings

        file = self._lab_environment()
        given = _variables(file) if file else {}
        opened = open_readings(
            self._provider_ids(),
            resource_id=self._settings.resource_id,
            cloud=self._settings.cloud,
            environment={**os.environ, **given},
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

    Those of the lab are not left in the environment, where tests and tools would find them.
    """
    before = {name: os.environ.get(name) for name in given}
    os.environ.update(given)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
