"""pods/log: the kubelet's log as a chunked text answer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from http import HTTPStatus

from aiohttp import web

from pytest_aksnet.lab.api import errors, exchange
from pytest_aksnet.lab.api.context import ApiContext
from pytest_aksnet.lab.api.resources import PODS
from pytest_aksnet.lab.api.routes import Target
from pytest_aksnet.lab.api.streams import container_of
from pytest_aksnet.lab.contracts import KubeletRefusal

_PATIENCE_SECONDS = 0.05  # for a refusal, before a silent log is answered with its headers
_CHECK_SECONDS = 1.0  # how soon a silent log whose client has gone is given up


async def _next(chunks: AsyncIterator[bytes]) -> bytes | None:
    return await anext(chunks, None)


def _refused(refusal: KubeletRefusal) -> errors.ApiError:
    """What the API server makes of it: a dial that failed is its own error, without a reason."""
    if refusal.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return errors.ApiError(refusal.status, "", refusal.text)
    return errors.bad_request(refusal.text)


async def serve(context: ApiContext, request: web.Request, target: Target) -> web.StreamResponse:
    """Answer pods/log. Raises ApiError 400 or 404."""
    container = container_of(context, target, request.query.get("container", ""))
    pod = context.store.revision(PODS, target.name, target.namespace).value
    if not pod["spec"].get("nodeName"):
        return web.Response(status=204)
    limit = exchange.number(request, "limitBytes")
    chunks = context.kubelet.log(
        target.namespace,
        target.name,
        container,
        follow=exchange.flag(request, "follow"),
        previous=exchange.flag(request, "previous"),
        timestamps=exchange.flag(request, "timestamps"),
        tail_lines=exchange.number(request, "tailLines"),
        since_seconds=exchange.number(request, "sinceSeconds"),
        limit_bytes=limit,
    )
    pending = asyncio.create_task(_next(chunks))
    try:
        await asyncio.wait({pending}, timeout=_PATIENCE_SECONDS)
        if pending.done() and isinstance(refusal := pending.exception(), KubeletRefusal):
            raise _refused(refusal)
        response = web.StreamResponse()
        response.headers["Content-Type"] = "text/plain"
        response.enable_chunked_encoding()
        await response.prepare(request)
        with contextlib.suppress(ConnectionError):
            while True:
                await asyncio.wait({pending}, timeout=_CHECK_SECONDS)
                if not pending.done():
                    if request.transport is None or request.transport.is_closing():
                        break
                    continue
                chunk = pending.result()
                if chunk is None:
                    break
                await response.write(chunk)
                pending = asyncio.create_task(_next(chunks))
        return response
    finally:
        pending.cancel()
        with contextlib.suppress(asyncio.CancelledError, KubeletRefusal):
            await pending
