"""Keeps what went to ARM and came back, by the topic that is being read; and lets nothing write.

Two policies of azure-core, put into the pipeline of every client. Headers are not kept, and bodies
and URLs lose their secrets here, before anything else sees them.
"""

import contextlib
import re
import time
import urllib.parse
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Any

from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import HTTPPolicy, SansIOHTTPPolicy

from pytest_aksnet.arm.secrets import cut_body, cut_url, cut_words
from pytest_aksnet.model.arm import Exchange

# Characters: lists of SKUs are megabytes, and evidence is for people.
_LONGEST_BODY = 100_000
_LONGEST_PROBLEM = 500
_NOW: ContextVar["list[Exchange] | None"] = ContextVar("aksnet_exchanges", default=None)
# POST operations that only read ("Azure REST API reference", each on its page).
_READING_POSTS = re.compile(r"/loadBalancingRules/[^/]+/health$", re.IGNORECASE)


@contextlib.contextmanager
def exchanges() -> Iterator[list[Exchange]]:
    """What is sent in this context, and in threads that run in copies of it, lands in the list."""
    kept: list[Exchange] = []
    with kept_in(kept):
        yield kept


@contextlib.contextmanager
def kept_in(kept: list[Exchange] | None) -> Iterator[None]:
    """What is sent in this context lands in that list."""
    token = _NOW.set(kept)
    try:
        yield
    finally:
        _NOW.reset(token)


def kept_here() -> list[Exchange] | None:
    """Where it lands now; None where nobody wants it."""
    return _NOW.get()


class WriteRefused(AzureError):  # type: ignore[misc]  # azure has no types here
    """A request that would change something in Azure was about to be sent."""


class ReadOnly(SansIOHTTPPolicy):  # type: ignore[misc]  # azure has no types here
    """Refuses whatever may change something.

    The SDK itself writes: a 409 MissingSubscriptionRegistration makes it register the provider
    (azure-mgmt-core, ARMAutoResourceProviderRegistrationPolicy).
    """

    def on_request(self, request: Any) -> None:
        """Raise WriteRefused for anything but a GET or a POST that is known to read."""
        sent = request.http_request
        path = urllib.parse.urlsplit(sent.url).path
        if sent.method == "GET" or (sent.method == "POST" and _READING_POSTS.search(path)):
            return
        raise WriteRefused(f"{sent.method} {path} would be a write: it was not sent")


class Recording(HTTPPolicy):  # type: ignore[misc]  # azure has no types here
    """Keeps every try of every request, with its answer."""

    def send(self, request: Any) -> Any:
        """Send it, and keep what came of it."""
        kept, started, begun = _NOW.get(), time.time(), time.monotonic()
        method, url = request.http_request.method, cut_url(request.http_request.url)

        def keep(**what: Any) -> None:
            if kept is not None:
                seconds = round(time.monotonic() - begun, 4)
                kept.append(
                    Exchange(method=method, url=url, started=started, duration_s=seconds, **what)
                )

        try:
            response = self.next.send(request)
            body = _body(response.http_response)
        except AzureError as error:
            problem = cut_words(f"{type(error).__name__}: {error}")
            keep(status=0, problem=problem[:_LONGEST_PROBLEM])
            raise
        text = cut_body(body.decode("utf-8", "replace"))[:_LONGEST_BODY]
        keep(status=response.http_response.status_code, body=text, size=len(body))
        return response


def _body(response: Any) -> bytes:
    try:
        body = response.body()
    except AttributeError:  # a response of azure.core.rest
        body = response.read()
    return bytes(body)
