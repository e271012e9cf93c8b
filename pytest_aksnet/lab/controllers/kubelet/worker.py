"""One pod on one node, from the moment it is bound to the node until nothing of it is left.

Owns the order of things: sandbox, init containers, containers, the end, and how long that may take.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.controllers.events import WARNING
from pytest_aksnet.lab.controllers.kubelet import status
from pytest_aksnet.lab.controllers.kubelet.kubelet_node import KubeletNode
from pytest_aksnet.lab.controllers.kubelet.pod_containers import PodContainers
from pytest_aksnet.lab.controllers.kubelet.pod_context import PodContext
from pytest_aksnet.lab.controllers.kubelet.pod_record import PodRecord
from pytest_aksnet.lab.controllers.kubelet.pod_sandbox import PodSandbox

_log = logging.getLogger(__name__)
# Texts of the kubelet (kubernetes: pkg/kubelet/eviction/helpers.go), its final blank included.
_LOW_ON_MEMORY = (
    "The node was low on resource: memory. Threshold quantity: 100Mi, available: 62448Ki. "
    "Container {} was using 91236Ki, request is 0, has larger consumption of memory. "
)


class PodWorker:
    """Runs one pod. `gone` is called when the last of it has been cleaned up."""

    def __init__(self, node: KubeletNode, pod: JsonObject, gone: Callable[[], None]) -> None:
        self._node = node
        self._gone = gone
        self._record = PodRecord(node, pod)
        self._sandbox = PodSandbox(node, self._record)
        self.containers = PodContainers(pod["spec"], self._container_changed)
        self._grace_end = float("inf")
        self._grace: asyncio.Timeout | None = None
        self._deleting = False
        self._ending: asyncio.Task[None] | None = None
        self._life = asyncio.create_task(self._live(), name=f"pod {pod['metadata']['name']}")

    @property
    def pod(self) -> JsonObject:
        """The object as it was last seen."""
        return self._record.pod

    @property
    def context(self) -> PodContext | None:
        """What its containers share, while there is a sandbox."""
        return self._sandbox.context

    @property
    def node_name(self) -> str:
        """The node that it is on."""
        return self._node.spec.name

    @property
    def is_workload(self) -> bool:
        """Whether it is none of the cluster's own pods."""
        return self._record.is_workload

    @property
    def is_running(self) -> bool:
        """Whether a container of it runs and nobody ends it yet."""
        return self._ending is None and self.containers.any_runs

    # -- from the API ----------------------------------------------------------------------

    def update(self, pod: JsonObject) -> None:
        """The object has changed."""
        self._record.pod = pod
        metadata = pod["metadata"]
        self._add_ephemeral()
        if "deletionTimestamp" in metadata:
            self.end(float(metadata.get("deletionGracePeriodSeconds", 0)))

    def _add_ephemeral(self) -> None:
        """Start the ephemeral containers that are new, once there is a sandbox for them."""
        if self.context is not None and self._ending is None:
            self.containers.add_ephemeral(self.pod["spec"], self.context)

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
        context = await self._sandbox.make()
        self.publish()
        self._add_ephemeral()
        for runner in self.containers.init:
            if runner.is_sidecar:
                self.containers.run_beside(runner, context)
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
            for runner in self.containers.main:
                group.create_task(runner.run(context))
        if self._ending is None:
            await self._end_beside()
        await self._finish(self.containers.outcome)

    def _start_delay(self) -> float:
        return self._node.around.trouble.start_delay() if self.is_workload else 0.0

    # -- the end ---------------------------------------------------------------------------

    async def _end_beside(self) -> None:
        last = asyncio.get_running_loop().time() + self._record.grace_seconds
        await self.containers.end_beside(self.context, min(self._grace_end, last))

    async def _finish(self, phase: str) -> None:
        """All is over by itself: keep the logs and the status, give up the rest."""
        if self._ending is not None:
            return
        self._record.state.final = phase
        await self._sandbox.give_up()
        self.publish()

    def _reach_deadline(self) -> None:
        if self._ending is None and not self._record.state.final:
            self._record.state.reason = "DeadlineExceeded"
            text = "Pod was active on the node longer than the specified deadline"
            self._record.state.message = text
            now = asyncio.get_running_loop().time()
            self._grace_end = now + self._record.grace_seconds
            self._ending = asyncio.create_task(self._take_down())

    def evict(self) -> None:
        """Take a running pod down at once, as its node needs the memory; its object stays."""
        name = self.containers.main[0].spec["name"]
        state = self._record.state
        state.reason, state.message = status.EVICTED, _LOW_ON_MEMORY.format(name)
        self._record.event(WARNING, status.EVICTED, state.message)
        self._grace_end = asyncio.get_running_loop().time()
        self._ending = asyncio.create_task(self._take_down())

    async def _end(self) -> None:
        """Deleted: take the pod down, then remove the object."""
        await self._take_down()
        await self._node.link.wait()
        self._record.remove()
        self._gone()

    async def _take_down(self) -> None:
        """Let the containers go in time, then give up the sandbox and say how it ended."""
        state = self._record.state
        if state.final:
            await self._life
        else:
            await self._stop_containers()
            self._life.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._life
            state.final = status.FAILED if state.reason else self.containers.outcome
        await self._sandbox.settled()
        await self._sandbox.give_up()
        self.publish()

    async def _stop_containers(self) -> None:
        runners = self.containers.awaited
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

    # -- reporting -------------------------------------------------------------------------

    def _container_changed(self) -> None:
        """Publish, but not the end of the last container of a pod that is taken down.

        That is one change with the end of the pod.
        """
        if self._ending is None or self.containers.any_runs:
            self.publish()

    def publish(self) -> None:
        """Write the status where it is not what the object says, and the kubelet is heard."""
        kinds = (self.containers.init, self.containers.main, self.containers.ephemeral)
        self._record.publish(*([item.state for item in kind] for kind in kinds))
