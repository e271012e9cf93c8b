"""One container of a pod from its image to its end: start, probes, restarts with back-off.

Runs in a task of its pod's worker. Says what happens through its `ContainerReport`.
"""

import asyncio
import secrets
import signal
from collections.abc import Callable

from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.controllers.events import NORMAL, WARNING
from pytest_aksnet.lab.controllers.kubelet import images, processes
from pytest_aksnet.lab.controllers.kubelet.backoff import BackOff, duration_text
from pytest_aksnet.lab.controllers.kubelet.configuration import configure
from pytest_aksnet.lab.controllers.kubelet.container_report import ContainerReport
from pytest_aksnet.lab.controllers.kubelet.hooks import POST_START, PRE_STOP, hook_of, run_hook
from pytest_aksnet.lab.controllers.kubelet.image_pull import ImagePull
from pytest_aksnet.lab.controllers.kubelet.images import Image
from pytest_aksnet.lab.controllers.kubelet.main_process import MainProcess
from pytest_aksnet.lab.controllers.kubelet.pod_context import PodContext
from pytest_aksnet.lab.controllers.kubelet.probing import Probing
from pytest_aksnet.lab.controllers.kubelet.status import ContainerState, waiting
from pytest_aksnet.lab.controllers.kubelet.surroundings import Program, ProgramRefused

_START_ERROR_EXIT = 128
_RUNTIME_ERROR = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
    "runc create failed: unable to start container process: "
)


class ContainerRunner:
    """Runs one container. `state` is what the pod's status shows of it.

    `group` of its spec: containers, initContainers or ephemeralContainers. An init container that
    is always restarted is a sidecar ("Sidecar Containers").
    """

    def __init__(
        self,
        spec: JsonObject,
        restart_policy: str,
        changed: Callable[[], None],
        *,
        group: str = "containers",
    ) -> None:
        init = group == "initContainers"
        self.spec = spec
        self.is_sidecar = init and spec.get("restartPolicy") == "Always"
        self.state = ContainerState(
            name=spec["name"],
            image=spec["image"],
            state=waiting("PodInitializing" if init else "ContainerCreating"),
            sidecar=self.is_sidecar,
        )
        self.process = MainProcess(spec)
        self._report = ContainerReport(self.state, f"spec.{group}{{{spec['name']}}}", changed)
        self._pull = ImagePull(spec, self._report)
        self._restart_policy = "Always" if self.is_sidecar else restart_policy
        self._stopping = False
        self._terminating: asyncio.Task[None] | None = None

    async def until_started(self) -> None:
        """Wait until its start is complete, startup probe included."""
        await self._report.until_started()

    async def run(self, context: PodContext) -> None:
        """Run it until it is not to be restarted any more."""
        back_off = BackOff()
        loop = asyncio.get_running_loop()
        while not self._stopping:
            image = await self._pull.image(context)
            self.process.env, argv = await configure(self.spec, context, image, self._report)
            begun = loop.time()
            exit_code = await self._run_once(context, image, argv)
            if self._stopping or not self._restarts_after(exit_code):
                return
            delay = back_off.delay(loop.time() - begun)
            if delay:
                await self._wait_to_restart(context, delay)
            self.state.restarts += 1

    def _restarts_after(self, exit_code: int) -> bool:
        if self._restart_policy == "OnFailure":
            return exit_code != 0
        return self._restart_policy == "Always"

    async def _wait_to_restart(self, context: PodContext, delay: float) -> None:
        metadata = context.pod["metadata"]
        place = f"{metadata['name']}_{metadata['namespace']}({metadata['uid']})"
        name = self.spec["name"]
        if self.state.terminated:
            self.state.last = self.state.state
            text = f"back-off {duration_text(delay)} restarting failed container={name} pod={place}"
            self._report.waits("CrashLoopBackOff", text)
        text = f"Back-off restarting failed container {name} in pod {place}"
        self._report.event(context, WARNING, "BackOff", text)
        await asyncio.sleep(delay)

    # -- one run ---------------------------------------------------------------------------

    async def _run_once(self, context: PodContext, image: Image, argv: list[str]) -> int:
        """Start the main process, watch it, and note how it ended: its exit code."""
        self.state.image = image.reference
        self.state.image_id = image.image_id
        self.state.container_id = f"containerd://{secrets.token_hex(32)}"
        if self.state.terminated:
            self.state.last = self.state.state
        self._report.event(context, NORMAL, "Created", "Container created")
        started_at = timestamp()
        program: Program | None = None
        try:
            begin_program = context.around.programs.get(images.last_name(image.reference))
            if begin_program is not None:
                try:
                    program = await begin_program(context.sandbox)
                except ProgramRefused as refusal:
                    argv = ["sh", "-c", 'printf "%s\\n" "$1" >&2; exit 1', "sh", str(refusal)]
            await _link_tools(context, image)
            session = await self.process.start(context.sandbox, argv)
        except OSError as error:
            return self._not_started(context, argv, error, started_at)
        self._report.event(context, NORMAL, "Started", "Container started")
        self.state.state = {"running": {"startedAt": started_at}}
        probing = self._begin_probing(context)
        self._report.changed()
        try:
            exit_code = await session.process.wait()
        finally:
            probing.cancel()
            await self.process.end_group()
            if program is not None:
                await program.stop()
            self.process.forget(session)
        self._note_end(exit_code, started_at)
        return exit_code

    def _not_started(
        self, context: PodContext, argv: list[str], error: OSError, started_at: str
    ) -> int:
        text = _RUNTIME_ERROR + processes.start_error_text(argv, error)
        self._report.event(context, WARNING, "Failed", f"Error: {text}")
        terminated = {
            "terminated": {
                "exitCode": _START_ERROR_EXIT,
                "reason": "StartError",
                "message": text,
                "startedAt": "1970-01-01T00:00:00Z",
                "finishedAt": started_at,
                "containerID": self.state.container_id,
            }
        }
        self.state.ready = self.state.started = False
        if self._restarts_after(_START_ERROR_EXIT):
            self.state.last = terminated
            self.state.state = waiting("RunContainerError", text)
        else:
            self.state.state = terminated
        self._report.changed()
        return _START_ERROR_EXIT

    def _note_end(self, exit_code: int, started_at: str) -> None:
        self.state.ready = self.state.started = False
        self.state.state = {
            "terminated": {
                "exitCode": exit_code,
                "reason": "Error" if exit_code else "Completed",
                "startedAt": started_at,
                "finishedAt": timestamp(),
                "containerID": self.state.container_id,
            }
        }
        self._report.changed()

    def _begin_probing(self, context: PodContext) -> "asyncio.Task[None]":
        def kill(reason: str, probe: JsonObject) -> None:
            self._report.event(context, NORMAL, "Killing", reason)
            own = probe.get("terminationGracePeriodSeconds")
            seconds = context.grace_seconds if own is None else float(own)
            self._terminate(seconds)

        def unhealthy(text: str) -> None:
            self._report.event(context, WARNING, "Unhealthy", text)

        probing = Probing(
            spec=self.spec,
            state=self.state,
            prober=self.process.prober(context),
            changed=self._report.changed,
            unhealthy=unhealthy,
            kill=kill,
            pause=context.link.pause,
        )
        hook = hook_of(self.spec, POST_START)
        if hook is None:
            probing.begin()
            return asyncio.create_task(probing.run())
        return asyncio.create_task(self._start_up(context, hook, probing))

    async def _start_up(self, context: PodContext, hook: JsonObject, probing: Probing) -> None:
        """The postStart hook; where it fails, the container is ended."""
        if not await run_hook(hook, POST_START, context, probing.prober, self._report):
            self._terminate(context.grace_seconds)
            return
        probing.begin()
        self._report.changed()
        await probing.run()

    def _terminate(self, seconds: float) -> None:
        """Have the main process ended, with so long a grace."""
        # Held here because the loop holds its tasks weakly.
        self._terminating = asyncio.create_task(self.process.terminate(seconds))

    # -- the end ---------------------------------------------------------------------------

    def forbid_restart(self) -> None:
        """It is not to be started again, whatever its policy says."""
        self._stopping = True

    async def stop(self, context: PodContext) -> None:
        """The preStop hook, SIGTERM, and wait for the end, however long it takes."""
        if not self.process.runs:
            return
        text = f"Stopping container {self.spec['name']}"
        self._report.event(context, NORMAL, "Killing", text)
        hook = hook_of(self.spec, PRE_STOP)
        if hook is not None:
            prober = self.process.prober(context)
            await run_hook(hook, PRE_STOP, context, prober, self._report)
        self.process.signal(signal.SIGTERM)
        await self.process.ended()

    def kill(self) -> None:
        """SIGKILL."""
        self.process.signal(signal.SIGKILL)

    async def ended(self) -> None:
        """Wait until no main process runs."""
        await self.process.ended()


async def _link_tools(context: PodContext, image: Image) -> None:
    """Have the names of an image's tools in the sandbox. Raises OSError."""
    argv = images.link_tools_argv(image)
    if argv:
        env = {"PATH": images.PATH}
        linking = await processes.start(context.sandbox, argv, env=env, stdout=False, stderr=False)
        if await linking.process.wait() != 0:
            raise FileNotFoundError(f"the tools of {image.reference} cannot be linked")
