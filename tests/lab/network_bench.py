"""A lab network without containers: bare namespaces with echo servers, in a process of its own.

The process enters its own user and network namespaces, so nothing of this machine is touched and
it has no more rights than the lab. Tests talk to it through `Bench`, one call at a time.
"""

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from typing import TypeVar, cast

from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.faults.fault import FaultableLab
from pytest_aksnet.lab.faults.naming import find_fault
from pytest_aksnet.lab.kernel.syscalls import in_netns, new_netns
from pytest_aksnet.lab.layout import make_spec
from pytest_aksnet.lab.network.model import LabNetwork
from pytest_aksnet.lab.network_views import NamespaceView, PodView, PolicyView, ServicePortView
from pytest_aksnet.lab.options import lab_options, parse_setting
from pytest_aksnet.lab.sockets import tcp_listener, udp_socket
from pytest_aksnet.lab.spec import LabSpec

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
class Place:
    fd: int
    servers: list[asyncio.AbstractServer] = field(default_factory=list)
    datagrams: list[socket.socket] = field(default_factory=list)


class Inside:
    """What runs in the namespaces. Its public coroutines are what `Bench` can call."""

    def __init__(self, *settings: str) -> None:
        self.spec = _spec(settings)
        self.azure = AzureState(self.spec)
        self.network = LabNetwork(self.spec, azure=self.azure)
        self.places: dict[str, Place] = {}
        self.pods: dict[str, tuple[str, str]] = {}
        self.held: list[socket.socket] = []

    async def build(self) -> None:
        for name in (*(host.name for host in self.spec.hosts), *(n.name for n in self.spec.nodes)):
            self.places[name] = Place(fd=new_netns())
            self.network.add_machine(name, self.places[name].fd)
        for host in self.spec.hosts:
            await self._serve(host.name, (80,))
        for node in self.spec.nodes:
            await self._serve(node.name, (8000,))
        await self.network.start()

    async def add_pod(
        self, name: str, node: str, ip: str, ports: Sequence[int], ip6: str | None
    ) -> None:
        self.places[name] = Place(fd=new_netns())
        self.pods[name] = (node, ip)
        self.network.add_pod(node, ip, self.places[name].fd, ip6)
        await self._serve(name, ports)

    async def remove_pod(self, name: str) -> None:
        self.network.remove_pod(*self.pods.pop(name))()
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

    async def inject(self, fault: str) -> None:
        """Inject a fault of network or Azure resources: nothing else of a lab is here."""
        await find_fault(fault, self.spec).inject(cast(FaultableLab, self))

    async def heal(self, fault: str) -> None:
        await find_fault(fault, self.spec).heal(cast(FaultableLab, self))

    async def change(self, function: Callable[..., None], arguments: Sequence[object]) -> None:
        """Have a function of some module change Azure's resources."""
        function(self.azure, *arguments)
        self.azure.changed()

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
        family = socket.AF_INET6 if ":" in probe.ip else socket.AF_INET
        with in_netns(self.places[probe.start].fd):
            client = socket.socket(family, kind)
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
            for address in ("", "::") if self.spec.dual_stack else ("",):
                listener = tcp_listener(place.fd, address, port)
                place.servers.append(await asyncio.start_server(answer, sock=listener))
                datagram = udp_socket(place.fd, address, port)
                place.datagrams.append(datagram)
                asyncio.get_running_loop().add_reader(datagram, _echo, datagram, name)


def _echo(datagram: socket.socket, name: str) -> None:
    _, peer = datagram.recvfrom(2048)
    datagram.sendto(f"{name} {peer[0]} {peer[1]}\n".encode(), peer)


class Bench:
    """A lab network of a mode and an engine; `close` ends it and everything in it."""

    program = f"from {__name__} import main; main()"

    def __init__(
        self,
        mode: str,
        engine: str = "calico",
        *,
        snat_ports: int = 1024,
        settings: Sequence[str] = (),
    ) -> None:
        """`settings` are further options of the lab, as --set takes them."""
        wanted = (f"mode={mode}", f"engine={engine}", f"outbound-ports={snat_ports}", *settings)
        self.spec = _spec(wanted)
        self.nodes = [node.name for node in self.spec.nodes]
        self.ips: dict[str, str] = {one.name: one.ip for one in self.spec.nodes}
        self.ips |= {host.name: host.ip for host in self.spec.hosts}
        self.ips6: dict[str, str] = {one.name: one.ip6 for one in self.spec.nodes if one.ip6}
        self.ips6 |= {host.name: host.ip6 for host in self.spec.hosts if host.ip6}
        self.free = {node.name: list(node.pod_addresses()) for node in self.spec.nodes}
        self.free6 = {node.name: list(node.pod_addresses6()) for node in self.spec.nodes}
        ours, theirs = socket.socketpair()
        self._process = subprocess.Popen(
            [
                *("unshare", "-Urnm", "--fork", "--kill-child"),
                *(sys.executable, "-c", self.program, str(theirs.fileno()), *wanted),
            ],
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self._connection = Connection(ours.detach())
        self.call("build", type(None))

    def close(self) -> None:
        self._connection.close()
        self._process.wait(timeout=10)

    def add_pod(self, name: str, node: int, *, ports: Sequence[int] = POD_PORTS) -> str:
        """A pod on the node of that number; its address."""
        ip = self.free[self.nodes[node]].pop(0)
        ip6 = self.free6[self.nodes[node]].pop(0) if self.spec.dual_stack else None
        self.call("add_pod", type(None), name, self.nodes[node], ip, ports, ip6)
        self.ips[name] = ip
        if ip6 is not None:
            self.ips6[name] = ip6
        return ip

    def remove_pod(self, name: str) -> None:
        self.call("remove_pod", type(None), name)

    def services(self, *services: ServicePortView) -> None:
        self.call("services", type(None), services)

    def policies(
        self,
        policies: Sequence[PolicyView],
        pods: Sequence[PodView] = (),
        namespaces: Sequence[NamespaceView] = (),
    ) -> None:
        self.call("policies", type(None), policies, pods, namespaces)

    def bend(self, **knobs: object) -> None:
        self.call("bend", type(None), knobs)

    def inject(self, fault: str) -> None:
        """Inject a fault of the network or of Azure's resources: NAME[=VALUE][@NODE]."""
        self.call("inject", type(None), fault)

    def heal(self, fault: str) -> None:
        self.call("heal", type(None), fault)

    def change(self, function: Callable[..., None], *arguments: object) -> None:
        """Have `function(azure, *arguments)`, one of a module, change Azure's resources."""
        self.call("change", type(None), function, arguments)

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
        return self.call("probe", list, probes)

    def hold(self, start: str, to: str, port: int = 80) -> int:
        probe = Probe(start=start, ip=self.ips.get(to, to), port=port)
        return self.call("hold", int, probe)

    def talk(self, handle: int) -> str:
        return self.call("talk", str, handle)

    def release(self) -> None:
        self.call("release", type(None))

    def run(self, place: str, *argv: str) -> str:
        return self.call("run", str, place, argv)

    def call(self, method: str, kind: type[T], *arguments: object) -> T:
        self._connection.send((method, arguments))
        done, value = self._connection.recv()
        if not done:
            raise RuntimeError(value)
        assert isinstance(value, kind)
        return value


async def _serve_calls(connection: Connection, inside: Inside) -> None:
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


def _spec(settings: Sequence[str]) -> LabSpec:
    return make_spec(lab_options(dict(map(parse_setting, settings))))


def main(make: Callable[..., Inside] = Inside) -> None:
    """The process inside; its arguments are a descriptor and the settings of the lab."""
    connection, settings = Connection(int(sys.argv[1])), sys.argv[2:]
    asyncio.run(_serve_calls(connection, make(*settings)))
