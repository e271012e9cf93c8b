"""One pod on one node, from the moment it is bound to the node until nothing of it is left.

Owns the order of things: volumes, address, sandbox, network, init containers, containers, the end.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from pytest_aksnet.lab.api.errors import ApiError
from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.api.resources import PODS
from pytest_aksnet.lab.api.trouble import SYSTEM_NAMESPACES, Kind
from pytest_aksnet.lab.contracts import Sandbox
from pytest_aksnet.lab.controllers.events import WARNING, EventRecorder
from pytest_aksnet.lab.controllers.kubelet import naming, status
from pytest_aksnet.lab.controllers.kubelet.addresses import (
    Holder,
    NodeAddresses,
    NoNetwork,
)
from pytest_aksnet.lab.controllers.kubelet.backoff import BackOff
from pytest_aksnet.lab.controllers.kubelet.container import ContainerRunner, PodContext
from pytest_aksnet.lab.controllers.kubelet.link import NodeLink
from pytest_aksnet.lab.controllers.kubelet.node_images import NodeImages
from pytest_aksnet.lab.controllers.kubelet.references import References, configuration_change
from pytest_aksnet.lab.controllers.kubelet.status import PodState
from pytest_aksnet.lab.controllers.kubelet.surroundings import Surroundings
from pytest_aksnet.lab.controllers.kubelet.volumes import Mount, MountFailure, Volumes
from pytest_aksnet.lab.facade.accelerated_networking import FacadeError
from pytest_aksnet.lab.spec import NodeSpec

_log = logging.getLogger(__name__)
_SANDBOX_RETRY_SECONDS = 12.0  # about how often the kubelet tries to make a sandbox anew
# Texts of the kubelet (kubernetes: pkg/kubelet/eviction/helpers.go), its final blank included.
_LOW_ON_MEMORY = (
    "The node was low on resource: memory. Threshold quantity: 100Mi, available: 62448Ki. "
    "Container {} was using 91236Ki, request is 0, has larger consumption of memory. "
)


class PodWorker:
    """Runs one pod. `gone` is called when the last of it has been cleaned up."""

    def __init__(
        self,
        around: Surroundings,
        node: NodeSpec,
        machine: Sandbox,
        addresses: NodeAddresses,
        node_images: NodeImages,
        events: EventRecorder,
        link: NodeLink,
        pod: JsonObject,
        gone: Callable[[], None],
    ) -> None:
        self.pod = pod
        self.context: PodContext | None = None
        self._around = around
        self._node = node
        self._machine = machine
        self._addresses = addresses
        self._plugin = around.plugins[node.name]
        self._holder = Holder(
            namespace=pod["metadata"]["namespace"],
            pod=pod["metadata"]["name"],
            uid=pod["metadata"]["uid"],
        )
        self._node_images = node_images
        self._events = events
        self._link = link
        self._gone = gone
        self._sandbox: Sandbox | None = None
        self._state = PodState(host_ips=node.ips, start_time=timestamp())
        spec = pod["spec"]
        policy = spec.get("restartPolicy", "Always")
        init_policy = "OnFailure" if policy == "Always" else policy
        self.init = [
            ContainerRunner(item, init_policy, self._container_changed, group="initContainers")
            for item in spec.get("initContainers") or []
        ]
        self.containers = [
            ContainerRunner(item, policy, self._container_changed) for item in spec["containers"]
        ]
        self.ephemeral: list[ContainerRunner] = []
        self._beside: dict[str, asyncio.Task[None]] = {}
        self._grace_end = float("inf")
        self._grace: asyncio.Timeout | None = None
        self._deleting = False
        self._address_released = False
        self._creating: asyncio.Task[PodContext] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._life = asyncio.create_task(self._live(), name=f"pod {pod['metadata']['name']}")

    @property
    def node_name(self) -> str:
        """The node that it is on."""
        return self._node.name

    @property
    def host_network(self) -> bool:
        """Whether the pod shares its node's network."""
        return bool(self.pod["spec"].get("hostNetwork"))

    @property
    def is_workload(self) -> bool:
        """Whether it is none of the cluster's own pods."""
        return self.pod["metadata"]["namespace"] not in SYSTEM_NAMESPACES

    @property
    def is_running(self) -> bool:
        """Whether a container of it runs and nobody ends it yet."""
        return self._ending is None and any(item.state.running for item in self.containers)

    def _start_delay(self) -> float:
        return self._around.trouble.start_delay() if self.is_workload else 0.0

    def container(self, name: str) -> ContainerRunner | None:
        """The container of that name, of whatever kind."""
        for item in (*self.containers, *self.init, *self.ephemeral):
            if item.spec["name"] == name:
                return item
        return None

    # -- from the API ----------------------------------------------------------------------

    def update(self, pod: JsonObject) -> None:
        """The object has changed."""
        self.pod = pod
        metadata = pod["metadata"]
        self._add_ephemeral()
        if "deletionTimestamp" in metadata:
            self.end(float(metadata.get("deletionGracePeriodSeconds", 0)))

    def _add_ephemeral(self) -> None:
        """Start the ephemeral containers that are new, once there is a sandbox for them."""
        if self.context is None or self._ending is not None:
            return
        known = {runner.spec["name"] for runner in self.ephemeral}
        for item in self.pod["spec"].get("ephemeralContainers") or []:
            if item["name"] not in known:
                group = "ephemeralContainers"
                runner = ContainerRunner(item, "Never", self._container_changed, group=group)
                self.ephemeral.append(runner)
                self._run_beside(runner, self.context)

    def _run_beside(self, runner: ContainerRunner, context: PodContext) -> None:
        """Run a container that the pod does not wait for: a sidecar, an ephemeral one."""
        running = asyncio.create_task(runner.run(context))
        self._beside[runner.spec["name"]] = running

    async def _end_beside(self) -> None:
        """After the end of the main containers that of the sidecars, the last one first."""
        sidecars = [runner for runner in reversed(self.init) if runner.is_sidecar]
        for runner in (*sidecars, *self.ephemeral):
            runner.forbid_restart()
        context = self.context
        if context is not None and sidecars:
            grace = float(self.pod["spec"].get("terminationGracePeriodSeconds", 30))
            last = asyncio.get_running_loop().time() + grace
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(min(self._grace_end, last)):
                    for runner in sidecars:
                        await runner.stop(context)
        for runner in (*sidecars, *self.ephemeral):
            runner.kill()
            await runner.ended()
        for running in self._beside.values():
            running.cancel()
        await asyncio.gather(*self._beside.values(), return_exceptions=True)

    def end(self, grace_seconds: float) -> None:
        """End the pod within so many seconds; a shorter time replaces a longer one."""
        wanted = asyncio.get_running_loop().time() + grace_seconds
        if wanted < self._grace_end:
            self._grace_end = wanted
            if self._grace is not None and self._grace.when() is not None:
                with contextlib.suppress(RuntimeError):  # the time is over already
                    self._grace.reschedule(wanted)
        if not self._deleting:
            self._deleting = True
            before = self._ending
            self._ending = asyncio.create_task(self._end_after(before))

    async def _end_after(self, earlier: "asyncio.Task[None] | None") -> None:
        if earlier is not None:
            await earlier
        await self._end()

    async def finished(self) -> None:
        """Wait until `end` has done its work."""
        if self._ending is not None:
            await self._ending

    # -- life ------------------------------------------------------------------------------

    async def _live(self) -> None:
        try:
            await self._prepare_and_run()
        except Exception:
            _log.exception("pod %s", self.pod["metadata"]["name"])

    async def _prepare_and_run(self) -> None:
        limit = self.pod["spec"].get("activeDeadlineSeconds")
        if limit is not None:
            asyncio.get_running_loop().call_later(float(limit), self._reach_deadline)
        self.publish()
        await asyncio.sleep(self._start_delay())
        mounts = await self._mounts()
        if self.host_network:
            self._state.ips = self._node.ips
        else:
            self._state.ips = self._node.pod_ips(await self._address())
        context = await self._sandbox_of(mounts)
        self.context = context
        self._state.sandbox_ready = True
        self.publish()
        self._add_ephemeral()
        for runner in self.init:
            if runner.is_sidecar:
                self._run_beside(runner, context)
                await runner.until_started()
                continue
            await runner.run(context)
            ended = runner.state.terminated
            if ended is None or ended["exitCode"] != 0:
                if self._ending is None:
                    await self._end_beside()
                await self._finish(status.FAILED)
                return
            runner.state.ready = True
        async with asyncio.TaskGroup() as group:
            for runner in self.containers:
                group.create_task(runner.run(context))
        if self._ending is None:
            await self._end_beside()
        await self._finish(self._outcome())

    async def _sandbox_of(self, mounts: list[Mount]) -> PodContext:
        """The sandbox, tried again with back-off where the machine refuses it."""
        back_off = BackOff()
        while True:
            self._creating = asyncio.create_task(self._create_sandbox(mounts))
            try:
                return await asyncio.shield(self._creating)
            except (OSError, FacadeError) as error:
                text = f"Failed to create pod sandbox: {error}"
                self._record(WARNING, "FailedCreatePodSandBox", text)
                await self._drop_sandbox()
            await asyncio.sleep(back_off.delay() or back_off.delay())

    async def _address(self) -> str:
        while True:
            try:
                return self._addresses.take(self._holder)
            except NoNetwork as refusal:
                self._record(WARNING, refusal.reason, str(refusal))
            await self._addresses.wait(_SANDBOX_RETRY_SECONDS)

    def _outcome(self) -> str:
        ends = [item.state.terminated or {"exitCode": 1} for item in self.containers]
        good = all(end["exitCode"] == 0 for end in ends)
        return status.SUCCEEDED if good else status.FAILED

    def _references(self) -> References:
        return References(self._around.store, self.pod, self._node, self._state.ips)

    async def _mounts(self) -> list[Mount]:
        while True:
            try:
                return Volumes(self.pod, self._references(), self._around.issue_token).mounts()
            except MountFailure as failure:
                self._record(WARNING, "FailedMount", str(failure))
            await configuration_change(self._around.store)

    async def _create_sandbox(self, mounts: list[Mount]) -> PodContext:
        metadata = self.pod["metadata"]
        hostname = naming.hostname(self.pod)
        spec = self._around.spec
        sandbox = await self._around.runtime.create_pod(
            self._machine,
            f"{metadata['namespace']}/{metadata['name']}",
            hostname=hostname,
            etc={
                "hostname": f"{hostname}\n".encode(),
                "hosts": naming.hosts_file(self.pod, self._state.ips, spec),
                "resolv.conf": naming.resolv_conf(self.pod, spec, self._around.resolver),
            },
            host_network=self.host_network,
        )
        self._sandbox = sandbox
        if self.host_network:
            await self._around.facade.add_host_network_pod(self._node.name, sandbox)
        else:
            ip, *more = self._state.ips
            self._around.network.add_pod(
                self._node.name,
                ip,
                sandbox.netns_fd,
                ip6=next(iter(more), None),
                name=f"{metadata['namespace']}.{metadata['name']}",
            )
            self._around.addresses.assigned(self.pod, self._state.ips)
            link, mac = self._around.network.pod_link(self._node.name, ip)
            self._plugin.added(self._holder, self._state.ips, sandbox, link=link, mac=mac)
        await self._mount(sandbox, mounts)
        return PodContext(
            around=self._around,
            pod=self.pod,
            sandbox=sandbox,
            node_netns_fd=self._machine.netns_fd,
            ip=self._state.ips[0],
            hostname=hostname,
            references=self._references(),
            node_images=self._node_images,
            events=self._events,
            link=self._link,
            unlucky=self.is_workload and self._around.trouble.strikes(Kind.PULL_FAILS),
        )

    async def _mount(self, sandbox: Sandbox, mounts: list[Mount]) -> None:
        for mount in sorted(mounts, key=lambda one: len(one.path)):
            if mount.host_path:
                await self._bind_host_path(sandbox, mount)
        own = [mount for mount in mounts if not mount.host_path]
        files = {
            mount.path if mount.single_file else f"{mount.path}/{file.path}": (
                file.content,
                file.mode,
            )
            for mount in own
            for file in mount.files
        }
        empty = [mount.path for mount in own if not mount.files]
        if files or empty:
            try:
                await sandbox.write_files(files, empty)
            except OSError as error:
                text = f"MountVolume.SetUp failed : {error.filename}: {error.strerror}"
                self._record(WARNING, "FailedMount", text)
                if not empty:
                    raise
                await sandbox.write_files(files)

    async def _bind_host_path(self, sandbox: Sandbox, mount: Mount) -> None:
        """Raises OSError after the event that says what is wrong with the path."""
        try:
            await sandbox.bind(
                self._machine,
                mount.host_path,
                mount.path,
                kind=mount.host_type,
                read_only=mount.read_only,
            )
        except OSError as error:
            noun = {"Directory": "a directory", "File": "a file", "Socket": "a socket file"}
            what = noun.get(mount.host_type.removesuffix("OrCreate"), "accessible")
            text = f"hostPath type check failed: {mount.host_path} is not {what}"
            self._record(WARNING, "FailedMount", f"MountVolume.SetUp failed : {text} ({error})")
            raise

    # -- the end ---------------------------------------------------------------------------

    async def _finish(self, phase: str) -> None:
        """All is over by itself: keep the logs and the status, give up the rest."""
        if self._ending is not None:
            return
        self._state.final = phase
        await self._give_up_sandbox()
        self.publish()

    def _reach_deadline(self) -> None:
        if self._ending is None and not self._state.final:
            self._state.reason = "DeadlineExceeded"
            self._state.message = "Pod was active on the node longer than the specified deadline"
            grace = float(self.pod["spec"].get("terminationGracePeriodSeconds", 30))
            self._grace_end = asyncio.get_running_loop().time() + grace
            self._ending = asyncio.create_task(self._take_down())

    def evict(self) -> None:
        """Take a running pod down at once, as its node needs the memory; its object stays."""
        name = self.containers[0].spec["name"]
        self._state.reason = status.EVICTED
        self._state.message = _LOW_ON_MEMORY.format(name)
        self._record(WARNING, status.EVICTED, self._state.message)
        self._grace_end = asyncio.get_running_loop().time()
        self._ending = asyncio.create_task(self._take_down())

    async def _end(self) -> None:
        """Deleted: take the pod down, then remove the object."""
        await self._take_down()
        await self._link.wait()
        metadata = self.pod["metadata"]
        with contextlib.suppress(ApiError):
            self._around.store.delete(
                PODS,
                metadata["name"],
                metadata["namespace"],
                grace_seconds=0,
                uid=metadata["uid"],
            )
        self._events.forget(metadata["uid"])
        self._gone()

    async def _take_down(self) -> None:
        """Let the containers go in time, then give up the sandbox and say how it ended."""
        if self._state.final:
            await self._life
        else:
            await self._stop_containers()
            self._life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._life
            self._state.final = status.FAILED if self._state.reason else self._outcome()
        if self._creating is not None:
            with contextlib.suppress(Exception):
                await self._creating
        await self._give_up_sandbox()
        self.publish()

    async def _stop_containers(self) -> None:
        runners = [*(item for item in self.init if not item.is_sidecar), *self.containers]
        for runner in runners:
            runner.forbid_restart()
        if self.context is None:
            return
        context = self.context
        try:
            async with asyncio.timeout_at(self._grace_end) as self._grace:
                await asyncio.gather(*(runner.stop(context) for runner in runners))
        except TimeoutError:
            for runner in runners:
                runner.kill()
            for runner in runners:
                await runner.ended()
        await self._end_beside()

    async def _give_up_sandbox(self) -> None:
        await self._drop_sandbox()
        if self._state.ips and not self.host_network and not self._address_released:
            self._address_released = True
            self._addresses.give_back(self._state.ips[0], self._holder)

    async def _drop_sandbox(self) -> None:
        sandbox, self._sandbox = self._sandbox, None
        self._state.sandbox_ready = False
        self.context = None
        if sandbox is None:
            return
        if self.host_network:
            self._around.facade.forget_pod(self._node.name, sandbox)
        else:
            self._around.addresses.released(self.pod)
            self._around.network.remove_pod(self._node.name, self._state.ips[0])
            self._plugin.removed(self._holder)
        await sandbox.destroy()

    # -- reporting -------------------------------------------------------------------------

    def _container_changed(self) -> None:
        """Publish, but not the end of the last container of a pod that is taken down.

        That is one change with the end of the pod.
        """
        if self._ending is None or any(item.state.running for item in self.containers):
            self.publish()

    def publish(self) -> None:
        """Write the status where it is not what the object says, and the kubelet is heard."""
        if not self._link.up:
            return
        store, metadata = self._around.store, self.pod["metadata"]
        current = store.find(PODS, metadata["name"], metadata["namespace"])
        if current is None or current["metadata"]["uid"] != metadata["uid"]:
            return
        current["status"] = status.pod_status(
            current,
            self._state,
            [item.state for item in self.init],
            [item.state for item in self.containers],
            [item.state for item in self.ephemeral],
        )
        with contextlib.suppress(ApiError):
            self.pod = store.update(PODS, current, metadata["namespace"], subresource="status")

    def _record(self, kind: str, reason: str, message: str, *, field_path: str = "") -> None:
        self._events.record(self.pod, kind, reason, message, field_path=field_path)
