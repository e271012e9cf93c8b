"""The sandbox of one pod: its volumes, addresses, network and files, made and given up again."""

import asyncio
import contextlib
import functools
import logging
from collections.abc import Callable

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.api.trouble import Kind
from pytest_aksnet.lab.contracts import Sandbox
from pytest_aksnet.lab.controllers.events import WARNING
from pytest_aksnet.lab.controllers.kubelet import naming
from pytest_aksnet.lab.controllers.kubelet.addresses import Holder, NoNetwork
from pytest_aksnet.lab.controllers.kubelet.backoff import BackOff
from pytest_aksnet.lab.controllers.kubelet.kubelet_node import KubeletNode
from pytest_aksnet.lab.controllers.kubelet.mounting import put_in_place
from pytest_aksnet.lab.controllers.kubelet.pod_context import PodContext
from pytest_aksnet.lab.controllers.kubelet.pod_record import PodRecord
from pytest_aksnet.lab.controllers.kubelet.references import References, configuration_change
from pytest_aksnet.lab.controllers.kubelet.volumes import Mount, MountFailure, Volumes
from pytest_aksnet.lab.facade.accelerated_networking import FacadeError

_log = logging.getLogger(__name__)
_SANDBOX_RETRY_SECONDS = 12.0  # about how often the kubelet tries to make a sandbox anew


class PodSandbox:
    """Makes the sandbox of a pod. `context` is what its containers get of it while it is there.

    Writes the addresses of the pod, and whether the sandbox is ready, to the record's state.
    """

    def __init__(self, node: KubeletNode, record: PodRecord) -> None:
        self.context: PodContext | None = None
        self._node = node
        self._around = node.around
        self._record = record
        metadata = record.pod["metadata"]
        self._holder = Holder(
            namespace=metadata["namespace"], pod=metadata["name"], uid=metadata["uid"]
        )
        self._sandbox: Sandbox | None = None
        self._creating: asyncio.Task[PodContext] | None = None
        self._address_released = False

    # -- made ------------------------------------------------------------------------------

    async def make(self) -> PodContext:
        """Make it; what is missing or refused for now is waited for, and said in events."""
        mounts = await self._mounts()
        if self._record.host_network:
            self._record.state.ips = self._node.spec.ips
        else:
            self._record.state.ips = self._node.spec.pod_ips(await self._address())
        self.context = await self._created(mounts)
        self._record.state.sandbox_ready = True
        return self.context

    async def _mounts(self) -> list[Mount]:
        while True:
            try:
                references, issue_token = self._references(), self._around.issue_token
                return Volumes(self._record.pod, references, issue_token).mounts()
            except MountFailure as failure:
                self._record.event(WARNING, "FailedMount", str(failure))
            await configuration_change(self._around.store)

    async def _address(self) -> str:
        while True:
            try:
                return self._node.addresses.take(self._holder)
            except NoNetwork as refusal:
                self._record.event(WARNING, refusal.reason, str(refusal))
            await self._node.addresses.wait(_SANDBOX_RETRY_SECONDS)

    async def _created(self, mounts: list[Mount]) -> PodContext:
        """The sandbox, tried again with back-off where the machine refuses it."""
        back_off = BackOff()
        while True:
            self._creating = asyncio.create_task(self._create(mounts))
            try:
                return await asyncio.shield(self._creating)
            except (OSError, FacadeError) as error:
                text = f"Failed to create pod sandbox: {error}"
                self._record.event(WARNING, "FailedCreatePodSandBox", text)
                await self._drop()
            await asyncio.sleep(back_off.delay() or back_off.delay())

    async def _create(self, mounts: list[Mount]) -> PodContext:
        pod, state = self._record.pod, self._record.state
        metadata = pod["metadata"]
        hostname = naming.hostname(pod)
        spec = self._around.spec
        sandbox = await self._around.runtime.create_pod(
            self._node.machine,
            f"{metadata['namespace']}/{metadata['name']}",
            hostname=hostname,
            etc={
                "hostname": f"{hostname}\n".encode(),
                "hosts": naming.hosts_file(pod, state.ips, spec),
                "resolv.conf": naming.resolv_conf(pod, spec, self._around.resolver),
            },
            host_network=self._record.host_network,
        )
        self._sandbox = sandbox
        if self._record.host_network:
            await self._around.facade.add_host_network_pod(self._node.spec.name, sandbox)
        else:
            self._wire(sandbox)
        await put_in_place(mounts, sandbox, self._node.machine, self._mount_failed)
        return PodContext(
            around=self._around,
            pod=self._record.pod,
            sandbox=sandbox,
            node_netns_fd=self._node.machine.netns_fd,
            ip=state.ips[0],
            hostname=hostname,
            references=self._references(),
            node_images=self._node.images,
            events=self._node.events,
            link=self._node.link,
            unlucky=self._record.is_workload and self._around.trouble.strikes(Kind.PULL_FAILS),
        )

    def _wire(self, sandbox: Sandbox) -> None:
        """Have the pod's own network connected, and everybody told who has its addresses."""
        metadata = self._record.pod["metadata"]
        node, ips = self._node.spec.name, self._record.state.ips
        ip, *more = ips
        self._around.network.add_pod(
            node,
            ip,
            sandbox.netns_fd,
            ip6=next(iter(more), None),
            name=f"{metadata['namespace']}.{metadata['name']}",
            host_ports=_host_ports(self._record.pod),
        )
        self._around.addresses.assigned(self._record.pod, ips)
        link, mac = self._around.network.pod_link(node, ip)
        self._node.plugin.added(self._holder, ips, sandbox, link=link, mac=mac)

    def _mount_failed(self, text: str) -> None:
        self._record.event(WARNING, "FailedMount", text)

    def _references(self) -> References:
        ips = self._record.state.ips
        return References(self._around.store, self._record.pod, self._node.spec, ips)

    # -- given up --------------------------------------------------------------------------

    async def settled(self) -> None:
        """Wait until none is being made; whether that went well does not matter."""
        if self._creating is not None:
            with contextlib.suppress(Exception):
                await self._creating

    async def give_up(self) -> None:
        """Give up the sandbox with all that runs in it, and the pod's address.

        That is free as soon as the fabric has forgotten its flows, for which nobody waits here.
        """
        forget_flows = await self._drop()
        ips = self._record.state.ips
        if ips and not self._record.host_network and not self._address_released:
            self._address_released = True
            forgotten = asyncio.get_running_loop().run_in_executor(None, forget_flows)
            forgotten.add_done_callback(functools.partial(self._give_back, ips[0]))

    def _give_back(self, ip: str, forgotten: "asyncio.Future[None]") -> None:
        if not forgotten.cancelled() and (error := forgotten.exception()) is not None:
            _log.error("flows of a pod that ended are still known", exc_info=error)
        self._node.addresses.give_back(ip, self._holder)

    async def _drop(self) -> Callable[[], None]:
        """Take the sandbox down; what it gives makes the fabric forget the pod's flows."""
        sandbox, self._sandbox = self._sandbox, None
        self._record.state.sandbox_ready = False
        self.context = None
        if sandbox is None:
            return _nothing
        node = self._node.spec.name
        if self._record.host_network:
            self._around.facade.forget_pod(node, sandbox)
            await sandbox.destroy()
            return _nothing
        self._around.addresses.released(self._record.pod)
        forget_flows = self._around.network.remove_pod(node, self._record.state.ips[0])
        self._node.plugin.removed(self._holder)
        await sandbox.destroy()
        return forget_flows


def _nothing() -> None:
    """There are no flows."""


def _host_ports(pod: JsonObject) -> list[tuple[str, int, int]]:
    """Protocol, port of the node and port of the pod, of each that a container asks for."""
    return [
        (port.get("protocol", "TCP").lower(), int(port["hostPort"]), int(port["containerPort"]))
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or ()
        if port.get("hostPort") and port.get("protocol", "TCP") in ("TCP", "UDP")
    ]
