"""A lab network without containers: bare namespaces with echo servers, in a process of its own.

The process enters its own user and network namespaces, so nothing of this machine is touched and
it has no more rights than the lab. Tests talk to it through `Bench`, one call at a time.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import TypeVar

from pytest_aksnet.lab.contracts import NamespaceView, PodView, PolicyView, ServicePortView
from pytest_aksnet.lab.kernel.syscalls import in_netns, new_netns
from pytest_aksnet.lab.layout import make_spec
from pytest_aksnet.lab.network.model import LabNetwork
from pytest_aksnet.lab.options import LabOptions
from pytest_aksnet.lab.sockets import tcp_listener, udp_socket

POD_PORTS = (80, 81)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a probe ended: ok, refused, timeout or unreachable; who answered, what it saw."""

    outcome: str
    by: str = ""
    source: str = ""
    source_port: int = 0

    @property
    def ok(self) -> bool:
        return self.outcome == "ok"


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """One look from a machine or pod at an address."""

    start: str
    ip: str
    port: int = 80
    protocol: str = "tcp"
    timeout: float = 2.0
    source_port: int = 0


@dataclass(kw_only=True)
class _Place:
    fd: int
    servers: list[asyncio.AbstractServer] = field(default_factory=list)
    datagrams: list[socket.socket] = field(default_factory=list)


class _Inside:
    """What runs in the namespaces. Its public coroutines are what `Bench` can call."""

    def __init__(self, mode: str, engine: str, snat_ports: int) -> None:
        self.spec = make_spec(LabOptions(mode=mode, engine=engine, outbound_ports=snat_ports))
        self.network = LabNetwork(self.spec)
        self.places: dict[str, _Place] = {}
        self.pods: dict[str, tuple[str, str]] = {}
        self.held: list[socket.socket] = []

    async def build(self) -> None:
        for name in (*(host.name for host in self.spec.hosts), *(n.name for n in self.spec.nodes)):
            self.places[name] = _Place(fd=new_netns())
            self.network.add_machine(name, self.places[name].fd)
        for host in self.spec.hosts:
            await self._serve(host.name, (80,))
        for node in self.spec.nodes:
            await self._serve(node.name, (8000,))
        await self.network.start()

    async def add_pod(self, name: str, node: str, ip: str, ports: Sequence[int]) -> None:
        self.places[name] = _Place(fd=new_netns())
        self.pods[name] = (node, ip)
        self.network.add_pod(node, ip, self.places[name].fd)
        await self._serve(name, ports)

    async def remove_pod(self, name: str) -> None:
        self.network.remove_pod(*self.pods.pop(name))
        place = self.places.pop(name)
        for server in place.servers:
            server.close()
        for datagram in place.datagrams:
            asyncio.get_running_loop().remove_reader(datagram)
            datagram.close()
        os.close(place.fd)

    async def services(self, services: Sequence[ServicePortView]) -> None:
        self.network.sync_services(services)

    async def policies(
        self,
        policies: Sequence[PolicyView],
        pods: Sequence[PodView],
        namespaces: Sequence[NamespaceView],
    ) -> None:
        self.network.sync_policies(policies, pods, namespaces)

    async def bend(self, knobs: Mapping[str, object]) -> None:
        for name, value in knobs.items():
            setattr(self.network.knobs, name, value)
        self.network.resync()

    async def probe(self, probes: Sequence[Probe]) -> list[Answer]:
        return await asyncio.gather(*map(self._probe, probes))

    async def hold(self, probe: Probe) -> int:
        """Open a connection and keep it; the handle for `talk`."""
        client = self._client(probe)
        async with asyncio.timeout(probe.timeout):
            await asyncio.get_running_loop().sock_connect(client, (probe.ip, probe.port))
        self.held.append(client)
        return len(self.held) - 1

    async def talk(self, handle: int) -> str:
        """Send a line on a held connection and return the outcome."""
        return (await self._ask(self.held[handle], 1.0)).outcome

    async def release(self) -> None:
        """Close all held connections."""
        for client in self.held:
            client.close()
        self.held.clear()

    async def run(self, place: str, argv: Sequence[str]) -> str:
        """The output of a program in a machine, a pod or the fabric."""
        fd = self.network.fabric_fd if place == "fabric" else self.places[place].fd
        with in_netns(fd):
            process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        output, _ = await asyncio.to_thread(process.communicate)
        return output.decode()

    def _client(self, probe: Probe) -> socket.socket:
        kind = socket.SOCK_STREAM if probe.protocol == "tcp" else socket.SOCK_DGRAM
        with in_netns(self.places[probe.start].fd):
            client = socket.socket(socket.AF_INET, kind)
        client.setblocking(False)
        if probe.source_port:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            client.bind(("", probe.source_port))
        return client

    async def _probe(self, probe: Probe) -> Answer:
        loop = asyncio.get_running_loop()
        with self._client(probe) as client:
            try:
                async with asyncio.timeout(probe.timeout):
                    await loop.sock_connect(client, (probe.ip, probe.port))
            except TimeoutError:
                return Answer(outcome="timeout")
            except ConnectionRefusedError:
                return Answer(outcome="refused")
            except OSError as error:
                return Answer(outcome=f"unreachable: {error}")
            return await self._ask(client, probe.timeout)

    async def _ask(self, client: socket.socket, timeout: float) -> Answer:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout):
                await loop.sock_sendall(client, b"?\n")
                answer = await loop.sock_recv(client, 4096)
        except TimeoutError:
            return Answer(outcome="timeout")
        except ConnectionRefusedError:
            return Answer(outcome="refused")
        except OSError as error:
            return Answer(outcome=f"lost: {error}")
        if not answer:
            return Answer(outcome="closed")
        by, source, port = answer.decode().split()
        return Answer(outcome="ok", by=by, source=source, source_port=int(port))

    async def _serve(self, name: str, ports: Sequence[int]) -> None:
        place = self.places[name]

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            peer = writer.get_extra_info("peername")
            try:
                while await reader.readline():
                    writer.write(f"{name} {peer[0]} {peer[1]}\n".encode())
            except OSError:
                pass
            finally:
                writer.close()

        for port in ports:
            listener = tcp_listener(place.fd, "", port)
            place.servers.append(await asyncio.start_server(answer, sock=listener))
            datagram = udp_socket(place.fd, "", port)
            place.datagrams.append(datagram)
            asyncio.get_running_loop().add_reader(datagram, _echo, datagram, name)


def _echo(datagram: socket.socket, name: str) -> None:
    _, peer = datagram.recvfrom(2048)
    datagram.sendto(f"{name} {peer[0]} {peer[1]}\n".encode(), peer)


class Bench:
    """A lab network of a mode and an engine; `close` ends it and everything in it."""

    def __init__(self, mode: str, engine: str = "calico", *, snat_ports: int = 1024) -> None:
        self.spec = make_spec(LabOptions(mode=mode, engine=engine, outbound_ports=snat_ports))
        self.nodes = [node.name for node in self.spec.nodes]
        self.ips: dict[str, str] = {one.name: one.ip for one in self.spec.nodes}
        self.ips |= {host.name: host.ip for host in self.spec.hosts}
        self._free = {node.name: list(node.pod_addresses()) for node in self.spec.nodes}
        ours, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [
                *("unshare", "-Urnm", "--fork", "--kill-child"),
                *(sys.executable, "-c", f"from {__name__} import main; main()"),
                *(str(theirs.fileno()), mode, engine, str(snat_ports)),
            ],
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self._connection = Connection(ours.detach())
        self._call("build", type(None))

    def close(self) -> None:
        self._connection.close()
        self._process.wait(timeout=10)

    def add_pod(self, name: str, node: int, *, ports: Sequence[int] = POD_PORTS) -> str:
        """A pod on the node of that number; its address."""
        ip = self._free[self.nodes[node]].pop(0)
        self._call("add_pod", type(None), name, self.nodes[node], ip, ports)
        self.ips[name] = ip
        return ip

    def remove_pod(self, name: str) -> None:
        self._call("remove_pod", type(None), name)

    def services(self, *services: ServicePortView) -> None:
        self._call("services", type(None), services)

    def policies(
        self,
        policies: Sequence[PolicyView],
        pods: Sequence[PodView] = (),
        namespaces: Sequence[NamespaceView] = (),
    ) -> None:
        self._call("policies", type(None), policies, pods, namespaces)

    def bend(self, **knobs: object) -> None:
        self._call("bend", type(None), knobs)

    def look(
        self,
        start: str,
        to: str,
        port: int = 80,
        protocol: str = "tcp",
        *,
        timeout: float = 2.0,
        source_port: int = 0,
    ) -> Answer:
        """Probe from a machine or pod to another one, by name or by address."""
        probe = Probe(
            start=start,
            ip=self.ips.get(to, to),
            port=port,
            protocol=protocol,
            timeout=timeout,
            source_port=source_port,
        )
        return self.look_many([probe])[0]

    def look_many(self, probes: Sequence[Probe]) -> list[Answer]:
        return self._call("probe", list, probes)

    def hold(self, start: str, to: str, port: int = 80) -> int:
        probe = Probe(start=start, ip=self.ips.get(to, to), port=port)
        return self._call("hold", int, probe)

    def talk(self, handle: int) -> str:
        return self._call("talk", str, handle)

    def release(self) -> None:
        self._call("release", type(None))

    def run(self, place: str, *argv: str) -> str:
        return self._call("run", str, place, argv)

    def _call(self, method: str, kind: type[T], *arguments: object) -> T:
        self._connection.send((method, arguments))
        done, value = self._connection.recv()
        if not done:
            raise RuntimeError(value)
        assert isinstance(value, kind)
        return value


async def _serve_calls(connection: Connection, inside: _Inside) -> None:
    loop = asyncio.get_running_loop()
    ready = asyncio.Event()
    loop.add_reader(connection.fileno(), ready.set)
    while True:
        await ready.wait()
        ready.clear()
        try:
            method, arguments = connection.recv()
        except EOFError:
            return
        try:
            connection.send((True, await getattr(inside, method)(*arguments)))
        except Exception as error:
            connection.send((False, f"{method}: {type(error).__name__}: {error}"))


def main() -> None:
    """The process inside; its arguments are a descriptor, mode, engine and ports per node."""
    connection, (mode, engine, snat_ports) = Connection(int(sys.argv[1])), sys.argv[2:]
    asyncio.run(_serve_calls(connection, _Inside(mode, engine, int(snat_ports))))
