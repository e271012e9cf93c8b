"""REST requests to the API server: time limits, bounded retries, errors in the project's words.

Owns the transport of JSON. What the JSON means is for the modules that ask. Every method may be
called from many threads: the connection pool below is shared and locks itself.
"""

import json
import random
import time
from collections.abc import Generator, Iterator, Mapping
from typing import Any, cast
from urllib.parse import quote, urlencode

import urllib3
from kubernetes.client.exceptions import ApiException
from kubernetes.client.rest import RESTClientObject
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
)

from pytest_aksnet.cluster.access import Access
from pytest_aksnet.cluster.problems import CONNECT_TIMEOUT_S, refusal, unreachable
from pytest_aksnet.model.errors import ApiRefused, ApiUnreachable, EnvironmentProblem

# Objects of the API are open JSON trees of the server's making; Any stands for JSON.
Json = dict[str, Any]

READ_TIMEOUT_S = 30.0
ATTEMPTS = 5
RETRY_BUDGET_S = 30.0
USER_AGENT = "pytest-aksnet"
_LONGEST_WAIT_S = 10.0
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_CONFLICT = 409
_UNAUTHORIZED = 401


def path_of(*parts: str) -> str:
    """A URL path of these segments, each quoted: ("api", "v1", "nodes") is /api/v1/nodes."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def backoff_s(state: RetryCallState) -> float:
    """Seconds to wait: what the server asked for, else exponential with jitter from 0.1 s on."""
    error = state.outcome.exception() if state.outcome else None
    asked = getattr(error, "retry_after_s", None)
    if asked is not None:
        return min(float(asked), _LONGEST_WAIT_S)
    return float(min(0.1 * 2 ** (state.attempt_number - 1), 2.0) * random.uniform(0.5, 1.0))


class Rest:
    """The REST door to one API server."""

    def __init__(self, access: Access) -> None:
        self._access = access
        if not access.configuration.verify_ssl:
            # The kubeconfig chose it; a warning per request would fail runs with -W error.
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        self._client = RESTClientObject(access.configuration)

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._client.close()

    def get(
        self,
        path: str,
        query: Mapping[str, str] | None = None,
        *,
        attempts: int = ATTEMPTS,
        read_timeout_s: float = READ_TIMEOUT_S,
    ) -> Json:
        """One object or list. Raises ApiRefused or ApiUnreachable."""
        return self._call("GET", path, query, None, attempts=attempts, read_s=read_timeout_s)

    def get_or_none(self, path: str) -> Json | None:
        """One object, or None where there is none (404)."""
        try:
            return self.get(path)
        except ApiRefused as refused:
            if refused.status == 404:
                return None
            raise

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Json]:
        """Every item of a list, fetched in pages of 500."""
        found: list[Json] = []
        more = {**(query or {}), "limit": "500"}
        while True:
            page = self.get(path, more)
            found.extend(page.get("items") or [])
            token = page.get("metadata", {}).get("continue")
            if not token:
                return found
            more["continue"] = token

    def create(self, path: str, manifest: Mapping[str, object]) -> Json:
        """Create an object and return it as the server completed it.

        Unknown fields are refused (fieldValidation=Strict). Names must be unique to the caller: a
        name that is taken after an attempt whose answer was lost is then our own object.
        """
        lost = False

        def once() -> Json:
            nonlocal lost
            try:
                return self._once("POST", path, {"fieldValidation": "Strict"}, manifest)
            except ApiRefused as refused:
                if refused.status == _CONFLICT and lost:
                    metadata = cast(Json, manifest["metadata"])
                    return self._once("GET", f"{path}/{quote(str(metadata['name']))}", None, None)
                lost = lost or refused.status >= 500
                raise
            except ApiUnreachable:
                lost = True
                raise

        return self._retrying(ATTEMPTS)(once)

    def patch(self, path: str, change: Mapping[str, object]) -> Json:
        """Change an object by a JSON merge patch (RFC 7386)."""
        return self._call("PATCH", path, {"fieldValidation": "Strict"}, change)

    def delete(self, path: str, *, uid: str = "", grace_s: int | None = None) -> bool:
        """Delete an object; False where there was none. With `uid` only that very object."""
        options: Json = {"propagationPolicy": "Background"}
        if uid:
            options["preconditions"] = {"uid": uid}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        try:
            self._call("DELETE", path, None, options)
        except ApiRefused as refused:
            if refused.status == 404 or (refused.status == _CONFLICT and uid):
                return False
            raise
        return True

    def watch(
        self, path: str, query: Mapping[str, str], *, timeout_s: float
    ) -> Generator[tuple[str, Json], None, None]:
        """Events (type, object) until `timeout_s` seconds have passed or the stream ends.

        A cut, silent or refused stream just ends: the caller lists again and sees what it missed.
        """
        whole = str(max(1, int(timeout_s)))
        asked = {**query, "watch": "1", "timeoutSeconds": whole}
        deadline = time.monotonic() + timeout_s
        try:
            answer = self._open("GET", path, asked, None, read_s=timeout_s)
        except (ApiUnreachable, ApiRefused):
            return
        try:
            for line in _lines(answer):
                event = json.loads(line)
                yield str(event["type"]), event["object"]
                if time.monotonic() >= deadline:
                    return
        except (urllib3.exceptions.HTTPError, ValueError, KeyError, OSError):
            return
        finally:
            answer.close()

    def _call(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, object] | None,
        *,
        attempts: int = ATTEMPTS,
        read_s: float = READ_TIMEOUT_S,
    ) -> Json:
        retrying = self._retrying(attempts)
        return retrying(self._once, method, path, query, body, read_s=read_s)

    @staticmethod
    def _retrying(attempts: int) -> Retrying:
        return Retrying(
            stop=stop_after_attempt(attempts) | stop_before_delay(RETRY_BUDGET_S),
            wait=backoff_s,
            retry=retry_if_exception(_worth_a_retry),
            reraise=True,
        )

    def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, object] | None,
        *,
        read_s: float = READ_TIMEOUT_S,
    ) -> Json:
        answer = self._open(method, path, query, body, read_s=read_s)
        try:
            content = json.loads(answer.data)
        except ValueError as error:
            raise EnvironmentProblem(
                f"{self._access.server}{path} answered with something that is no JSON; "
                "is that address an API server?"
            ) from error
        except urllib3.exceptions.HTTPError as error:
            raise unreachable(self._access, error) from error
        if not isinstance(content, dict):
            raise EnvironmentProblem(f"{self._access.server}{path} answered with no object")
        return content

    def _open(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, object] | None,
        *,
        read_s: float,
        renewed: bool = False,
    ) -> urllib3.HTTPResponse:
        headers = {"Accept": "application/json", "User-Agent": USER_AGENT}
        if body is not None:
            merge = method == "PATCH"
            headers["Content-Type"] = f"application/{'merge-patch+' if merge else ''}json"
        authorization = self._access.credentials.authorization()
        if authorization:
            headers["Authorization"] = authorization
        url = self._access.server + path + (f"?{urlencode(query)}" if query else "")
        try:
            answer: urllib3.HTTPResponse = self._client.request(
                method,
                url,
                headers=headers,
                body=body,
                _request_timeout=(CONNECT_TIMEOUT_S, read_s),
            ).response
            if answer.status < 400:
                return answer
            content = answer.data
        except (urllib3.exceptions.HTTPError, ApiException, OSError) as error:
            raise unreachable(self._access, error) from error
        if answer.status == _UNAUTHORIZED and not renewed and self._access.credentials.renew():
            return self._open(method, path, query, body, read_s=read_s, renewed=True)
        raise refusal(answer.status, content, answer.headers)


def _worth_a_retry(error: BaseException) -> bool:
    if isinstance(error, ApiRefused):
        return error.status in _TRANSIENT
    return isinstance(error, ApiUnreachable)


def _lines(answer: urllib3.HTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.stream(65536, decode_content=True):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line)
