"""ARM without a lab around it: the stand-in in a thread, over a network that a test tells."""

import asyncio
import shlex
import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.resources import SERVICES
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.arm.front import ArmFront
from pytest_aksnet.lab.arm.trouble import ArmTrouble
from pytest_aksnet.lab.arm.world import World
from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.container.context import Listeners
from pytest_aksnet.lab.controllers.cluster import create_cluster
from pytest_aksnet.lab.kernel.conntrack_table import Flow
from pytest_aksnet.lab.layout import make_spec
from pytest_aksnet.lab.network_views import ServicePortView
from pytest_aksnet.lab.options import LabOptions
from pytest_aksnet.lab.spec import LabSpec, NodeSpec
from pytest_aksnet.lab.tls import Authority
from tests.lab.arm_clients import Clients

NODE_GROUP = "MC_rg-aksnet-lab_aksnet-lab_westeurope"
GROUP = "rg-aksnet-lab"
_LAST_SECONDS = 0.2


@dataclass(kw_only=True)
class ToldNetwork:
    """A network whose state a test tells: services with their probes' answers, and flows."""

    spec: LabSpec
    services: list[tuple[ServicePortView, dict[str, bool | None]]] = field(default_factory=list)
    flows: list[Flow] = field(default_factory=list)
    reachable: set[tuple[str, str, int]] = field(default_factory=set)

    def balanced(self) -> Sequence[tuple[ServicePortView, Mapping[str, bool | None]]]:
        """As told."""
        return self.services

    def backends(self) -> Sequence[NodeSpec]:
        """All nodes."""
        return self.spec.nodes

    def fabric_flows(self) -> list[Flow]:
        """As told."""
        return self.flows

    async def connect(
        self, machine: str, ip: str, port: int, timeout_seconds: float
    ) -> float | None:
        """Two milliseconds to what is reachable."""
        return 0.002 if (machine, ip, port) in self.reachable else None


@dataclass(frozen=True, kw_only=True)
class RunningArm:
    """The stand-in, its parts, and what its azure.env says."""

    world: World
    network: ToldNetwork
    environment: Mapping[str, str]
    clients: Clients
    asked: Mapping[str, int]

    @property
    def trouble(self) -> ArmTrouble:
        """What is wrong with it."""
        return self.world.trouble

    def add_service(
        self,
        name: str,
        ip: str,
        *,
        protocol: str = "TCP",
        port: int = 80,
        local: bool = False,
        up: Sequence[str] = (),
    ) -> None:
        """A Service of type LoadBalancer in namespace default; the probes of `up` nodes answer."""
        if self.world.store.find(SERVICES, name, "default") is None:
            self.world.store.create(SERVICES, _service(name), "default")
        view = ServicePortView(
            namespace="default",
            service=name,
            port_name="",
            protocol=protocol,
            cluster_ip="10.0.9.9",
            port=port,
            node_port=30000 + port,
            load_balancer_ips=(ip,),
            external_local=local,
            internal_local=False,
            affinity_seconds=0,
            health_check_node_port=32000 if local else 0,
            source_ranges=(),
            endpoints=(),
        )
        probed = protocol == "TCP" or local
        answers = {
            node.name: (node.name in up) if probed else None for node in self.world.spec.nodes
        }
        self.network.services.append((view, answers))


def _service(name: str) -> JsonObject:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"type": "ClusterIP", "ports": [{"port": 80}], "selector": {"app": name}},
    }


def read_environment(path: Path) -> dict[str, str]:
    """The variables of an azure.env."""
    found = {}
    for line in path.read_text().splitlines():
        name, _, value = line.partition("=")
        [found[name]] = shlex.split(value)
    return found


@contextmanager
def arm_server(folder: Path, options: LabOptions) -> Iterator[RunningArm]:
    """Run it for the lab that these options describe."""
    spec = make_spec(options)
    store = Store(spec)
    create_cluster(store, spec)
    network = ToldNetwork(spec=spec)
    listeners = Listeners(api=_listen(), arm=_listen(), identity=_listen())
    front = ArmFront(listeners, Authority(), role=options.arm_role)
    environment = read_environment(front.write_environment(folder))
    clients = Clients(environment)
    made: list[World] = []
    ready = threading.Event()

    def make_world(trouble: ArmTrouble) -> World:
        made.append(
            World(
                spec=spec,
                azure=AzureState(spec),
                store=store,
                network=network,
                trouble=trouble,
            )
        )
        ready.set()
        return made[0]

    async def main() -> None:
        serving = asyncio.create_task(front.serve(make_world))
        await asyncio.to_thread(stop.wait)
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)
        # Connections that are shaking hands or saying goodbye end after their server.
        await asyncio.sleep(_LAST_SECONDS)

    stop = threading.Event()
    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    try:
        with socket.create_connection(listeners.arm.getsockname()):
            assert ready.wait(10)
        yield RunningArm(
            world=made[0],
            network=network,
            environment=environment,
            clients=clients,
            asked=front.asked,
        )
    finally:
        clients.close()
        stop.set()
        thread.join(10)
        for listener in listeners:
            listener.close()


def _listen() -> socket.socket:
    return socket.create_server(("127.0.0.1", 0))
