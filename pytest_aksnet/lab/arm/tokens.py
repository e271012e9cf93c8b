"""Access tokens: JSON Web Tokens (RFC 7519), signed with a secret of the lab (HS256).

A facade in the signature: Entra ID signs with RS256 and publishes the keys. Clients do not look.
"""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Collection, Mapping
from typing import Any

from pytest_aksnet.lab.arm.errors import ArmError
from pytest_aksnet.lab.arm.identities import (
    FEDERATED_AUDIENCE,
    TENANT,
    Identities,
    Identity,
)
from pytest_aksnet.lab.arm.ids import guid

ARM_AUDIENCES = (
    "https://management.azure.com",
    "https://management.core.windows.net",
    "https://management.chinacloudapi.cn",
    "https://management.core.chinacloudapi.cn",
    "https://management.usgovcloudapi.net",
    "https://management.core.usgovcloudapi.net",
)
METRICS_AUDIENCES = (
    "https://metrics.monitor.azure.com",
    "https://metrics.monitor.azure.cn",
    "https://metrics.monitor.azure.us",
)
LIFETIME_SECONDS = 86_399
"""Of a client that understands claims challenges, which Entra ID gives tokens of about a day."""


class BadToken(Exception):
    """A token that is not good; the text says why."""


class Tokens:
    """Issues and reads the tokens of a lab."""

    def __init__(self, identities: Identities) -> None:
        self._identities = identities

    def issue(self, identity: Identity, audience: str) -> str:
        """An access token for a resource, without a final slash."""
        now = int(time.time())
        return self._sign(
            {
                "aud": audience,
                "iss": f"https://sts.windows.net/{TENANT}/",
                "iat": now,
                "nbf": now,
                "exp": now + LIFETIME_SECONDS,
                "issued": time.time(),
                "appid": identity.client_id,
                "idtyp": "app",
                "oid": identity.object_id,
                "sub": identity.object_id,
                "tid": TENANT,
                "ver": "1.0",
                "xms_cc": ["CP1"],
            }
        )

    def federated(self, issuer: str) -> str:
        """What a pod with workload identity finds in its token file."""
        now = int(time.time())
        return self._sign(
            {
                "aud": [FEDERATED_AUDIENCE],
                "iss": issuer,
                "sub": "system:serviceaccount:default:aksnet-lab",
                "iat": now,
                "exp": now + 7 * 86_400,
            }
        )

    def is_federated(self, token: str) -> bool:
        """Whether it is a token as `federated` gives."""
        try:
            return bool(self._read(token)["aud"] == [FEDERATED_AUDIENCE])
        except BadToken:
            return False

    def holder(
        self, header: str | None, audiences: Collection[str], revoked_before: float
    ) -> Identity:
        """Whose token an Authorization header has. Raises ArmError: 401 as ARM answers it."""
        if not header:
            raise _refused(
                "AuthenticationFailed",
                "Authentication failed. The 'Authorization' header is missing.",
            )
        scheme, _, token = header.partition(" ")
        try:
            if scheme.casefold() != "bearer":
                raise BadToken("the scheme is not Bearer")
            claims = self._read(token.strip())
        except BadToken as error:
            raise _refused(
                "InvalidAuthenticationToken", f"The access token is invalid: {error}."
            ) from error
        if claims["aud"] not in audiences:
            raise _refused(
                "InvalidAuthenticationTokenAudience",
                "The access token has been obtained for wrong audience or resource "
                f"'{claims['aud']}'. It should exactly match with one of the allowed audiences "
                + ", ".join(f"'{audience}'" for audience in audiences)
                + ".",
            )
        if claims["issued"] < revoked_before:
            raise _revoked(int(revoked_before))
        for identity in self._identities:
            if identity.object_id == claims["oid"]:
                return identity
        raise _refused("InvalidAuthenticationToken", "The access token is invalid: nobody's.")

    def _sign(self, claims: Mapping[str, Any]) -> str:
        head = {"typ": "JWT", "alg": "HS256", "kid": guid("key")}
        text = f"{_encode(json.dumps(head))}.{_encode(json.dumps(claims))}"
        return f"{text}.{_encode(self._signature(text))}"

    def _read(self, token: str) -> dict[str, Any]:
        text, _, signature = token.rpartition(".")
        if not hmac.compare_digest(_encode(self._signature(text)), signature):
            raise BadToken("the signature does not match")
        try:
            claims: dict[str, Any] = json.loads(_decode(text.partition(".")[2]))
        except (ValueError, binascii.Error) as error:
            raise BadToken("it is not a JSON web token") from error
        if claims["exp"] < time.time():
            raise BadToken("it has expired")
        return claims

    def _signature(self, text: str) -> bytes:
        return hmac.new(self._identities.signing_key, text.encode(), hashlib.sha256).digest()


def _encode(value: str | bytes) -> str:
    data = value.encode() if isinstance(value, str) else value
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


_AUTHORITY = f"https://login.windows.net/{TENANT}"


def _refused(code: str, message: str) -> ArmError:
    challenge = (
        f'Bearer authorization_uri="{_AUTHORITY}", error="invalid_token", '
        f'error_description="{message}"'
    )
    return ArmError(401, code, message, {"WWW-Authenticate": challenge})


def _revoked(since: int) -> ArmError:
    """401 with a claims challenge: the client is to get a token that was issued since.

    "Microsoft identity platform docs: claims-challenge", "Continuous access evaluation".
    """
    wanted = {"access_token": {"nbf": {"essential": True, "value": str(since)}}}
    claims = base64.b64encode(json.dumps(wanted, separators=(",", ":")).encode()).decode()
    challenge = (
        f'Bearer realm="", authorization_uri="{_AUTHORITY}/oauth2/authorize", '
        f'error="insufficient_claims", claims="{claims}"'
    )
    message = "The access token has been revoked. Get a new one with the claims of the challenge."
    return ArmError(401, "InvalidAuthenticationToken", message, {"WWW-Authenticate": challenge})
