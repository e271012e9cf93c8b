"""What kube-proxy answers about itself: healthCheckNodePort servers and :10256/healthz.

Bodies and headers as in kubernetes pkg/proxy/healthcheck. Sockets are opened in the node's
network namespace when a Service appears; an asyncio loop serves them from `start` on.
"""

import asyncio
import datetime
import json
import socket
from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace

from pytest_aksnet.lab.network_views import ServicePortView
from pytest_aksnet.lab.sockets import tcp_listener

HEALTHZ_PORT = 10256
_REQUEST_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceHealth:
    """What a node says about one Service with externalTrafficPolicy Local."""

    namespace: str
    name: str
    local_endpoints: int

    def as_with_endpoint(self) -> "ServiceHealth":
        """The same, with an endpoint on the node, whether there is one or not."""
        return replace(self, local_endpoints=max(1, self.local_endpoints))


def service_health(services: Iterable[ServicePortView], node: str) -> dict[int, ServiceHealth]:
    """What a node answers at each healthCheckNodePort. Endpoints count once per address."""
    names: dict[int, ServicePortView] = {}
    addresses: defaultdict[int, set[str]] = defaultdict(set)
    for service in services:
        if service.external_local and service.health_check_node_port:
            port = service.health_check_node_port
            names[port] = service
            addresses[port] |= {one.ip for one in service.endpoints if one.node == node}
    return {
        port: ServiceHealth(
            namespace=service.namespace,
            name=service.service,
            local_endpoints=len(addresses[port]),
        )
        for port, service in names.items()
    }


class NodeHealth:
    """The health servers of one node, of IPv6 too with `dual_stack`."""

    def __init__(self, netns_fd: int, *, dual_stack: bool = False) -> None:
        self._netns_fd = netns_fd
        self._addresses = ("", "::") if dual_stack else ("",)
        self._health: Mapping[int, ServiceHealth] = {}
        self._listeners: dict[int, list[socket.socket]] = {}
        self._answering: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._synced = _now()
        self._open(HEALTHZ_PORT)

    def set(self, health: Mapping[int, ServiceHealth], *, alive: bool = True) -> None:
        """Answer for exactly these Services, and for the proxy itself while it is alive.

        A port that somebody else has is left alone.
        """
        self._health = dict(health)
        self._synced = _now()
        wanted = health.keys() | ({HEALTHZ_PORT} if alive else set())
        for port in self._listeners.keys() - wanted:
            self._close(port)
        for port in wanted - self._listeners.keys():
            # kube-proxy logs that the port is taken and goes on.
            with suppress(OSError):
                self._open(port)

    async def start(self) -> None:
        """Begin to answer on the running event loop."""
        self._loop = asyncio.get_running_loop()
        for port in self._listeners:
            self._serve(port)

    async def close(self) -> None:
        """Stop and free the ports."""
        for port in list(self._listeners):
            self._close(port)
        self._loop = None
        for task in self._answering:
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)

    def _open(self, port: int) -> None:
        self._listeners[port] = [
            tcp_listener(self._netns_fd, address, port) for address in self._addresses
        ]
        self._serve(port)

    def _serve(self, port: int) -> None:
        if self._loop is not None:
            for listener in self._listeners[port]:
                self._loop.add_reader(listener, self._accept, listener, port)

    def _close(self, port: int) -> None:
        for listener in self._listeners.pop(port):
            if self._loop is not None:
                self._loop.remove_reader(listener)
            listener.close()

    def _accept(self, listener: socket.socket, port: int) -> None:
        loop = asyncio.get_running_loop()
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        task = loop.create_task(self._answer(port, connection))
        self._answering.add(task)
        task.add_done_callback(self._answering.discard)

    async def _answer(self, port: int, connection: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        with connection, suppress(OSError, TimeoutError):
            async with asyncio.timeout(_REQUEST_SECONDS):
                request = b""
                while b"\r\n\r\n" not in request and len(request) < 16384:
                    part = await loop.sock_recv(connection, 4096)
                    if not part:
                        return
                    request += part
                await loop.sock_sendall(connection, self._response(port))

    def _response(self, port: int) -> bytes:
        if port == HEALTHZ_PORT:
            body = (
                f'{{"lastUpdated": "{self._synced}","currentTime": "{_now()}", '
                '"nodeEligible": true}'
            )
            return _http(200, body)
        health = self._health.get(port)
        if health is None:
            return _http(404, "")
        content = {
            "service": {"namespace": health.namespace, "name": health.name},
            "localEndpoints": health.local_endpoints,
            "serviceProxyHealthy": True,
        }
        return _http(
            200 if health.local_endpoints else 503,
            json.dumps(content, indent="\t"),
            f"X-Load-Balancing-Endpoint-Weight: {health.local_endpoints}\r\n",
        )


def _http(status: int, body: str, headers: str = "") -> bytes:
    reason = {200: "OK", 404: "Not Found", 503: "Service Unavailable"}[status]
    return (
        f"HTTP/1.1 {status} {reason}\r\nContent-Type: application/json\r\n"
        f"X-Content-Type-Options: nosniff\r\n{headers}"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n{body}"
    ).encode()


def _now() -> str:
    moment = datetime.datetime.now(datetime.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:%S.%f +0000 UTC")
