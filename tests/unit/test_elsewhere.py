"""What is known outside of the cluster: the site file, and Azure only where it was asked for."""

import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from pytest_aksnet.arm.signs import why_not_configured
from pytest_aksnet.elsewhere import AzureSource, read_elsewhere
from pytest_aksnet.model.arm import Sort
from pytest_aksnet.model.profile import Elsewhere
from pytest_aksnet.model.site import AddressPlan, Site
from pytest_aksnet.options import Settings

SCRIPT = """
import sys
from types import SimpleNamespace
from pytest_aksnet import shared_local
from pytest_aksnet.elsewhere import AzureSource, read_elsewhere
from pytest_aksnet.model.site import Site
settings = SimpleNamespace(is_lab=False, lab_arm=False, resource_id=None, cloud="public")
nodes = ["azure:///subscriptions/s/resourceGroups/g/x"]
found = read_elsewhere(Site(), AzureSource(settings, lambda: nodes, lambda: None))
print(found.no_azure)
print([name for name in sys.modules if name.partition(".")[0] in ("azure", "msal")])
"""
SECRET = {"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c", "AZURE_CLIENT_SECRET": "s"}


def settings(*, lab_mode: str = "", lab_arm: bool = False, **others: Any) -> Settings:
    chosen: dict[str, Any] = dict.fromkeys(
        ("kubeconfig", "context", "lab_spec", "site_file", "image_pull_secret", "node_selector",
         "max_nodes", "report_dir", "baseline", "save_baseline"),
    )  # fmt: skip
    return Settings(
        **chosen,
        lab_mode=lab_mode,
        lab_engine="calico",
        lab_faults=(),
        profile={},
        image="i",
        tolerations=(),
        allowed=frozenset(),
        keep="never",
        second_run="wait",
        lease_namespace="default",
        plan=False,
        lab_arm=lab_arm,
        **others,
    )


def elsewhere(
    chosen: Settings, site: Site | None = None, lab_environment: Path | None = None
) -> Elsewhere:
    azure = AzureSource(chosen, lambda: (), lambda: lab_environment)
    try:
        return read_elsewhere(site or Site(), azure)
    finally:
        azure.close()


def test_nothing_of_azure_is_imported_without_credentials() -> None:
    environment = {"PATH": "/usr/bin:/bin"}
    ended = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        capture_output=True,
        text=True,
        env=environment,
        cwd=Path(__file__).parents[2],
        check=True,
    )
    why, modules = ended.stdout.splitlines()
    assert "no credentials are configured" in why
    assert "--aksnet-resource-id" in why
    assert modules == "[]"


def test_a_lab_gets_no_credential_of_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Not even where the user's settings would be taken first."""
    file = tmp_path / "azure.env"
    file.write_text("AKSNET_LAB_ARM_ENDPOINT=https://127.0.0.1:1\nAZURE_TOKEN_CREDENTIALS=prod\n")
    seen: dict[str, str] = {}

    def credential(**settings: Any) -> Any:
        seen.update(os.environ)
        raise ValueError("seen")

    mine = {**SECRET, "IDENTITY_ENDPOINT": "http://x", "AZURE_TOKEN_CREDENTIALS": "dev"}
    for name, value in mine.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("pytest_aksnet.arm.client.DefaultAzureCredential", credential)
    found = elsewhere(settings(lab_mode="overlay", lab_arm=True), lab_environment=file)
    assert "no credential can be made (seen)" in found.no_azure
    assert not {*SECRET, "IDENTITY_ENDPOINT"} & seen.keys()
    assert seen["AZURE_TOKEN_CREDENTIALS"] == "prod"
    assert {name: os.environ[name] for name in mine} == mine
    assert "AKSNET_LAB_ARM_ENDPOINT" not in os.environ


@pytest.mark.parametrize(
    ("environment", "resource_id", "configured"),
    [
        ({}, None, False),
        ({"AZURE_TENANT_ID": "t", "AZURE_CLIENT_ID": "c"}, None, False),
        (SECRET, None, True),
        (SECRET | {"AZURE_CLIENT_SECRET": ""}, None, False),
        ({"AZURE_TOKEN_CREDENTIALS": "AzureCliCredential"}, None, True),
        ({"IDENTITY_ENDPOINT": "http://127.0.0.1/"}, None, True),
        ({}, "/subscriptions/s", True),
    ],
)
def test_credentials_are_known_by_explicit_signs(
    environment: Mapping[str, str], resource_id: str | None, configured: bool
) -> None:
    assert (why_not_configured(environment, resource_id) == "") == configured


def test_a_lab_never_asks_the_users_own_azure(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name, value in SECRET.items():
        monkeypatch.setenv(name, value)
    found = elsewhere(settings(lab_mode="overlay"), lab_environment=tmp_path / "azure.env")
    assert found.azure is None
    assert "--aksnet-lab-arm" in found.no_azure


def test_missing_packages_are_named_with_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [one for one in sys.path if "site-packages" not in one])
    found = elsewhere(settings(resource_id="/subscriptions/s"))
    assert "pip install pytest-aksnet[azure]" in found.no_azure


def test_an_id_that_is_none_is_said() -> None:
    found = elsewhere(settings(resource_id="my-cluster"))
    assert "is no id of a managed cluster" in found.no_azure


def test_the_site_file_tells_ranges() -> None:
    plan = AddressPlan(node_subnets=("10.1.0.0/24", "10.1.1.0/24"), vnet=("10.1.0.0/16",))
    found = elsewhere(settings(lab_mode="overlay"), Site(address_plan=plan))
    assert found.facts == {
        "node-cidrs": [("10.1.0.0/24,10.1.1.0/24", "address_plan.node_subnets of the site file")],
        "vnet-cidrs": [("10.1.0.0/16", "address_plan.vnet of the site file")],
    }


def test_who_opens_the_way_holds_nothing_that_others_wait_for() -> None:
    """The nodes' ids come from the run, whose lock another thread holds while it asks Azure."""
    lock, holds, asked = threading.RLock(), threading.Event(), threading.Event()

    def provider_ids() -> tuple[str, ...]:
        asked.set()
        assert holds.wait(10)
        with lock:
            return ()

    azure = AzureSource(settings(resource_id="x"), provider_ids, lambda: None)
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(azure.reading, "cluster")
        assert asked.wait(10)
        with lock:
            holds.set()
            second = threads.submit(azure.reading, "cluster")
            # As the profile is read: within the run's lock, in the thread that holds it.
            own = azure.reading("cluster")
        assert own.refusal == first.result(10).refusal == second.result(10).refusal
    azure.close()
    assert own.refusal is not None
    assert own.refusal.sort is Sort.UNNAMED
