"""The API server as a pod sees it: lists, watches and merge patches with the pod's own token.

Source: Kubernetes docs, "Accessing the Kubernetes API from a Pod", "Kubernetes API Concepts".
"""

import http.client
import json
import os
import ssl
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

Object = dict[str, Any]
Key = tuple[str, str]

_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_MERGE_PATCH = "application/merge-patch+json"
_RETRY_S = 0.5
_WATCH_S = 300


def say(text: str) -> None:
    """A line of the pod's log."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Api:
    """The API server; every call has a connection of its own."""

    def __init__(self) -> None:
        self._tls = ssl.create_default_context(cafile=str(_ACCOUNT / "ca.crt"))
        self._host = os.environ["KUBERNETES_SERVICE_HOST"]
        self._port = int(os.environ["KUBERNETES_SERVICE_PORT"])

    def open(
        self, method: str, path: str, body: object = None, timeout_s: float = 30.0
    ) -> http.client.HTTPResponse:
        """The answer to a request, its body unread. Raises OSError, also for an HTTP error."""
        token = (_ACCOUNT / "token").read_text().strip()
        connection = http.client.HTTPSConnection(
            self._host, self._port, context=self._tls, timeout=timeout_s
        )
        headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        if body is not None:
            headers["Content-Type"] = _MERGE_PATCH
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        if answer.status >= 300:
            raise OSError(f"{method} {path}: {answer.status} {answer.read(300)!r}")
        return answer

    def get(self, path: str) -> Object:
        """An object or a list. Raises OSError."""
        return dict(json.load(self.open("GET", path)))

    def patch(self, path: str, change: object) -> None:
        """Merge a change into an object. Raises OSError."""
        self.open("PATCH", path, change).read()


class Kept:
    """All objects of one resource by (namespace, name), kept by a watch in a thread of its own."""

    def __init__(self, api: Api, path: str, changed: Callable[[], None]) -> None:
        self.objects: dict[Key, Object] = {}
        self.listed = threading.Event()
        self._api = api
        self._path = path
        self._changed = changed
        threading.Thread(target=self._run, name=path, daemon=True).start()

    def values(self) -> list[Object]:
        """The objects, in the order of their names."""
        return [self.objects[key] for key in sorted(self.objects)]

    def _run(self) -> None:
        while True:
            try:
                self._watch(self._list())
            except (OSError, ValueError, http.client.HTTPException) as error:
                say(f"watch of {self._path}: {error}")
                time.sleep(_RETRY_S)

    def _list(self) -> str:
        found = self._api.get(self._path)
        self.objects = {key_of(one): one for one in found["items"]}
        self.listed.set()
        self._changed()
        return str(found["metadata"]["resourceVersion"])

    def _watch(self, version: str) -> None:
        query = f"?watch=1&resourceVersion={version}&timeoutSeconds={_WATCH_S}"
        answer = self._api.open("GET", self._path + query, timeout_s=_WATCH_S + 30)
        for line in answer:
            event = json.loads(line)
            if event["type"] == "ERROR":  # the version is too old: list again
                return
            if event["type"] == "BOOKMARK":
                continue
            objects = dict(self.objects)
            if event["type"] == "DELETED":
                objects.pop(key_of(event["object"]), None)
            else:
                objects[key_of(event["object"])] = event["object"]
            self.objects = objects
            self._changed()


def key_of(value: Object) -> Key:
    """Namespace ("" for none) and name."""
    return value["metadata"].get("namespace", ""), value["metadata"]["name"]
