"""The wire server at 168.63.129.16, which VM agents speak to over HTTP: ports 80 and 32526.

"Azure docs: what-is-ip-address-168-63-129-16". A facade: port 80 lists the protocol's versions and
refuses, as the real one, what does not say its version; port 32526 (the host's guest agent plugin)
says that it is healthy. Goal states are not served.
"""

from aiohttp import web

from pytest_aksnet.lab.network.platform_rules import WIRE_SERVER_PORTS
from pytest_aksnet.lab.sockets import tcp_listener

_VERSIONS = ("2015-04-05", "2012-11-30", "2012-09-15", "2012-05-15", "2011-12-31", "2011-10-15")


class WireServer:
    """Both ports, at one address."""

    def __init__(self) -> None:
        app = web.Application()
        app.router.add_routes(
            [
                web.get("/", self._root),
                web.get("/health", self._health),
                web.get("/versions", self._plugin_versions),
                web.get("/{path:.*}", self._other),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)

    async def start(self, netns_fd: int, address: str) -> None:
        """Listen at that address of the network namespace. Raises OSError."""
        await self._runner.setup()
        for port in WIRE_SERVER_PORTS:
            await web.SockSite(self._runner, tcp_listener(netns_fd, address, port)).start()

    async def close(self) -> None:
        """Stop."""
        await self._runner.cleanup()

    async def _root(self, request: web.Request) -> web.Response:
        if request.query.get("comp", "").casefold() != "versions":
            return await self._other(request)
        listed = "".join(f"<Version>{version}</Version>" for version in _VERSIONS)
        return web.Response(
            text='<?xml version="1.0" encoding="utf-8"?><Versions>'
            f"<Preferred><Version>{_VERSIONS[0]}</Version></Preferred>"
            f"<Supported>{listed}</Supported></Versions>",
            content_type="text/xml",
        )

    async def _health(self, _: web.Request) -> web.Response:
        return web.Response(text="")

    async def _plugin_versions(self, _: web.Request) -> web.Response:
        return web.json_response(["2015-09-01"])

    async def _other(self, request: web.Request) -> web.Response:
        known = request.headers.get("x-ms-version") in _VERSIONS
        status = 404 if known else 400
        return web.Response(status=status, text="" if known else "x-ms-version is required\n")
