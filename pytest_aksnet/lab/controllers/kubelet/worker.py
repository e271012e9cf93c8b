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
from pytest_aksnet.lab.controllers.kubelet import images, naming, processes, status
from pytest_aksnet.lab.controllers.kubelet.backoff import BackOff
from pytest_aksnet.lab.controllers.kubelet.container import ContainerRunner, PodContext
from pytest_aksnet.lab.controllers.kubelet.node_images import NodeImages
from pytest_aksnet.lab.controllers.kubelet.references import References, configuration_change
from pytest_aksnet.lab.controllers.kubelet.status import PodState
from pytest_aksnet.lab.controllers.kubelet.surroundings import Surroundings
from pytest_aksnet.lab.controllers.kubelet.volumes import Mount, MountFailure, Volumes
from pytest_aksnet.lab.facade.accelerated_networking import FacadeError
from pytest_aksnet.lab.spec import NodeSpec

_log = logging.getLogger(__name__)
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
        free_addresses: "asyncio.Queue[str]",
        node_images: NodeImages,
        events: EventRecorder,
        pod: JsonObject,
        gone: Callable[[], None],
    ) -> None:
        self.pod = pod
        self.context: PodContext | None = None
        self._around = around
        self._node = node
        self._machine = machine
        self._free_addresses = free_addresses
        self._node_images = node_images
        self._events = events
        self._gone = gone
        self._sandbox: Sandbox | None = None
        self._state = PodState(host_ip=node.ip, start_time=timestamp())
        spec = pod["spec"]
        policy = spec.get("restartPolicy", "Always")
        init_policy = "OnFailure" if policy == "Always" else policy
        self.init = [
            ContainerRunner(item, init_policy, self._container_changed, init=True)
            for item in spec.get("initContainers") or []
        ]
        self.containers = [
            ContainerRunner(item, policy, self._container_changed, init=False)
            for item in spec["containers"]
        ]
        self._grace_end = float("inf")
        self._grace: asyncio.Timeout | None = None
        self._deleting = False
        self._address_released = False
        self._creating: asyncio.Task[PodContext] | None = None
        self._ending: asyncio.Task[None] | None = None
        self._life = asyncio.create_task(self._live(), name=f"pod {pod['metadata']['name']}")

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
        """The container of that name, init containers included."""
        for item in (*self.containers, *self.init):
            if item.spec["name"] == name:
                return item
        return None

    # -- from the API ----------------------------------------------------------------------

    def update(self, pod: JsonObject) -> None:
        """The object has changed."""
        self.pod = pod
        metadata = pod["metadata"]
        if "deletionTimestamp" in metadata:
            self.end(float(metadata.get("deletionGracePeriodSeconds", 0)))

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
        self._publish()
        await asyncio.sleep(self._start_delay())
        mounts = await self._mounts()
        if self.host_network:
            self._state.ip = self._node.ip
        else:
            self._state.ip = await self._address()
        context = await self._sandbox_of(mounts)
        self.context = context
        self._state.sandbox_ready = True
        self._publish()
        for runner in self.init:
            await runner.run(context)
            ended = runner.state.terminated
            if ended is None or ended["exitCode"] != 0:
                await self._finish(status.FAILED)
                return
            runner.state.ready = True
        async with asyncio.TaskGroup() as group:
            for runner in self.containers:
                group.create_task(runner.run(context))
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
        if self._free_addresses.empty():
            text = "Failed to create pod sandbox: no free pod address on the node"
            self._record(WARNING, "FailedCreatePodSandBox", text)
        return await self._free_addresses.get()

    def _outcome(self) -> str:
        ends = [item.state.terminated or {"exitCode": 1} for item in self.containers]
        good = all(end["exitCode"] == 0 for end in ends)
        return status.SUCCEEDED if good else status.FAILED

    def _references(self) -> References:
        return References(self._around.store, self.pod, self._node, self._state.ip)

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
                "hosts": naming.hosts_file(self.pod, self._state.ip, spec),
                "resolv.conf": naming.resolv_conf(self.pod, spec),
            },
            host_network=self.host_network,
        )
        self._sandbox = sandbox
        if self.host_network:
            await self._around.facade.add_host_network_pod(self._node.name, sandbox)
        else:
            self._around.network.add_pod(self._node.name, self._state.ip, sandbox.netns_fd)
            self._around.addresses.assigned(self.pod, self._state.ip)
        await self._mount(sandbox, mounts)
        return PodContext(
            around=self._around,
            pod=self.pod,
            sandbox=sandbox,
            node_netns_fd=self._machine.netns_fd,
            ip=self._state.ip,
            hostname=hostname,
            references=self._references(),
            node_images=self._node_images,
            events=self._events,
            unlucky=self.is_workload and self._around.trouble.strikes(Kind.PULL_FAILS),
        )

    async def _mount(self, sandbox: Sandbox, mounts: list[Mount]) -> None:
        empty = [mount.path for mount in mounts if not mount.files]
        if empty:
            session = await processes.start(
                sandbox,
                ["mkdir", "-p", "-m", "0777", "--", *empty],
                env={"PATH": images.PATH},
                stdout=False,
                stderr=False,
            )
            if await session.process.wait() != 0:
                text = f"MountVolume.SetUp failed : cannot make {', '.join(empty)}"
                self._record(WARNING, "FailedMount", text)
        await asyncio.gather(
            *(
                sandbox.write_file(
                    mount.path if mount.single_file else f"{mount.path}/{file.path}",
                    file.content,
                    file.mode,
                )
                for mount in mounts
                for file in mount.files
            )
        )

    # -- the end ---------------------------------------------------------------------------

    async def _finish(self, phase: str) -> None:
        """All is over by itself: keep the logs and the status, give up the rest."""
        if self._ending is not None:
            return
        self._state.final = phase
        await self._give_up_sandbox()
        self._publish()

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
        self._publish()

    async def _stop_containers(self) -> None:
        runners = [*self.init, *self.containers]
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

    async def _give_up_sandbox(self) -> None:
        await self._drop_sandbox()
        if self._state.ip and not self.host_network and not self._address_released:
            self._address_released = True
            self._free_addresses.put_nowait(self._state.ip)

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
            self._around.network.remove_pod(self._node.name, self._state.ip)
        await sandbox.destroy()

    # -- reporting -------------------------------------------------------------------------

    def _container_changed(self) -> None:
        """Publish, but not the end of the last container of a pod that is taken down.

        That is one change with the end of the pod.
        """
        if self._ending is None or any(item.state.running for item in self.containers):
            self._publish()

    def _publish(self) -> None:
        """Write the status where it is not what the object says."""
        store, metadata = self._around.store, self.pod["metadata"]
        current = store.find(PODS, metadata["name"], metadata["namespace"])
        if current is None or current["metadata"]["uid"] != metadata["uid"]:
            return
        current["status"] = status.pod_status(
            current,
            self._state,
            [item.state for item in self.init],
            [item.state for item in self.containers],
        )
        with contextlib.suppress(ApiError):
            self.pod = store.update(PODS, current, metadata["namespace"], subresource="status")

    def _record(self, kind: str, reason: str, message: str, *, field_path: str = "") -> None:
        self._events.record(self.pod, kind, reason, message, field_path=field_path)
