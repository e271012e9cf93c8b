"""Who asks ARM: every way of DefaultAzureCredential, against the stand-in; and how often."""

import json
import socket
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from azure.core.exceptions import AzureError

from pytest_aksnet.arm.client import open_credential
from pytest_aksnet.arm.limits import Limits
from pytest_aksnet.arm.refusals import Refused, refusal_of
from pytest_aksnet.lab.options import LabOptions
from pytest_aksnet.model.arm import PLACE, Reading, Sort
from pytest_aksnet.model.azure import CLUSTER, POOLS, ManagedCluster
from pytest_aksnet.model.azure_vnet import PUBLIC_ADDRESSES, SUBNET_USAGE, VNETS
from tests.lab.arm_readings import SECRET, readings_of
from tests.lab.arm_server import RunningArm, arm_server

_SCOPE = "https://management.azure.com/.default"
_WAYS: Mapping[str, tuple[Sequence[str], Mapping[str, str]]] = {
    "service principal": (SECRET, {}),
    "workload identity": (
        ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_FEDERATED_TOKEN_FILE"),
        {},
    ),
    "managed identity of App Service": (
        ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"),
        {"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"},
    ),
    "managed identity of a machine": (
        ("AZURE_POD_IDENTITY_AUTHORITY_HOST",),
        {"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"},
    ),
    "managed identity by its id": (
        ("AZURE_POD_IDENTITY_AUTHORITY_HOST", "AZURE_CLIENT_ID"),
        {"AZURE_TOKEN_CREDENTIALS": "prod"},
    ),
    "az": ((), {"AZURE_TOKEN_CREDENTIALS": "AzureCliCredential"}),
}
_FEW_TRIES = Limits(retries=1)


@pytest.fixture(scope="module")
def arm(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningArm]:
    with arm_server(tmp_path_factory.mktemp("arm"), LabOptions()) as running:
        yield running


@pytest.fixture
def az(arm: RunningArm, tmp_path: Path) -> str:
    """A PATH with an `az` that is logged in to the stand-in."""
    return _az(tmp_path, arm.clients.principal.get_token_info(_SCOPE).token)


def _az(folder: Path, token: str) -> str:
    answer = {
        "accessToken": token,
        "expires_on": int(time.time()) + 3600,
        "expiresOn": "2099-01-01 00:00:00.000000",
        "tokenType": "Bearer",
    }
    command = folder / "az"
    command.write_text(f"#!/bin/sh\ncat <<'EOF'\n{json.dumps(answer)}\nEOF\n")
    command.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


@pytest.mark.parametrize("way", _WAYS)
def test_every_way_of_the_default_credential_reads(way: str, arm: RunningArm, az: str) -> None:
    names, more = _WAYS[way]
    before = arm.asked.get("token", 0)
    with readings_of(arm, names=names, more={**more, "PATH": az}, limits=_FEW_TRIES) as readings:
        for topic in (CLUSTER, POOLS, VNETS, SUBNET_USAGE, PUBLIC_ADDRESSES):
            reading = readings.reading(topic.name)
            assert reading.refusal is None, reading.refusal
            assert reading.exchanges
    # One token is enough for all clients and threads; `az` has its own.
    assert arm.asked.get("token", 0) - before == (way != "az")


def test_a_revoked_token_is_renewed_once(arm: RunningArm) -> None:
    with readings_of(arm) as readings:
        readings.reading(CLUSTER.name)
        arm.trouble.revoke_tokens()
        before = arm.asked["token"]
        try:
            readings.reading(CLUSTER.name, since=1e12)
            reading = readings.reading(SUBNET_USAGE.name)
        finally:
            arm.trouble.forgive_tokens()
        cluster: Reading[ManagedCluster] = readings.reading(CLUSTER.name)
        assert cluster.value is not None
        assert [one.status for one in cluster.exchanges] == [401, 200]
        assert reading.refusal is None
        assert arm.asked["token"] == before + 1


def test_a_credential_that_gives_no_token_is_tried_once(arm: RunningArm) -> None:
    before = arm.asked["token"]
    with readings_of(arm, more={"AZURE_CLIENT_SECRET": "wrong"}, limits=_FEW_TRIES) as readings:
        refusals = [readings.reading(one.name).refusal for one in (CLUSTER, POOLS, VNETS)]
        again = readings.reading(CLUSTER.name, since=1e12).refusal
    for refusal in (*refusals, again):
        assert refusal is not None
        assert refusal.sort is Sort.CREDENTIALS
        assert "EnvironmentCredential" in refusal.why
        assert "AADSTS7000215" in refusal.why
        assert "\n" not in refusal.why
    assert arm.asked["token"] == before + 1


def test_a_token_that_arm_does_not_take_is_said(arm: RunningArm, tmp_path: Path) -> None:
    more = {"AZURE_TOKEN_CREDENTIALS": "AzureCliCredential", "PATH": _az(tmp_path, "a.b.c")}
    with readings_of(arm, names=(), more=more) as readings:
        reading = readings.reading(CLUSTER.name)
        place = readings.reading(PLACE.name)
    assert reading.refusal is not None
    assert reading.refusal.sort is Sort.CREDENTIALS
    assert "Azure refuses the credentials" in reading.refusal.why
    assert [one.status for one in place.exchanges] == [401]


def test_no_credential_at_all_says_what_was_tried(arm: RunningArm, tmp_path: Path) -> None:
    more = {"AZURE_TOKEN_CREDENTIALS": "AzureCliCredential", "PATH": str(tmp_path)}
    with readings_of(arm, names=(), more=more) as readings:
        refusal = readings.reading(CLUSTER.name).refusal
    assert refusal is not None
    assert refusal.sort is Sort.CREDENTIALS
    assert "Azure CLI not found" in refusal.why


def test_a_credential_that_cannot_be_made_says_why(arm: RunningArm) -> None:
    more = {"AZURE_TOKEN_CREDENTIALS": "NoSuchCredential"}
    with (
        pytest.raises(Refused, match="no credential can be made") as refused,
        readings_of(arm, more=more),
    ):
        pass
    assert refusal_of(refused.value, ()).sort is Sort.CREDENTIALS


def test_an_authority_that_does_not_answer_is_not_waited_for(arm: RunningArm) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        limits = Limits(token_s=0.5)
        with readings_of(arm, more={"AZURE_AUTHORITY_HOST": url}, limits=limits) as readings:
            refusal = readings.reading(CLUSTER.name).refusal
    assert refusal is not None
    assert refusal.sort is Sort.CREDENTIALS
    assert "no token within 0.5 s" in refusal.why


@contextmanager
def _proxy() -> Iterator[tuple[str, list[str]]]:
    """A proxy that notes where one wants to go, and lets nobody through."""
    asked: list[str] = []

    def serve() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            with connection:
                request = connection.recv(4096).decode()
                asked.append(request.split(" ")[1])
                connection.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")

    listening = socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}", asked
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        thread.join(10)


@pytest.mark.parametrize(
    ("cloud", "login", "arm_host"),
    [
        ("public", "login.microsoftonline.com", "management.azure.com"),
        ("usgov", "login.microsoftonline.us", "management.usgovcloudapi.net"),
        ("china", "login.chinacloudapi.cn", "management.chinacloudapi.cn"),
    ],
)
def test_a_cloud_has_its_own_hosts(
    cloud: str, login: str, arm_host: str, az: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with _proxy() as (proxy, asked):
        for name in ("https_proxy", "HTTPS_PROXY"):
            monkeypatch.setenv(name, proxy)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("PATH", az)
        for environment in (
            {
                "AZURE_TENANT_ID": "11111111-1111-1111-1111-111111111111",
                "AZURE_CLIENT_ID": "22222222-2222-2222-2222-222222222222",
                "AZURE_CLIENT_SECRET": "s",
                "AZURE_TOKEN_CREDENTIALS": "EnvironmentCredential",
            },
            {"AZURE_TOKEN_CREDENTIALS": "AzureCliCredential"},
        ):
            with monkeypatch.context() as patched:
                for name, value in environment.items():
                    patched.setenv(name, value)
                with (
                    open_credential(
                        cloud=cloud, environment=environment, limits=_FEW_TRIES
                    ) as door,
                    pytest.raises(AzureError),
                ):
                    door("33333333-3333-3333-3333-333333333333").get("/subscriptions", "2022-12-01")
        assert set(asked) == {f"{login}:443", f"{arm_host}:443"}


def test_scopes_are_those_of_the_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in SECRET:
        monkeypatch.setenv(name, "11111111-1111-1111-1111-111111111111")
    for cloud, scope in (
        ("public", "https://management.azure.com/.default"),
        ("usgov", "https://management.core.usgovcloudapi.net/.default"),
        ("china", "https://management.chinacloudapi.cn/.default"),
    ):
        with open_credential(cloud=cloud, environment={}) as door:
            opened = door("33333333-3333-3333-3333-333333333333")
            for client in (opened.network, opened.monitor, opened.containers):
                assert client._config.credential_scopes == [scope]
