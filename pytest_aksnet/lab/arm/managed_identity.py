"""Managed identities: the token endpoints of IMDS and of App Service, over plain HTTP.

"Azure docs: how-to-use-vm-token" (header Metadata: true, errors 400 invalid_request), and
"overview-managed-identity: REST endpoint reference" (header X-IDENTITY-HEADER). The kubelets'
identity is the one by default; the service principal's client id may be asked for too, because
DefaultAzureCredential takes AZURE_CLIENT_ID for that of a managed identity.
"""

import hmac
import time

from aiohttp import web

from pytest_aksnet.lab.arm.entra import known_audience
from pytest_aksnet.lab.arm.identities import Identities
from pytest_aksnet.lab.arm.tokens import LIFETIME_SECONDS, Tokens

IMDS_PATH = "/metadata/identity/oauth2/token"
APP_SERVICE_PATH = "/msi/token"
_IDS = ("client_id", "object_id", "principal_id", "mi_res_id", "msi_res_id")


class ManagedIdentity:
    """The handlers of both endpoints."""

    def __init__(self, identities: Identities, tokens: Tokens) -> None:
        self._identities = identities
        self._tokens = tokens

    def routes(self) -> list[web.RouteDef]:
        """Its routes."""
        return [web.get(IMDS_PATH, self._imds), web.get(APP_SERVICE_PATH, self._app_service)]

    async def _imds(self, request: web.Request) -> web.Response:
        if request.headers.get("Metadata", "").casefold() != "true":
            return _bad_request("Required metadata header not specified")
        if not request.query.get("api-version"):
            return _bad_request("api-version is required")
        return self._answer(request)

    async def _app_service(self, request: web.Request) -> web.Response:
        given = request.headers.get("X-IDENTITY-HEADER", "")
        if not hmac.compare_digest(given.encode(), self._identities.identity_header.encode()):
            return web.json_response(
                {"statusCode": 401, "message": "The X-IDENTITY-HEADER header is wrong"}, status=401
            )
        return self._answer(request)

    def _answer(self, request: web.Request) -> web.Response:
        wanted = {request.query[key] for key in _IDS if key in request.query}
        for identity in (self._identities.managed, self._identities.principal):
            if wanted <= {identity.client_id, identity.object_id}:
                break
        else:
            return _bad_request("Identity not found")
        resource = request.query.get("resource", "")
        audience = known_audience(resource)
        if audience is None:
            return _bad_request(f"AADSTS500011: The resource principal {resource} was not found")
        now = int(time.time())
        return web.json_response(
            {
                "access_token": self._tokens.issue(identity, audience),
                "client_id": identity.client_id,
                "expires_in": str(LIFETIME_SECONDS),
                "expires_on": str(now + LIFETIME_SECONDS),
                "ext_expires_in": str(LIFETIME_SECONDS),
                "not_before": str(now),
                "resource": resource,
                "token_type": "Bearer",
            }
        )


def _bad_request(description: str) -> web.Response:
    return web.json_response(
        {"error": "invalid_request", "error_description": description}, status=400
    )
