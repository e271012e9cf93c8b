"""Who may ask ARM: unmodified credentials, good and bad tokens, roles."""

import base64
import json
from pathlib import Path

import pytest
import requests
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError
from azure.identity import (
    ClientSecretCredential,
    DefaultAzureCredential,
    ManagedIdentityCredential,
)

from pytest_aksnet.lab.options import LabOptions
from tests.lab.arm_clients import API_VERSION, Clients
from tests.lab.arm_server import GROUP, NODE_GROUP, RunningArm, arm_server

_SCOPE = "https://management.azure.com/.default"
_NETWORKS = "/providers/Microsoft.Network/virtualNetworks"
_READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
_NETWORK_CONTRIBUTOR = "4d97b98b-1d4f-4787-a291-c67834d212e7"


def _networks(clients: Clients, credential: object) -> int:
    with clients.network_as(credential) as network:
        return len(list(network.virtual_networks.list_all()))


def test_a_service_principal_by_its_secret(clients: Clients) -> None:
    assert _networks(clients, clients.principal) == 2


def test_a_workload_identity_by_its_token_file(clients: Clients) -> None:
    assert _networks(clients, clients.workload) == 2


@pytest.mark.parametrize("endpoint", ["IDENTITY_ENDPOINT", "AZURE_POD_IDENTITY_AUTHORITY_HOST"])
def test_a_managed_identity_of_app_service_or_imds(
    endpoint: str, clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(endpoint, clients.environment[endpoint])
    if endpoint == "IDENTITY_ENDPOINT":
        monkeypatch.setenv("IDENTITY_HEADER", clients.environment["IDENTITY_HEADER"])
    with ManagedIdentityCredential() as credential:
        assert _networks(clients, credential) == 2


def test_the_environment_is_enough_for_the_default_credential(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in clients.environment.items():
        monkeypatch.setenv(name, value)
    for kind in ("Environment", "WorkloadIdentity", "ManagedIdentity"):
        monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", f"{kind}Credential")
        with DefaultAzureCredential(disable_instance_discovery=True) as credential:
            assert credential.get_token(_SCOPE).token


def test_the_adfs_tenant_needs_no_argument(
    clients: Clients, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", clients.ca)
    with ClientSecretCredential(
        "adfs",
        clients.environment["AZURE_CLIENT_ID"],
        clients.environment["AZURE_CLIENT_SECRET"],
        authority=clients.url,
    ) as credential:
        assert _networks(clients, credential) == 2


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"tenant_id": "00000000-0000-0000-0000-000000000001"}, "90002"),
        ({"client_id": "00000000-0000-0000-0000-000000000002"}, "AADSTS700016"),
        ({"client_secret": "wrong"}, "AADSTS7000215"),
    ],
)
def test_a_wrong_principal_is_refused_in_entra_words(
    changed: dict[str, str], said: str, clients: Clients
) -> None:
    given = {
        "tenant_id": clients.environment["AZURE_TENANT_ID"],
        "client_id": clients.environment["AZURE_CLIENT_ID"],
        "client_secret": clients.environment["AZURE_CLIENT_SECRET"],
        **changed,
    }
    with (
        ClientSecretCredential(
            **given,
            authority=clients.url,
            disable_instance_discovery=True,
            connection_verify=clients.ca,
        ) as credential,
        pytest.raises((ClientAuthenticationError, ValueError)) as refused,
    ):
        credential.get_token(_SCOPE)
    if "tenant_id" not in changed:  # msal says less of a tenant that is not there
        assert said in str(refused.value)


def test_a_scope_of_something_else_is_refused(clients: Clients) -> None:
    with pytest.raises(ClientAuthenticationError, match="AADSTS1002012"):
        clients.principal.get_token("https://example.com/.default")


def test_identity_endpoints_want_their_headers(clients: Clients) -> None:
    imds = clients.environment["AZURE_POD_IDENTITY_AUTHORITY_HOST"]
    path = f"{imds}/metadata/identity/oauth2/token?api-version=2018-02-01&resource={clients.url}"
    answer = requests.get(path, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_request")
    service = clients.environment["IDENTITY_ENDPOINT"]
    answer = requests.get(service, headers={"X-IDENTITY-HEADER": "x"}, timeout=10)
    assert answer.status_code == 401


def test_tokens_are_checked(clients: Clients) -> None:
    path = f"/subscriptions/{clients.subscription}{_NETWORKS}?api-version={API_VERSION}"
    for token, code in (
        ("", "AuthenticationFailed"),
        ("nonsense", "InvalidAuthenticationToken"),
        (_damaged(clients), "InvalidAuthenticationToken"),
        (_of_metrics(clients), "InvalidAuthenticationTokenAudience"),
    ):
        answer = clients.raw("GET", path, token=token)
        assert answer.status_code == 401
        assert answer.json()["error"]["code"] == code
        assert answer.headers["WWW-Authenticate"].startswith("Bearer authorization_uri=")


def _damaged(clients: Clients) -> str:
    head, _, signature = clients.principal.get_token(_SCOPE).token.split(".")
    claims = base64.urlsafe_b64encode(json.dumps({"aud": "x", "exp": 9e9}).encode()).decode()
    return f"{head}.{claims}.{signature}"


def _of_metrics(clients: Clients) -> str:
    return str(clients.principal.get_token("https://metrics.monitor.azure.com/.default").token)


@pytest.mark.parametrize("kind", ["principal", "workload"])
def test_a_revoked_token_is_renewed_by_its_claims_challenge(
    kind: str, arm: RunningArm, clients: Clients
) -> None:
    credential = getattr(clients, kind)
    held = credential.get_token(_SCOPE).token
    path = f"/subscriptions/{clients.subscription}{_NETWORKS}?api-version={API_VERSION}"
    arm.trouble.revoke_tokens()
    try:
        answer = clients.raw("GET", path, token=held)
        assert answer.status_code == 401
        challenge = answer.headers["WWW-Authenticate"]
        assert 'error="insufficient_claims"' in challenge
        claims = json.loads(base64.b64decode(challenge.partition('claims="')[2].rstrip('"')))
        assert claims["access_token"]["nbf"]["essential"] is True
        assert _networks(clients, credential) == 2
    finally:
        arm.trouble.forgive_tokens()
    assert clients.raw("GET", path, token=held).status_code == 200


def test_a_reader_may_look_but_not_act(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    _as_managed_identity(clients, monkeypatch)
    with ManagedIdentityCredential() as reader, clients.network_as(reader) as network:
        assert list(network.network_interfaces.list(GROUP))
        with pytest.raises(HttpResponseError) as refused:
            network.network_interfaces.begin_get_effective_route_table(GROUP, "vm-nic")
        assert refused.value.status_code == 403
        assert refused.value.error.code == "AuthorizationFailed"
        action = "Microsoft.Network/networkInterfaces/effectiveRouteTable/action"
        assert action in refused.value.message
        with pytest.raises(HttpResponseError) as hidden:
            network.network_interfaces.begin_get_effective_route_table(GROUP, "no-such-nic")
        assert hidden.value.status_code == 403


def test_a_role_can_be_given_and_taken(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    _as_managed_identity(clients, monkeypatch)
    scope = f"/subscriptions/{clients.subscription}/resourceGroups/{GROUP}"
    assignments = f"{scope}/providers/Microsoft.Authorization/roleAssignments"
    version = "api-version=2022-04-01"
    with ManagedIdentityCredential() as managed, clients.network_as(managed) as network:
        claims = managed.get_token(_SCOPE).token.split(".")[1]
        oid = json.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))["oid"]
        given = clients.send(
            "PUT",
            f"{assignments}/11111111-2222-3333-4444-555555555555?{version}",
            {
                "properties": {
                    "principalId": oid,
                    "roleDefinitionId": f"{scope}/providers/Microsoft.Authorization"
                    f"/roleDefinitions/{_NETWORK_CONTRIBUTOR}",
                }
            },
        )
        assert given.status_code == 201
        begin = network.network_interfaces.begin_get_effective_route_table
        assert begin(GROUP, "vm-nic").result().value
        listed = clients.send("GET", f"{assignments}?{version}").json()["value"]
        assert oid in {one["properties"]["principalId"] for one in listed}
        with pytest.raises(HttpResponseError) as outside:
            network.load_balancer_load_balancing_rules.begin_health(NODE_GROUP, "kubernetes", "x")
        assert outside.value.status_code == 403
        gone = clients.send("DELETE", f"{given.json()['id']}?{version}")
        assert gone.status_code == 200
        with pytest.raises(HttpResponseError):
            begin(GROUP, "vm-nic")


def _as_managed_identity(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("IDENTITY_ENDPOINT", "IDENTITY_HEADER"):
        monkeypatch.setenv(name, clients.environment[name])


@pytest.mark.parametrize(
    ("role", "acts", "writes"),
    [
        ("Reader", False, False),
        ("Network Auditor", True, False),
        ("Network Contributor", True, True),
    ],
)
def test_the_role_of_the_principal_is_an_option(
    role: str, acts: bool, writes: bool, tmp_path: Path
) -> None:
    with arm_server(tmp_path, LabOptions(arm_role=role)) as arm:
        network = arm.clients.network
        nics, rules = network.network_interfaces, network.security_rules

        def allowed(call: object, *arguments: object) -> bool:
            try:
                call(*arguments)  # type: ignore[operator]
            except HttpResponseError as error:
                return not (error.status_code == 403 and "AuthorizationFailed" in str(error))
            return True

        assert allowed(nics.begin_get_effective_route_table, GROUP, "vm-nic") == acts
        group = "aks-agentpool-31337042-nsg"
        assert allowed(rules.begin_delete, NODE_GROUP, group, "nothing") == writes
        definitions = arm.clients.send(
            "GET",
            f"/subscriptions/{arm.clients.subscription}/providers/Microsoft.Authorization"
            "/roleDefinitions?api-version=2022-04-01",
        )
        if role == "Reader":
            assert _READER in {one["name"] for one in definitions.json()["value"]}
