"""Long-running operations: 202, and a URL that tells how far it is.

Both ways that ARM has ("Azure docs: async-operations"): Azure-AsyncOperation, whose answer has a
status, and Location, whose answer is 202 until it is the result.
"""

import asyncio
import uuid
from collections.abc import Coroutine
from dataclasses import dataclass

from aiohttp import web

from pytest_aksnet.lab.arm.documents import Document
from pytest_aksnet.lab.arm.errors import ArmError
from pytest_aksnet.lab.arm.ids import subscription_id
from pytest_aksnet.lab.spec import REGION

RETRY_AFTER_SECONDS = 1


@dataclass(frozen=True, kw_only=True)
class _Operation:
    namespace: str
    version: str
    task: "asyncio.Task[Document | None]"


class Operations:
    """The operations of a lab, under way and ended. They are forgotten with the lab."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url
        self._known: dict[str, _Operation] = {}

    def start(
        self,
        work: Coroutine[None, None, Document | None],
        *,
        namespace: str,
        version: str,
        resource: Document | None = None,
    ) -> web.Response:
        """Begin; the answer to the request: 202, or 201 with the `resource` that is being made.

        `work` gives the result, None for one without a body, or raises ArmError.
        """
        name = str(uuid.uuid4())
        self._known[name] = _Operation(
            namespace=namespace, version=version, task=asyncio.create_task(work)
        )
        headers = {
            "Azure-AsyncOperation": self._url("operations", name),
            "Retry-After": str(RETRY_AFTER_SECONDS),
        }
        if resource is not None:
            return web.json_response(resource, status=201, headers=headers)
        headers["Location"] = self._url("operationResults", name)
        return web.Response(status=202, headers=headers)

    def status(self, name: str) -> web.Response | None:
        """The answer of Azure-AsyncOperation; None for an unknown operation."""
        found = self._known.get(name)
        if found is None:
            return None
        identifier = self._url("operations", name).removeprefix(self._base_url).partition("?")[0]
        answer: Document = {"id": identifier, "name": name, "status": "InProgress"}
        if not found.task.done():
            headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
            return web.json_response(answer, headers=headers)
        error = found.task.exception()
        if isinstance(error, ArmError):
            return web.json_response({**answer, "status": "Failed", **error.document()})
        result = found.task.result()
        more = {} if result is None else {"properties": {"output": result}}
        return web.json_response({**answer, "status": "Succeeded", **more})

    def result(self, name: str) -> web.Response | None:
        """The answer of Location; None for an unknown operation."""
        found = self._known.get(name)
        if found is None:
            return None
        if not found.task.done():
            headers = {
                "Location": self._url("operationResults", name),
                "Retry-After": str(RETRY_AFTER_SECONDS),
            }
            return web.Response(status=202, headers=headers)
        error = found.task.exception()
        if isinstance(error, ArmError):
            return error.response()
        result = found.task.result()
        return web.Response(status=204) if result is None else web.json_response(result)

    def _url(self, kind: str, name: str) -> str:
        found = self._known[name]
        return (
            f"{self._base_url}{subscription_id()}/providers/{found.namespace}/locations/{REGION}"
            f"/{kind}/{name}?api-version={found.version}"
        )
