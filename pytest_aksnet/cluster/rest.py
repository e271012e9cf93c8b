"""REST requests to the API server: time limits, bounded retries, errors in the project's words.

Owns the verbs, and what is tried again. What the JSON means is for the modules that ask. Every
method may be called from many threads.
"""

import json
import random
import time
from collections.abc import Generator, Iterator, Mapping
from typing import cast
from urllib.parse import quote

import urllib3
from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_before_delay,
)

from pytest_aksnet.cluster.access import Access
from pytest_aksnet.cluster.http import Http
from pytest_aksnet.cluster.problems import unreachable
from pytest_aksnet.cluster.retries import RetryCounter
from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import ApiRefused, ApiUnreachable, EnvironmentProblem

# Seconds of silence before a try counts as lost. A write may wait for an admission webhook, which
# has 10 s by default and 30 s at most; a read waits for nobody.
READ_TIMEOUT_S = 10.0
WRITE_TIMEOUT_S = 30.0
ATTEMPTS = 7  # over about 3 s where the server asks for no other pace: it may be restarting
BUDGET_S = 30.0  # for one call with all its tries
_TRANSIENT = frozenset({429, 500, 502, 503, 504})
_UNAUTHORIZED = 401
_CONFLICT = 409
_EXPIRED = 410


def path_of(*parts: str) -> str:
    """A URL path of these segments, each quoted: ("api", "v1", "nodes") is /api/v1/nodes."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def backoff_s(state: RetryCallState) -> float:
    """Seconds to wait: what the server asked for, else exponential from 0.1 s on; with jitter.

    Never less than what was asked for: where a caller has not so much time, it has to give up.
    """
    error = state.outcome.exception() if state.outcome else None
    asked = getattr(error, "retry_after_s", None)
    if asked is not None:
        return float(asked) * random.uniform(1.0, 1.1)
    return float(min(0.1 * 2 ** (state.attempt_number - 1), 2.0) * random.uniform(0.5, 1.0))


class Rest:
    """The REST door to one API server. `retries` counts repeated requests by cause."""

    def __init__(self, access: Access) -> None:
        self.retries = RetryCounter()
        self._access = access
        self._http = Http(access, self.retries)

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._http.close()

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

    def text(self, path: str, query: Mapping[str, str] | None = None) -> str:
        """What is no JSON object, such as logs. Raises ApiRefused or ApiUnreachable."""

        def once() -> str:
            answer = self._http.open(
                "GET", path, query, None, read_s=READ_TIMEOUT_S, deadline=deadline
            )
            try:
                return answer.data.decode("utf-8", errors="replace")
            except urllib3.exceptions.HTTPError as error:
                raise unreachable(self._access, error) from error

        deadline = time.monotonic() + BUDGET_S
        return self._retrying(ATTEMPTS)(once)

    def items(self, path: str, query: Mapping[str, str] | None = None) -> list[Json]:
        """Every item of a list, fetched in pages of 500.

        A list that changes for so long that its next page has expired (410) is fetched as one.
        """
        found: list[Json] = []
        more = {**(query or {}), "limit": "500"}
        while True:
            try:
                page = self.get(path, more)
            except ApiRefused as refused:
                if refused.status != _EXPIRED or "continue" not in more:
                    raise
                return list(self.get(path, query).get("items") or [])
            found.extend(page.get("items") or [])
            token = page.get("metadata", {}).get("continue")
            if not token:
                return found
            more["continue"] = token

    def create(self, path: str, manifest: Mapping[str, object], *, dry_run: bool = False) -> Json:
        """Create an object and return it as the server completed it.

        Unknown fields are refused (fieldValidation=Strict). Names must be unique to the caller: a
        name that is taken after an attempt whose answer was lost is then our own object. With
        `dry_run` every admission has its say and nothing is stored.
        """
        query = {"fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        lost = False
        deadline = time.monotonic() + BUDGET_S

        def once() -> Json:
            nonlocal lost
            try:
                return self._once(
                    "POST", path, query, manifest, read_s=WRITE_TIMEOUT_S, deadline=deadline
                )
            except ApiRefused as refused:
                if refused.status == _CONFLICT and lost:
                    metadata = cast(Json, manifest["metadata"])
                    own = f"{path}/{quote(str(metadata['name']))}"
                    return self._once(
                        "GET", own, None, None, read_s=READ_TIMEOUT_S, deadline=deadline
                    )
                lost = lost or refused.status >= 500
                raise
            except ApiUnreachable:
                lost = True
                raise

        return self._retrying(ATTEMPTS)(once)

    def patch(self, path: str, change: Mapping[str, object]) -> Json:
        """Change an object by a JSON merge patch (RFC 7386)."""
        query = {"fieldValidation": "Strict"}
        return self._call("PATCH", path, query, change, read_s=WRITE_TIMEOUT_S)

    def replace(
        self,
        path: str,
        manifest: Mapping[str, object],
        *,
        attempts: int = ATTEMPTS,
        read_timeout_s: float = WRITE_TIMEOUT_S,
    ) -> Json:
        """Replace an object; one that names a resourceVersion replaces that state only, else 409.

        After an attempt whose answer was lost, a 409 may come from our own change.
        """
        query = {"fieldValidation": "Strict"}
        return self._call("PUT", path, query, manifest, attempts=attempts, read_s=read_timeout_s)

    def delete(
        self,
        path: str,
        *,
        uid: str = "",
        version: str = "",
        grace_s: int | None = None,
        attempts: int = ATTEMPTS,
    ) -> bool:
        """Delete an object; False where there was none.

        With `uid` only that very object, with `version` only in that state (resourceVersion).
        """
        options: Json = {"propagationPolicy": "Background"}
        if uid or version:
            conditions = {"uid": uid, "resourceVersion": version}
            options["preconditions"] = {key: value for key, value in conditions.items() if value}
        if grace_s is not None:
            options["gracePeriodSeconds"] = grace_s
        try:
            self._call("DELETE", path, None, options, attempts=attempts, read_s=WRITE_TIMEOUT_S)
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
            answer = self._http.open("GET", path, asked, None, read_s=timeout_s, deadline=deadline)
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
        deadline = time.monotonic() + BUDGET_S
        return retrying(self._once, method, path, query, body, read_s=read_s, deadline=deadline)

    def _retrying(self, attempts: int) -> Retrying:
        return Retrying(
            stop=stop_after_attempt(attempts) | stop_before_delay(BUDGET_S),
            wait=backoff_s,
            retry=retry_if_exception(self._worth_a_retry),
            before_sleep=self._count,
            reraise=True,
        )

    def _worth_a_retry(self, error: BaseException) -> bool:
        if isinstance(error, ApiRefused):
            passing = error.status == _UNAUTHORIZED and self._access.experience.user_known
            return passing or error.status in _TRANSIENT
        return isinstance(error, ApiUnreachable)

    def _count(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, ApiRefused):
            self.retries.add(f"http {error.status}")
        else:
            self.retries.add("not reached")

    def _once(
        self,
        method: str,
        path: str,
        query: Mapping[str, str] | None,
        body: Mapping[str, object] | None,
        *,
        read_s: float,
        deadline: float,
    ) -> Json:
        answer = self._http.open(method, path, query, body, read_s=read_s, deadline=deadline)
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


def _lines(answer: urllib3.HTTPResponse) -> Iterator[bytes]:
    rest = b""
    for chunk in answer.stream(65536, decode_content=True):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from (line for line in lines if line)
