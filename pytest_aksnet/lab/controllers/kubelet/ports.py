"""The ports of every kubelet: 10250 with TLS and credentials, and 10255 without, where it is open.

Source: Kubernetes docs, "Kubelet authentication/authorization" and KubeletConfiguration. Nobody has
credentials for it here: exec and logs take the lab's own way. What is asked without any is refused
with 401; where anonymous requests are let in, and on 10255, /pods lists the node's pods.
"""

import ssl
from collections.abc import Mapping

from aiohttp import web

from pytest_aksnet.lab.api.resources import PODS
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.contracts import Sandbox
from pytest_aksnet.lab.sockets import tcp_listener
from pytest_aksnet.lab.spec import LabSpec
from pytest_aksnet.lab.tls import Authority

PORT = 10250
READ_ONLY_PORT = 10255


class KubeletPorts:
    """Those of all nodes. On nodes that are `anonymous` nobody needs credentials."""

    def __init__(self, store: Store, spec: LabSpec, machines: Mapping[str, Sandbox]) -> None:
        self.anonymous: set[str] = set()
        self._store = store
        self._nodes = spec.nodes
        self._machines = machines
        self._addresses = ("", "::") if spec.dual_stack else ("",)
        self._read_only: dict[str, web.AppRunner] = {}

    async def start(self, authority: Authority) -> None:
        """Open 10250 on every node, with a certificate of the authority's. Raises OSError."""
        names = [node.name for node in self._nodes]
        tls = authority.server_context(names, [node.ip for node in self._nodes])
        for name in names:
            runner = self._runner(name, credentials=True)
            await self._listen(runner, name, PORT, tls)

    async def open_read_only(self, node: str) -> None:
        """Open 10255 as well. Raises OSError."""
        if node not in self._read_only:
            self._read_only[node] = runner = self._runner(node, credentials=False)
            await self._listen(runner, node, READ_ONLY_PORT, None)

    async def close_read_only(self, node: str) -> None:
        """Close it again."""
        if runner := self._read_only.pop(node, None):
            await runner.cleanup()

    def _runner(self, node: str, *, credentials: bool) -> web.AppRunner:
        async def answer(request: web.Request) -> web.Response:
            if credentials and node not in self.anonymous:
                return web.Response(status=401, text="Unauthorized")
            if request.path == "/healthz":
                return web.Response(text="ok")
            if request.path.rstrip("/") != "/pods":
                return web.Response(status=404, text="404 page not found\n")
            pods = (revision.value for revision in self._store.revisions(PODS))
            items = [pod for pod in pods if pod["spec"].get("nodeName") == node]
            return web.json_response({"kind": "PodList", "apiVersion": "v1", "items": items})

        app = web.Application()
        app.router.add_get("/{path:.*}", answer)
        return web.AppRunner(app, access_log=None, shutdown_timeout=1)

    async def _listen(
        self, runner: web.AppRunner, node: str, port: int, tls: ssl.SSLContext | None
    ) -> None:
        await runner.setup()
        for address in self._addresses:
            listener = tcp_listener(self._machines[node].netns_fd, address, port)
            await web.SockSite(runner, listener, ssl_context=tls).start()
