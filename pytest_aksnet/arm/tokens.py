"""The run's one token: asked for once for all clients and threads, and anew when ARM wants that.

Owns who waits for whom, how long, and what is remembered of a failure.
"""

import base64
import contextlib
import queue
import re
import threading
import time
import urllib.parse
from typing import Any

from azure.core.credentials import AccessTokenInfo
from azure.core.exceptions import AzureError, ClientAuthenticationError
from azure.core.pipeline.policies import HTTPPolicy, SansIOHTTPPolicy

# As azure-core does where the authority says nothing (BearerTokenCredentialPolicy).
_RENEWED_BEFORE_S = 300
# WWW-Authenticate of a claims challenge ("Microsoft identity platform: claims-challenge").
_CLAIMS = re.compile(r'\bclaims="([^"]+)"')
_INSUFFICIENT = re.compile(r'\berror="insufficient_claims"')


class NoToken(ClientAuthenticationError):  # type: ignore[misc]  # azure has no types here
    """No token can be had. Of this kind because azure-core tries no request again after it."""


class Tokens:
    """One token for `scopes`. Safe between threads: one asks, the others wait for it.

    `longest_s` is the time for one token, whatever the credential tries. Where there never was a
    token, nobody asks again: a chain of credentials may take long to find that out.
    """

    def __init__(self, credential: Any, scopes: list[str], longest_s: float) -> None:
        self._credential = credential
        self.scopes = scopes
        self._longest_s = longest_s
        self._asking = threading.Lock()
        self._known: AccessTokenInfo | None = None
        self._failure = ""

    def current(self) -> str:
        """A token that is good for a while. Raises NoToken."""
        with self._asking:
            if self._known is None or _is_old(self._known):
                try:
                    self._known = self._ask("")
                except NoToken:
                    if self._known is None or self._known.expires_on <= time.time():
                        raise
            return str(self._known.token)

    def instead_of(self, refused: str, claims: str) -> str:
        """A token with these claims, for one that ARM refused. Raises NoToken."""
        with self._asking:
            if self._known is None or self._known.token == refused:
                self._known = self._ask(claims)
            return str(self._known.token)

    def _ask(self, claims: str) -> AccessTokenInfo:
        if self._failure and self._known is None:
            raise NoToken(self._failure)
        answers: queue.SimpleQueue[AccessTokenInfo | Exception] = queue.SimpleQueue()

        def ask() -> None:
            try:
                options = {"claims": claims} if claims else {}
                answers.put(self._credential.get_token_info(*self.scopes, options=options))
            except Exception as error:
                answers.put(error)

        # Not a ThreadPoolExecutor: the interpreter would wait for its threads at the end.
        threading.Thread(target=ask, name="aksnet-token", daemon=True).start()
        try:
            answer = answers.get(timeout=self._longest_s)
        except queue.Empty:
            answer = TimeoutError(f"no token within {self._longest_s:g} s")
        if isinstance(answer, AccessTokenInfo):
            return answer
        self._failure = str(answer) or type(answer).__name__
        raise NoToken(self._failure) from answer


def _is_old(token: AccessTokenInfo) -> bool:
    return bool((token.refresh_on or token.expires_on - _RENEWED_BEFORE_S) <= time.time())


class OnlyToArm(SansIOHTTPPolicy):  # type: ignore[misc]  # azure has no types here
    """Sends nothing to anybody but ARM, of whatever region: links in answers are followed as is."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self._host = urllib.parse.urlsplit(base).hostname or ""

    def on_request(self, request: Any) -> None:
        """Raise AzureError for a URL that is not ARM's."""
        asked = urllib.parse.urlsplit(request.http_request.url)
        host = asked.hostname or ""
        if asked.scheme != "https" or self._host not in (host, host.partition(".")[2]):
            raise AzureError(f"{asked.scheme}://{host} is not Azure Resource Manager")


class Authorised(HTTPPolicy):  # type: ignore[misc]  # azure has no types here
    """Sends the token along; answers a claims challenge once."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__()
        self._tokens = tokens

    def send(self, request: Any) -> Any:
        """Send it. Raises NoToken."""
        token = self._tokens.current()
        response = self._with(token, request)
        if response.http_response.status_code != 401:
            return response
        claims = _claims(response.http_response.headers.get("WWW-Authenticate") or "")
        if not claims:
            return response
        return self._with(self._tokens.instead_of(token, claims), request)

    def _with(self, token: str, request: Any) -> Any:
        request.http_request.headers["Authorization"] = f"Bearer {token}"
        return self.next.send(request)


def _claims(challenge: str) -> str:
    """The claims that a challenge demands, empty for none."""
    found = _CLAIMS.search(challenge)
    if found is None or not _INSUFFICIENT.search(challenge):
        return ""
    with contextlib.suppress(ValueError):
        text = found[1] + "=" * (-len(found[1]) % 4)
        return base64.urlsafe_b64decode(text).decode("utf-8")
    return ""
