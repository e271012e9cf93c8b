"""The lab's main coroutine: puts the parts together, says when it is ready, and keeps it going.

Order matters for the time to ready: what `kubectl` and a first pod need comes before it, the
pausing pods of the system DaemonSets after it.
"""

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import web

from pytest_aksnet.lab import admin, files
from pytest_aksnet.lab.about import about
from pytest_aksnet.lab.api.context import CONTEXT
from pytest_aksnet.lab.api.front import Front
from pytest_aksnet.lab.api.server import create_app
from pytest_aksnet.lab.api.store import Store
from pytest_aksnet.lab.api.trouble import Trouble
from pytest_aksnet.lab.api_gate import ApiGate
from pytest_aksnet.lab.arm.front import ArmFront
from pytest_aksnet.lab.arm.trouble import ArmTrouble
from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.cni.files import node_files
from pytest_aksnet.lab.container.context import BootContext
from pytest_aksnet.lab.container.requirements import LabRefused, check_bridge_filter
from pytest_aksnet.lab.contracts import Sandbox
from pytest_aksnet.lab.controllers.agent_defects import AgentDefects
from pytest_aksnet.lab.controllers.cluster import (
    API_HOST,
    create_cluster,
    custom_corefile_data,
    system_images,
)
from pytest_aksnet.lab.controllers.cluster_records import StoreRecords
from pytest_aksnet.lab.controllers.control_plane import ControlPlane
from pytest_aksnet.lab.controllers.kubelet.addresses import NodeAddresses
from pytest_aksnet.lab.controllers.kubelet.agent import Kubelets
from pytest_aksnet.lab.controllers.kubelet.heartbeat import Heartbeats
from pytest_aksnet.lab.controllers.kubelet.naming import ResolverDefects
from pytest_aksnet.lab.controllers.kubelet.ports import KubeletPorts
from pytest_aksnet.lab.controllers.kubelet.surroundings import ProgramRefused, Surroundings
from pytest_aksnet.lab.controllers.loop import ControlLoop, LoopFailed
from pytest_aksnet.lab.controllers.network_feed import PolicyFeed, ServiceFeed
from pytest_aksnet.lab.dns.corefile import CorefileError
from pytest_aksnet.lab.dns.servers import DnsServers, Replica
from pytest_aksnet.lab.facade.accelerated_networking import AcceleratedNetworking
from pytest_aksnet.lab.facade.host_network import Facades, NodeViews
from pytest_aksnet.lab.faults.fault import Fault
from pytest_aksnet.lab.faults.naming import UnfitFault, find_fault, label
from pytest_aksnet.lab.leaks import Leaks
from pytest_aksnet.lab.machines import FABRIC
from pytest_aksnet.lab.middlebox import Middlebox
from pytest_aksnet.lab.network.model import LabNetwork
from pytest_aksnet.lab.platform_servers import start_outside, start_platform
from pytest_aksnet.lab.proxy_status import ProxyStatus
from pytest_aksnet.lab.readiness import dns_answers, dns_pods_ready
from pytest_aksnet.lab.sockets import tcp_listener
from pytest_aksnet.lab.spec import LabSpec
from pytest_aksnet.lab.tls import Authority

if TYPE_CHECKING:
    from pytest_aksnet.lab.arm.world import World

_API_NAMES = ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")


class Lab:
    """A lab and its parts. `run` boots it and keeps it until it is cancelled."""

    def __init__(
        self,
        spec: LabSpec,
        context: BootContext,
        machines: Mapping[str, Sandbox],
        *,
        seed: int | None = None,
    ) -> None:
        self.spec = spec
        self.store = Store(spec)
        self.azure = AzureState(spec)
        self.network = LabNetwork(spec, machines[FABRIC].netns_fd, self.azure)
        self.dns = DnsServers(spec, self.azure, partial(custom_corefile_data, self.store))
        self.resolver = ResolverDefects()
        self.facade = AcceleratedNetworking()
        self.views = NodeViews(machines)
        self.kubelet_ports = KubeletPorts(self.store, spec, machines)
        self.proxy_status = ProxyStatus(spec, machines)
        self.agent_defects = AgentDefects(self.store, spec)
        self.pod_addresses = {node.name: NodeAddresses(spec, node) for node in spec.nodes}
        self.middlebox = Middlebox(machines)
        ApiGate(self.azure, machines)
        self.leaks = Leaks(machines)
        self.machines = machines
        self.plugins = node_files(spec, machines, self.pod_addresses)
        self.trouble = Trouble(seed)
        self.injected: dict[tuple[str, str], str] = {}
        self.announcement: Mapping[str, object] = {}
        self._context = context
        self._authority = Authority()
        self.control = ControlPlane(self.store, spec, self._authority.certificate_pem.decode())
        self._arm = ArmFront(context.listeners, self._authority, role=spec.options.arm_role)
        self.arm_trouble, self.arm_asked = self._arm.trouble, self._arm.asked
        self._token = secrets.token_urlsafe(32)
        self._app: web.Application | None = None
        self._front: Front | None = None
        self._kubelets: Kubelets | None = None
        self.records = StoreRecords(self.store)
        self._policies = PolicyFeed(self.store, self.network)

    async def run(self, faults: Sequence[Fault]) -> None:
        """Boot, inject the faults, announce, and go on."""
        self._wire_machines()
        async with asyncio.TaskGroup() as group:
            facade = group.create_task(self._show_facade())
            await self.network.start()
            await start_platform(self.azure, self.dns, self.machines, self.network.fabric_fd)
            await start_outside(self.spec, self.machines, self._authority, self.middlebox)
            kubelets = self._kubelets = self._make_kubelets()
            await self.kubelet_ports.start(self._authority)
            await self.proxy_status.start()
            self._app = create_app(
                self.store,
                kubelets,
                token=self._token,
                spec=self.spec,
                extra_routes=admin.routes(self, kubelets),
                trouble=self.trouble,
            )
            create_cluster(self.store, self.spec)
            for plugin in self.plugins.values():
                plugin.begin()
            for loop in (*self._control_loops(), kubelets):
                group.create_task(loop.run(), name=type(loop).__name__)
            await self._serve_api(self._app)
            await dns_pods_ready(self.store)
            await dns_answers(self.spec, self.machines[self.spec.nodes[0].name].netns_fd)
            await facade
            for fault in faults:
                await self.inject(fault)
            self._announce()
            group.create_task(self._arm.serve(self._make_arm_world))
            for loop in self.control.late_loops:
                group.create_task(loop.run(), name=type(loop).__name__)
            group.create_task(Heartbeats(self.store, kubelets.links).run())

    async def inject(self, fault: Fault) -> None:
        """Inject a fault and remember it."""
        await fault.inject(self)
        self.injected[fault.name, fault.node] = label(fault)

    async def heal(self, fault: Fault) -> None:
        """Heal a fault and forget it."""
        await fault.heal(self)
        self.injected.pop((fault.name, fault.node), None)

    async def restart_api(self) -> None:
        """End the API server, and have it back about a second later."""
        assert self._front is not None
        await self._front.restart()

    def evict_pod(self) -> None:
        """Have a kubelet evict one of the running pods of others, if there are any."""
        assert self._kubelets is not None
        self._kubelets.evict_one()

    def kubelet_clock(self, node: str) -> float:
        """By how many seconds the clock of a node's kubelet is ahead."""
        assert self._kubelets is not None
        return self._kubelets.links[node].clock_ahead

    def set_kubelet_clock(self, node: str, seconds: float) -> None:
        """Put it so many seconds ahead."""
        assert self._kubelets is not None
        self._kubelets.links[node].clock_ahead = seconds

    def delay_probes(self, node: str, seconds: float) -> None:
        """How late a node's kubelet is with each look of its probes."""
        assert self._kubelets is not None
        self._kubelets.links[node].be_late(seconds)

    def set_kubelet_tunnel(self, node: str, *, up: bool) -> None:
        """Whether the API server gets through to a node's kubelet."""
        assert self._kubelets is not None
        self._kubelets.links[node].tunnel = up

    def silence_kubelet(self, node: str) -> None:
        """A node's kubelet hears nothing and is not heard any more; its pods run on."""
        assert self._kubelets is not None
        self._kubelets.silence(node)

    def restore_kubelet(self, node: str) -> None:
        """A silent kubelet is heard again."""
        assert self._kubelets is not None
        self._kubelets.restore(node)

    # -- boot ------------------------------------------------------------------------------

    def _wire_machines(self) -> None:
        for name in (*(node.name for node in self.spec.nodes), *(h.name for h in self.spec.hosts)):
            self.network.add_machine(name, self.machines[name].netns_fd)

    async def _show_facade(self) -> None:
        for node in self.spec.nodes:
            await self.facade.add_node(node, self.machines[node.name])

    def _make_kubelets(self) -> Kubelets:
        async def run_coredns(sandbox: Sandbox) -> Replica:
            try:
                return await self.dns.start_coredns(self.records, sandbox.netns_fd)
            except CorefileError as error:
                raise ProgramRefused(f"[FATAL] {error}") from error

        around = Surroundings(
            store=self.store,
            spec=self.spec,
            runtime=self._context.runtime,
            network=self.network,
            issue_token=self._issue_token,
            preloaded=system_images(self.spec),
            programs={"coredns": run_coredns},
            facade=Facades(self.facade, self.views),
            addresses=self._policies,
            resolver=self.resolver,
            pod_addresses=self.pod_addresses,
            plugins=self.plugins,
            trouble=self.trouble,
        )
        return Kubelets(around, self.machines)

    def _issue_token(self, namespace: str, account: str) -> str:
        assert self._app is not None
        return self._app[CONTEXT].issue_token(namespace, account)

    def _control_loops(self) -> list[ControlLoop]:
        return [
            self.records,
            self._policies,
            self.agent_defects,
            ServiceFeed(self.store, self.network),
            *self.control.loops,
        ]

    async def _serve_api(self, app: web.Application) -> None:
        """Serve on the machine's loopback, and to the cluster at the API server's address."""
        api_ip = next(host.ip for host in self.spec.hosts if host.name == API_HOST)
        domain = f"kubernetes.default.svc.{self.spec.cluster_domain}"
        private = self.spec.private_api
        names = (*_API_NAMES, domain, *((private.fqdn,) if private is not None else ()))
        tls = self._authority.server_context(
            names, ("127.0.0.1", self.spec.kubernetes_service_ip, api_ip)
        )
        inner = tcp_listener(self.machines[API_HOST].netns_fd, api_ip, 443)
        self._front = Front(app, (self._context.listeners.api, inner), tls)
        await self._front.start()

    def _make_arm_world(self, trouble: ArmTrouble) -> "World":
        from pytest_aksnet.lab.arm.packets import LabPackets
        from pytest_aksnet.lab.arm.world import World

        return World(
            spec=self.spec,
            azure=self.azure,
            store=self.store,
            network=LabPackets(self.network, self.machines),
            trouble=trouble,
        )

    def _announce(self) -> None:
        host, port = self._context.listeners.api.getsockname()
        folder = self._context.state_dir
        kubeconfig = files.write_kubeconfig(
            folder,
            server=f"https://{host}:{port}",
            ca_pem=self._authority.certificate_pem,
            token=self._token,
        )
        site = files.write_site(folder, self.spec, ca_pem=self._authority.certificate_pem)
        self.announcement = {
            "kubeconfig": str(kubeconfig),
            "site": str(site),
            "azure": str(self._arm.write_environment(folder)),
            "about": about(self.spec),
        }
        self._context.announce(self.announcement)


async def run_lab(
    context: BootContext,
    spec: LabSpec,
    machines: Mapping[str, Sandbox],
    fault_names: Sequence[str],
    seed: int | None,
) -> None:
    """Run a lab on its machines until it is cancelled. Raises LabRefused for a fault that it cannot
    have.

    `seed` is that of the faults that strike at random; None for a random one.
    """
    logging.basicConfig(level=logging.WARNING, format="aksnet-lab: %(levelname)s: %(message)s")
    if spec.mode == "kubenet":
        check_bridge_filter()
    try:
        faults = [find_fault(name, spec) for name in fault_names]
    except UnfitFault as error:
        raise LabRefused(str(error)) from error
    try:
        await Lab(spec, context, machines, seed=seed).run(faults)
    except ExceptionGroup as group:
        first: Exception = group
        while isinstance(first, ExceptionGroup):
            first = first.exceptions[0]
        if isinstance(first, LabRefused):
            raise first from group
        text = str(first)
        if not isinstance(first, LoopFailed):
            logging.getLogger(__name__).error("a part of the lab failed", exc_info=first)
            text = f"{type(first).__name__}: {first}"
        raise LabRefused(f"the lab failed: {text}") from group
