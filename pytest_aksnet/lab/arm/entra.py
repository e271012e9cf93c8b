"""Entra ID: tokens for service principals, by secret or by a federated token (OAuth 2.0, v2.0).

Errors are {"error", "error_description": "AADSTSnnn: ..."} ("Microsoft identity platform docs:
reference-error-codes"). A tenant named adfs is the lab's tenant too, with the paths of AD FS:
with that name MSAL asks no discovery service on the internet whether the authority is known.
"""

import datetime
import hmac
import json

from aiohttp import web

from pytest_aksnet.lab.arm.identities import TENANT, Identities
from pytest_aksnet.lab.arm.ids import guid
from pytest_aksnet.lab.arm.tokens import (
    ARM_AUDIENCES,
    LIFETIME_SECONDS,
    METRICS_AUDIENCES,
    Tokens,
)

_ADFS = "adfs"
_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


class Entra:
    """The handlers of the authority `base_url`."""

    def __init__(self, identities: Identities, tokens: Tokens, base_url: str) -> None:
        self._identities = identities
        self._tokens = tokens
        self._base_url = base_url

    def routes(self) -> list[web.RouteDef]:
        """Its routes."""
        return [
            web.get("/{tenant}/v2.0/.well-known/openid-configuration", self._configuration),
            web.post("/{tenant}/oauth2/v2.0/token", self._token),
            web.get(f"/{_ADFS}/.well-known/openid-configuration", self._adfs_configuration),
            web.post(f"/{_ADFS}/oauth2/token", self._token),
        ]

    async def _configuration(self, request: web.Request) -> web.Response:
        tenant = request.match_info["tenant"]
        if not _is_tenant(tenant):
            return _no_such_tenant(tenant)
        base = f"{self._base_url}/{TENANT}"
        return web.json_response(
            {
                "issuer": f"{base}/v2.0",
                "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                "token_endpoint": f"{base}/oauth2/v2.0/token",
                "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
                "response_types_supported": ["code"],
                "subject_types_supported": ["pairwise"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def _adfs_configuration(self, request: web.Request) -> web.Response:
        base = f"{self._base_url}/{_ADFS}"
        return web.json_response(
            {
                "issuer": base,
                "authorization_endpoint": f"{base}/oauth2/authorize",
                "token_endpoint": f"{base}/oauth2/token",
            }
        )

    async def _token(self, request: web.Request) -> web.Response:
        tenant = request.match_info.get("tenant", _ADFS)
        if not _is_tenant(tenant):
            return _no_such_tenant(tenant)
        form = await request.post()
        if form.get("grant_type") != "client_credentials":
            return _error(
                400, "unsupported_grant_type", 70003, "The app requested an unsupported grant type."
            )
        principal = self._identities.principal
        client = str(form.get("client_id", ""))
        if client != principal.client_id:
            return _error(
                400,
                "unauthorized_client",
                700016,
                f"Application with identifier '{client}' was not found in the directory "
                f"'{TENANT}'.",
            )
        if form.get("client_assertion_type") == _ASSERTION_TYPE:
            if not self._tokens.is_federated(str(form.get("client_assertion", ""))):
                return _error(
                    401,
                    "invalid_client",
                    700213,
                    "No matching federated identity record found for presented assertion.",
                )
        elif not _equal(str(form.get("client_secret", "")), self._identities.client_secret):
            return _error(
                401,
                "invalid_client",
                7000215,
                "Invalid client secret provided. Ensure the secret being sent in the request is "
                f"the client secret value for the app '{client}'.",
            )
        audience = _audience(str(form.get("scope") or form.get("resource") or ""))
        if audience is None:
            return _error(
                400,
                "invalid_scope",
                1002012,
                "The provided value for scope is not valid. Client credential flows must have a "
                "scope value with /.default suffixed to the resource identifier.",
            )
        return web.json_response(
            {
                "token_type": "Bearer",
                "expires_in": LIFETIME_SECONDS,
                "ext_expires_in": LIFETIME_SECONDS,
                "access_token": self._tokens.issue(principal, audience),
            }
        )


def known_audience(resource: str) -> str | None:
    """The audience that a resource means, as tokens have it; None where the lab has none such."""
    resource = resource.rstrip("/")
    return resource if resource in (*ARM_AUDIENCES, *METRICS_AUDIENCES) else None


def _audience(scope: str) -> str | None:
    """Of a scope RESOURCE/.default; MSAL adds others of its own with AD FS."""
    for one in scope.split():
        if one.endswith("/.default"):
            return known_audience(one.removesuffix("/.default"))
    return None


def _is_tenant(name: str) -> bool:
    return name.casefold() in (TENANT, _ADFS)


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())


def _no_such_tenant(tenant: str) -> web.Response:
    return _error(
        400,
        "invalid_request",
        90002,
        f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are "
        "signing into the correct cloud.",
    )


def _error(status: int, kind: str, number: int, text: str) -> web.Response:
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    trace = guid(f"trace {now} {text}")
    body = {
        "error": kind,
        "error_description": f"AADSTS{number}: {text} Trace ID: {trace} Timestamp: {now}",
        "error_codes": [number],
        "timestamp": now,
        "trace_id": trace,
        "correlation_id": trace,
    }
    return web.Response(text=json.dumps(body), status=status, content_type="application/json")
