"""How often ARM was asked for what, since the lab's start: `aksnet-lab status` shows it.

Clients see nothing of it.
"""

from collections import Counter

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from pytest_aksnet.lab.arm.requests import parse_path

TOKEN = "token"


def counting(asked: Counter[str]) -> Middleware:
    """Counts each request by method and resource type, such as GET Microsoft.Network/publicIPs.

    Requests for tokens, of all kinds, are counted as `TOKEN`.
    """

    @web.middleware
    async def count(request: web.Request, handler: Handler) -> web.StreamResponse:
        target = parse_path(request.path)
        if target is not None:
            kind = target.kind if target.namespace else "Microsoft.Resources"
            asked[f"{request.method} {kind}"] += 1
        elif request.path.endswith("/token"):
            asked[TOKEN] += 1
        return await handler(request)

    return count
