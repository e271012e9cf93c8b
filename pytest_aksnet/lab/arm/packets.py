"""The network of a running lab, as ARM looks at it."""

import asyncio
import socket
import time
from collections.abc import Iterable, Mapping

from pytest_aksnet.lab.contracts import Sandbox
from pytest_aksnet.lab.kernel.conntrack_table import Flow, flows
from pytest_aksnet.lab.network.model import LabNetwork
from pytest_aksnet.lab.network_views import ServicePortView
from pytest_aksnet.lab.sockets import tcp_socket
from pytest_aksnet.lab.spec import NodeSpec


class LabPackets:
    """Implements `world.PacketSide`."""

    def __init__(self, network: LabNetwork, machines: Mapping[str, Sandbox]) -> None:
        self._network = network
        self._machines = machines

    def balanced(self) -> Iterable[tuple[ServicePortView, Mapping[str, bool | None]]]:
        """Each Service port that has a frontend, and what each backend's probe last answered."""
        return self._network.balanced()

    def backends(self) -> Iterable[NodeSpec]:
        """The nodes in the load balancers' backend pools."""
        return self._network.backends()

    def fabric_flows(self) -> list[Flow]:
        """The flows that Azure's side tracks now. Raises OSError."""
        found = flows(self._network.fabric_fd)
        if self._network.spec.dual_stack:
            found += flows(self._network.fabric_fd, socket.AF_INET6)
        return found

    async def connect(
        self, machine: str, ip: str, port: int, timeout_seconds: float
    ) -> float | None:
        """How long a TCP connection from a machine to a port takes, in seconds; None without."""
        loop = asyncio.get_running_loop()
        with tcp_socket(self._machines[machine].netns_fd) as client:
            begin = time.monotonic()
            try:
                async with asyncio.timeout(timeout_seconds):
                    await loop.sock_connect(client, (ip, port))
            except (OSError, TimeoutError):
                return None
            return time.monotonic() - begin
