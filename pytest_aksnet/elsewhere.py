"""What is known of the cluster from outside of it: the site file, and Azure Resource Manager.

Joins both into what the network profile takes beside the cluster's own objects. Azure is asked once
per run, and only where it was asked for; a lab's own only with --aksnet-lab-arm.
"""

import contextlib
import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_aksnet.arm.signs import why_not_configured
from pytest_aksnet.model.azure import AzureNetwork
from pytest_aksnet.model.profile import Elsewhere
from pytest_aksnet.model.site import Site
from pytest_aksnet.options import Settings

_LAB_ENDPOINT = "AKSNET_LAB_ARM_ENDPOINT"
_NOT_IN_LAB = (
    "Azure Resource Manager was not asked: --aksnet-lab-arm asks that of the lab, with "
    "pip install pytest-aksnet[azure]"
)
_NOT_INSTALLED = (
    "Azure Resource Manager was not asked, because its packages are not installed: "
    "pip install pytest-aksnet[azure]"
)


def read_elsewhere(
    settings: Settings, site: Site, lab_environment: Path | None, provider_ids: Sequence[str]
) -> Elsewhere:
    """All that is said outside of the cluster. Never raises: what is not known says why.

    `provider_ids` are those of the nodes, `lab_environment` the lab's azure.env, None on a live
    cluster.
    """
    azure, no_azure = _azure(settings, provider_ids, lab_environment)
    facts: dict[str, list[tuple[str, str]]] = {}
    for name, fact in (azure.facts if azure else {}).items():
        facts.setdefault(name, []).append(fact)
    for name, fact in _of_site(site).items():
        facts.setdefault(name, []).append(fact)
    return Elsewhere(facts=facts, azure=azure, no_azure=no_azure)


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


def _azure(
    settings: Settings, provider_ids: Sequence[str], lab_environment: Path | None
) -> tuple[AzureNetwork | None, str]:
    if settings.is_lab and not (settings.lab_arm and lab_environment):
        return None, _NOT_IN_LAB
    given = _variables(lab_environment) if lab_environment else {}
    environment = {**os.environ, **given}
    why = why_not_configured(environment, settings.resource_id)
    if why:
        return None, why
    try:
        from pytest_aksnet.arm import client, network
    except ModuleNotFoundError as error:
        if error.name is None or not error.name.startswith("azure"):
            raise
        return None, _NOT_INSTALLED
    with _environment(given):
        try:
            return network.read_network(
                provider_ids,
                resource_id=settings.resource_id,
                cloud=settings.cloud,
                environment=environment,
                endpoint=given.get(_LAB_ENDPOINT, ""),
            ), ""
        except client.Refused as refused:
            return None, f"Azure Resource Manager: {refused.why}"


def _variables(file: Path) -> dict[str, str]:
    """NAME=VALUE lines as a shell reads them."""
    lines = shlex.split(file.read_text(encoding="utf-8"))
    return {name: value for name, _, value in (line.partition("=") for line in lines)}


@contextlib.contextmanager
def _environment(given: Mapping[str, str]) -> Iterator[None]:
    """Have these variables for a while: azure-identity and requests read them from nowhere else."""
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
