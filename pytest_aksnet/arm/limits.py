"""How long ARM is waited for, in one layer: tries, time-outs, and the patience that a server asks.

Policies of azure-core, put into the pipeline of every client.
"""

import time
from dataclasses import dataclass
from typing import Any

from azure.core.exceptions import AzureError, ServiceResponseTimeoutError
from azure.core.pipeline.policies import HTTPPolicy, RetryPolicy

from pytest_aksnet.arm.exchanges import kept_here, kept_in
from pytest_aksnet.model.arm import Exchange

_DEADLINE = "aksnet_deadline"  # in the context of a request, by the monotonic clock
_UNDER_WAY = (201, 202)
# Where ARM says how far an operation is ("Azure docs: async-operations").
_LINKS = ("Azure-AsyncOperation", "Operation-Location", "Location")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Seconds, and how often a request is tried again. The SDK's own are 300 s, 10 times, no end.

    `connect_s` and `read_s` are of one try, `request_s` of all tries with their pauses,
    `retry_after_s` the longest pause that a server may ask for, `operation_s` of a long-running
    operation and `poll_s` of the pauses between its polls, `token_s` of getting a token.
    """

    retries: int = 3
    connect_s: float = 10
    read_s: float = 30
    request_s: float = 60
    retry_after_s: float = 20
    operation_s: float = 60
    poll_s: float = 1
    token_s: float = 60


class TooMuchPatience(AzureError):  # type: ignore[misc]  # azure has no types here
    """A server asked to come back later than a run waits."""


class BoundedRetry(RetryPolicy):  # type: ignore[misc]  # azure has no types here
    """Tries again within the limits; gives up where the server asks for more patience."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(retry_total=limits.retries, timeout=limits.request_s)
        self._limits = limits

    def send(self, request: Any) -> Any:
        """Send it, with all tries."""
        request.context[_DEADLINE] = time.monotonic() + self._limits.request_s
        return super().send(request)

    def is_retry(self, settings: Any, response: Any) -> bool:
        """Whether to try again."""
        pause = self.get_retry_after(response) or 0
        left = response.context[_DEADLINE] - time.monotonic()
        if pause > min(self._limits.retry_after_s, left):
            return False
        return bool(super().is_retry(settings, response))


class OneTry(HTTPPolicy):  # type: ignore[misc]  # azure has no types here
    """Waits for an answer no longer than what is left of the time of all tries."""

    def __init__(self, limits: Limits) -> None:
        super().__init__()
        self._limits = limits

    def send(self, request: Any) -> Any:
        """Send it once."""
        left = request.context[_DEADLINE] - time.monotonic()
        for name, longest in (
            ("connection_timeout", self._limits.connect_s),
            ("read_timeout", self._limits.read_s),
        ):
            request.context.options[name] = max(0.001, min(longest, left))
        return self.next.send(request)


@dataclass(frozen=True, slots=True)
class _Operation:
    """A long-running operation: where its exchanges are kept, and when it is given up."""

    kept: list[Exchange] | None
    deadline: float


class LongRunning(HTTPPolicy):  # type: ignore[misc]  # azure has no types here
    """Ends long-running operations in time, and keeps their polls where they began.

    The SDK polls in a thread of its own, without end and at the pace that the server asks for.
    """

    def __init__(self, limits: Limits, retry: RetryPolicy) -> None:
        super().__init__()
        self._limits = limits
        self._pause = retry.get_retry_after
        self._begun: dict[str, _Operation] = {}

    def send(self, request: Any) -> Any:
        """Send it. Raises ServiceResponseTimeoutError and TooMuchPatience."""
        operation = self._begun.get(request.http_request.url)
        if operation is None:
            response = self.next.send(request)
            if response.http_response.status_code not in _UNDER_WAY:
                return response
            operation = _Operation(kept_here(), time.monotonic() + self._limits.operation_s)
        else:
            if time.monotonic() > operation.deadline:
                raise ServiceResponseTimeoutError(
                    f"the operation has not ended within {self._limits.operation_s:g} s"
                )
            with kept_in(operation.kept):
                response = self.next.send(request)
        headers = response.http_response.headers
        for link in filter(None, map(headers.get, _LINKS)):
            self._begun[link] = operation
        pause = self._pause(response) or 0
        if pause > self._limits.retry_after_s:
            raise TooMuchPatience(f"the operation is to be looked at again in {pause:g} s only")
        return response
