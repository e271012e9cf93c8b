"""ARM towards its clients: its two sockets on the machine's loopback, and the files that name them.

The sockets listen from the lab's start. What answers is imported when somebody connects for the
first time, who waits for it, so that it costs nothing where nobody does.
"""

import asyncio
import importlib
import socket
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from aiohttp import web

from pytest_aksnet.lab.arm.environment import write_environment
from pytest_aksnet.lab.arm.identities import make_identities
from pytest_aksnet.lab.arm.trouble import ArmTrouble
from pytest_aksnet.lab.container.context import Listeners
from pytest_aksnet.lab.tls import Authority

if TYPE_CHECKING:
    from pytest_aksnet.lab.arm.world import World

_HOSTS = ("localhost", "management.azure.com", "login.microsoftonline.com")


class ArmFront:
    """The stand-in of a lab. `trouble` is what is wrong with it, `asked` what it was asked."""

    def __init__(self, listeners: Listeners, authority: Authority, *, role: str) -> None:
        """`role` is what the service principal has on the subscription."""
        self.trouble = ArmTrouble()
        self.asked: Counter[str] = Counter()
        self._listeners = listeners
        self._authority = authority
        self._identities = make_identities(role)

    @property
    def _base_url(self) -> str:
        host, port = self._listeners.arm.getsockname()
        return f"https://{host}:{port}"

    def write_environment(self, folder: Path) -> Path:
        """Write the files by which it is found; the path of azure.env."""
        host, port = self._listeners.identity.getsockname()
        return write_environment(
            folder,
            arm_url=self._base_url,
            identity_url=f"http://{host}:{port}",
            ca_pem=self._authority.certificate_pem,
            identities=self._identities,
        )

    async def serve(self, make_world: "Callable[[ArmTrouble], World]") -> None:
        """Answer until cancelled. `make_world` is called when all is imported.

        The readings that metrics are told from begin with the first connection.
        """
        await _first_connection(self._listeners.arm, self._listeners.identity)
        await asyncio.to_thread(importlib.import_module, "pytest_aksnet.lab.arm.server")
        from pytest_aksnet.lab.arm.samples import Samples
        from pytest_aksnet.lab.arm.server import ArmServer

        world = make_world(self.trouble)
        samples = Samples(world=world)
        server = ArmServer(world, self._identities, samples, self.asked, base_url=self._base_url)
        tls = self._authority.server_context(_HOSTS, ("127.0.0.1",))
        runners = []
        try:
            for app, listener, context in (
                (server.application(), self._listeners.arm, tls),
                (server.identity_application(), self._listeners.identity, None),
            ):
                runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
                runners.append(runner)
                await runner.setup()
                await web.SockSite(runner, listener, ssl_context=context).start()
            await samples.run()
        finally:
            for runner in runners:
                _drop_connections(runner)
                await runner.cleanup()


async def _first_connection(*listeners: socket.socket) -> None:
    """Wait until there is one to accept."""
    loop = asyncio.get_running_loop()
    connected = asyncio.Event()
    for listener in listeners:
        loop.add_reader(listener, connected.set)
    try:
        await connected.wait()
    finally:
        for listener in listeners:
            loop.remove_reader(listener)


def _drop_connections(runner: web.AppRunner) -> None:
    """End them without waiting for clients that do not close theirs."""
    for connection in runner.server.connections if runner.server else ():
        if connection.transport is not None:
            connection.transport.abort()
