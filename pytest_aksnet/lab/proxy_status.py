"""What kube-proxy says of itself on port 10249 of every node: its mode, and that it is alive.

AKS binds it to all addresses (--metrics-bind-address=0.0.0.0:10249). Of the metrics there is one
alone. Where Cilium takes kube-proxy's place nobody listens there.
"""

from collections.abc import Mapping

from aiohttp import web

from pytest_aksnet.lab.contracts import Sandbox
from pytest_aksnet.lab.sockets import tcp_listener
from pytest_aksnet.lab.spec import LabSpec

METRICS_PORT = 10249


class ProxyStatus:
    """That of all nodes. `fallen_back` are nodes whose kube-proxy runs in another mode."""

    def __init__(self, spec: LabSpec, machines: Mapping[str, Sandbox]) -> None:
        self.fallen_back: set[str] = set()
        self._spec = spec
        self._machines = machines

    async def start(self) -> None:
        """Listen on the nodes. Raises OSError."""
        if self._spec.engine == "cilium":
            return
        for node in self._spec.nodes:
            runner = self._runner(node.name)
            await runner.setup()
            listener = tcp_listener(self._machines[node.name].netns_fd, "", METRICS_PORT)
            await web.SockSite(runner, listener).start()

    def _runner(self, node: str) -> web.AppRunner:
        async def mode(_: web.Request) -> web.Response:
            return web.Response(text=self._mode(node))

        async def alive(_: web.Request) -> web.Response:
            return web.Response(text="ok")

        async def metrics(_: web.Request) -> web.Response:
            version = f'kubernetes_build_info{{git_version="{self._spec.kubernetes_version}"}} 1\n'
            return web.Response(text=version)

        app = web.Application()
        routes = (("/proxyMode", mode), ("/healthz", alive), ("/metrics", metrics))
        app.router.add_routes([web.get(path, handler) for path, handler in routes])
        return web.AppRunner(app, access_log=None, shutdown_timeout=1)

    def _mode(self, node: str) -> str:
        usual = self._spec.kube_proxy
        if node not in self.fallen_back:
            return usual
        return "iptables" if usual != "iptables" else "nftables"
