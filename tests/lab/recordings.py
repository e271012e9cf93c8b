"""Recorded exchanges of a real API server, and how to compare an answer with one.

Values that differ by their nature (uids, times, versions, allocated addresses and ports) compare
by their type; so do fields that this API does not fill in (managedFields).
"""

import http.client
import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

Exchange = dict[str, Any]

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "kubernetes-api"

_VOLATILE = frozenset(
    {
        "uid",
        "resourceVersion",
        "creationTimestamp",
        "deletionTimestamp",
        "continue",
        "expirationTimestamp",
        "token",
        "nodePort",
        "healthCheckNodePort",
        "remainingItemCount",
    }
)
_ADDRESSES = frozenset({"clusterIP", "clusterIPs"})
_HEADERS = ("content-type", "warning", "cache-control", "x-content-type-options")
_NOT_COMPARED = frozenset({"managedFields"})


def load(folder: Path, name: str) -> Any:
    return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))


def exchanges(document: Any) -> Iterator[Exchange]:
    """Every request/response pair of a recording, in order."""
    if isinstance(document, dict):
        if "request" in document and "response" in document:
            yield document
        for value in document.values():
            yield from exchanges(value)
    elif isinstance(document, list):
        for value in document:
            yield from exchanges(value)


def shape(value: Any, key: str = "") -> Any:
    """A value with everything replaced that may differ between two runs."""
    if isinstance(value, dict):
        if "kube-api-access" in str(value.get("name", "")):
            return "token volume"
        return {
            name: shape(item, name)
            for name, item in value.items()
            if name not in _NOT_COMPARED and not (name == "metadata" and not shape(item, name))
        }
    if isinstance(value, list):
        return [shape(item, key) for item in value]
    if key in _VOLATILE or (key in _ADDRESSES and value not in ("None", None)):
        return type(value).__name__
    return value


class RawClient:
    """One TLS connection per request, nothing decoded but JSON."""

    def __init__(self, host: str, port: int, ca_file: Path, token: str) -> None:
        self._address = (host, port)
        self._context = ssl.create_default_context(cafile=str(ca_file))
        self._token = token

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: dict[str, str] | None = None,
        *,
        authorized: bool = True,
    ) -> tuple[int, dict[str, str], Any]:
        """(status, headers in lower case, body: JSON value, list of several, or text)."""
        connection = http.client.HTTPSConnection(*self._address, context=self._context, timeout=15)
        wanted = {"Accept": "application/json", **(headers or {})}
        if authorized:
            wanted["Authorization"] = f"Bearer {self._token}"
        payload = body if isinstance(body, str) or body is None else json.dumps(body)
        try:
            connection.request(method, path, payload, wanted)
            response = connection.getresponse()
            text = response.read().decode()
        finally:
            connection.close()
        found = {name.lower(): value for name, value in response.getheaders()}
        if text and found.get("content-type", "").startswith("application/json"):
            values = [json.loads(line) for line in text.strip().split("\n")]
            return response.status, found, values[0] if len(values) == 1 else values
        return response.status, found, text

    def replay(self, exchange: Exchange) -> tuple[int, dict[str, str], Any]:
        """Send a recorded request."""
        request = exchange["request"]
        headers = dict(request["headers"])
        own = "Authorization" not in headers
        return self.send(
            request["method"], request["path"], request["body"], headers, authorized=own
        )


def assert_same(client: RawClient, exchange: Exchange) -> Any:
    """Replay a request, compare status, shape of the body and the headers that mean something.

    The body of the answer.
    """
    status, headers, body = client.replay(exchange)
    real = exchange["response"]
    where = f"{exchange['request']['method']} {exchange['request']['path']}"
    assert status == real["status"], (where, body)
    assert shape(body) == shape(real["body"]), where
    known = {name.lower(): value for name, value in real["headers"]}
    assert {name: headers.get(name) for name in _HEADERS} == {
        name: known.get(name) for name in _HEADERS
    }, where
    return body
