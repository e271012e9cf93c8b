"""One container of a pod from its image to its end: start, probes, restarts with back-off.

Runs in a task of its pod's worker. Says what happens through `ContainerState` and `changed`.
"""

import asyncio
import dataclasses
import errno
import os
import secrets
import signal
from collections.abc import Callable

from pytest_aksnet.lab.api.objects import JsonObject, timestamp
from pytest_aksnet.lab.api.resources import SERVICES
from pytest_aksnet.lab.api.trouble import Kind
from pytest_aksnet.lab.contracts import ExecSession, ProcessGroup, Sandbox
from pytest_aksnet.lab.controllers.events import NORMAL, WARNING, EventRecorder
from pytest_aksnet.lab.controllers.kubelet import environment, images, processes
from pytest_aksnet.lab.controllers.kubelet.backoff import BackOff, duration_text
from pytest_aksnet.lab.controllers.kubelet.images import Image, PullError
from pytest_aksnet.lab.controllers.kubelet.link import NodeLink
from pytest_aksnet.lab.controllers.kubelet.logs import ContainerLog, copy_to_pipe
from pytest_aksnet.lab.controllers.kubelet.node_images import NodeImages
from pytest_aksnet.lab.controllers.kubelet.probes import Prober, read_output
from pytest_aksnet.lab.controllers.kubelet.probing import Probing
from pytest_aksnet.lab.controllers.kubelet.references import (
    MissingReference,
    References,
    configuration_change,
)
from pytest_aksnet.lab.controllers.kubelet.status import ContainerState, waiting
from pytest_aksnet.lab.controllers.kubelet.surroundings import Program, ProgramRefused, Surroundings

_START_ERROR_EXIT = 128
_LONGEST_HOOK_SECONDS = 3600.0
_RUNTIME_ERROR = (
    "failed to create containerd task: failed to create shim task: OCI runtime create failed: "
    "runc create failed: unable to start container process: "
)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PodContext:
    """What containers share: their pod (as it was started), its sandbox and where it is.

    No image can be pulled for an `unlucky` pod while there is trouble of that kind.
    """

    around: Surroundings
    pod: JsonObject
    sandbox: Sandbox
    node_netns_fd: int
    ip: str
    hostname: str
    references: References
    node_images: NodeImages
    events: EventRecorder
    link: NodeLink
    unlucky: bool

    def pull(self, image: Image) -> None:
        """Raise PullError where its registry does not give an image to this pod now."""
        trouble = self.around.trouble
        if self.unlucky and trouble.value(Kind.PULL_FAILS):
            failures = (images.registry_not_found, images.too_many_pulls)
            raise trouble.random.choice(failures)(image.reference)


class ContainerRunner:
    """Runs one container. `state` is what the pod's status shows of it.

    `group` of its spec: containers, initContainers or ephemeralContainers. An init container that
    is always restarted is a sidecar ("Sidecar Containers").

    `group` is what its processes belong to while the main one runs, which is when more may start.
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
        self.log: ContainerLog | None = None
        self.previous_log: ContainerLog | None = None
        self.env: dict[str, str] = {}
        self.group: ProcessGroup | None = None
        self._restart_policy = "Always" if self.is_sidecar else restart_policy
        self._on_change = changed
        self._moved = asyncio.Event()
        self._field_path = f"spec.{group}{{{spec['name']}}}"
        self._session: ExecSession | None = None
        self._ended = asyncio.Event()
        self._ended.set()
        self._stopping = False
        self._probe_kill: asyncio.Task[None] | None = None
        self._copies: set[asyncio.Task[None]] = set()

    def _changed(self) -> None:
        self._on_change()
        self._moved.set()
        self._moved = asyncio.Event()

    async def until_started(self) -> None:
        """Wait until its start is complete, startup probe included."""
        while not self.state.started:
            await self._moved.wait()

    @property
    def cwd(self) -> str:
        """The working directory of its processes."""
        return self.spec.get("workingDir") or "/"

    @property
    def _never_pulls(self) -> bool:
        return bool(self.spec.get("imagePullPolicy") == "Never")

    async def run(self, context: PodContext) -> None:
        """Run it until it is not to be restarted any more."""
        back_off = BackOff()
        loop = asyncio.get_running_loop()
        while not self._stopping:
            image = await self._image(context)
            argv = await self._configure(context, image)
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
            self.state.state = waiting(
                "CrashLoopBackOff",
                f"back-off {duration_text(delay)} restarting failed container={name} pod={place}",
            )
            self._changed()
        self._event(
            context,
            WARNING,
            "BackOff",
            f"Back-off restarting failed container {name} in pod {place}",
        )
        await asyncio.sleep(delay)

    # -- before the start ------------------------------------------------------------------

    async def _image(self, context: PodContext) -> Image:
        """The image, tried again with back-off while it cannot be had."""
        reference = self.spec["image"]
        back_off = BackOff()
        while True:
            try:
                image = images.resolve(reference)
                self._obtain(context, image)
            except PullError as error:
                absent = error.reason == "ErrImagePull" and self._never_pulls
                reported = images.absent(reference) if absent else error
                await self._report_pull_error(context, reported, back_off)
            else:
                return image

    def _obtain(self, context: PodContext, image: Image) -> None:
        """Have the image on the node, pulled where the policy says so. Raises PullError."""
        reference, present = self.spec["image"], context.node_images.has(image)
        if self._never_pulls and not present:
            raise images.absent(reference)
        if not self._never_pulls:
            context.pull(image)
        if present and self.spec.get("imagePullPolicy") != "Always":
            text = f'Container image "{reference}" already present on machine'
            self._event(context, NORMAL, "Pulled", f"{text} and can be accessed by the pod")
            return
        self._event(context, NORMAL, "Pulling", f'Pulling image "{reference}"')
        context.node_images.add(image)
        text = f'Successfully pulled image "{reference}" in 0s (0s including waiting).'
        size = f"Image size: {image.program.size} bytes."
        self._event(context, NORMAL, "Pulled", f"{text} {size}")

    async def _report_pull_error(
        self, context: PodContext, error: PullError, back_off: BackOff
    ) -> None:
        reference = self.spec["image"]
        self.state.state = waiting(error.reason, error.text)
        self._changed()
        if error.reason == "ErrImagePull":
            self._event(context, NORMAL, "Pulling", f'Pulling image "{reference}"')
            text = f'Failed to pull image "{reference}": {error.text}'
            self._event(context, WARNING, "Failed", text)
            self._event(context, WARNING, "Failed", "Error: ErrImagePull")
        else:
            invalid = error.reason == "InvalidImageName"
            reason = "InspectFailed" if invalid else error.reason
            self._event(context, WARNING, reason, error.text)
            self._event(context, WARNING, "Failed", f"Error: {error.reason}")
        delay = back_off.delay() or back_off.delay()
        if error.reason == "ErrImagePull":
            text = f'Back-off pulling image "{reference}"'
            self.state.state = waiting("ImagePullBackOff", f"{text}: ErrImagePull: {error.text}")
            self._event(context, NORMAL, "BackOff", text)
            self._event(context, WARNING, "Failed", "Error: ImagePullBackOff")
            self._changed()
        await asyncio.sleep(delay)

    async def _configure(self, context: PodContext, image: Image) -> list[str]:
        """Environment and argv, tried again when something that was missing may be there."""
        while True:
            try:
                self.env = environment.variables(
                    self.spec,
                    context.references,
                    self._linked_services(context),
                    hostname=context.hostname,
                    path=image.path,
                )
                return environment.command(self.spec, image.program, self.env)
            except MissingReference as missing:
                self.state.state = waiting("CreateContainerConfigError", str(missing))
                self._changed()
                self._event(context, WARNING, "Failed", f"Error: {missing}")
            await configuration_change(context.around.store)

    def _linked_services(self, context: PodContext) -> list[JsonObject]:
        """The API server's Service, and with enableServiceLinks those of the namespace."""
        store = context.around.store
        namespace = context.pod["metadata"]["namespace"]
        linked = []
        if context.pod["spec"].get("enableServiceLinks", True):
            linked = store.list(SERVICES, namespace)
        master = store.find(SERVICES, "kubernetes", "default")
        return [*linked, master] if master is not None else linked

    # -- one run ---------------------------------------------------------------------------

    async def _run_once(self, context: PodContext, image: Image, argv: list[str]) -> int:
        """Start the main process, watch it, and note how it ended: its exit code."""
        self.state.image = image.reference
        self.state.image_id = image.image_id
        self.state.container_id = f"containerd://{secrets.token_hex(32)}"
        if self.state.terminated:
            self.state.last = self.state.state
        self._event(context, NORMAL, "Created", "Container created")
        started_at = timestamp()
        program: Program | None = None
        try:
            begin_program = context.around.programs.get(images.last_name(image.reference))
            if begin_program is not None:
                try:
                    program = await begin_program(context.sandbox)
                except ProgramRefused as refusal:
                    argv = ["sh", "-c", 'printf "%s\\n" "$1" >&2; exit 1', "sh", str(refusal)]
            await self._link_tools(context, image)
            session = await self._spawn(context, argv)
        except OSError as error:
            return self._not_started(context, argv, error, started_at)
        self._session = session
        self._ended.clear()
        self._event(context, NORMAL, "Started", "Container started")
        self.state.state = {"running": {"startedAt": started_at}}
        probing = self._begin_probing(context)
        self._changed()
        try:
            exit_code = await session.process.wait()
        finally:
            probing.cancel()
            await self._end_group()
            if program is not None:
                await program.stop()
            self._forget_session(session)
        self._note_end(exit_code, started_at)
        return exit_code

    async def _link_tools(self, context: PodContext, image: Image) -> None:
        argv = images.link_tools_argv(image)
        if argv:
            env = {"PATH": images.PATH}
            linking = await processes.start(
                context.sandbox, argv, env=env, stdout=False, stderr=False
            )
            if await linking.process.wait() != 0:
                raise FileNotFoundError(f"the tools of {image.reference} cannot be linked")

    async def _spawn(self, context: PodContext, argv: list[str]) -> ExecSession:
        self.group = await context.sandbox.new_group()
        try:
            session = await processes.start(
                context.sandbox,
                argv,
                env=self.env,
                cwd=self.cwd,
                stdin=bool(self.spec.get("stdin")),
                tty=bool(self.spec.get("tty")),
                group=self.group,
            )
        except BaseException:
            await self._end_group()
            raise
        self.previous_log, self.log = self.log, ContainerLog()
        for fd in (session.stdout_fd, session.stderr_fd):
            if fd >= 0:
                self.log.attach(fd)
        return session

    async def _end_group(self) -> None:
        """With the main process all others of the container end."""
        group, self.group = self.group, None
        if group is not None:
            await group.end()

    def _not_started(
        self, context: PodContext, argv: list[str], error: OSError, started_at: str
    ) -> int:
        text = _RUNTIME_ERROR + processes.start_error_text(argv, error)
        self._event(context, WARNING, "Failed", f"Error: {text}")
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
        self._changed()
        return _START_ERROR_EXIT

    def _forget_session(self, session: ExecSession) -> None:
        self._session = None
        if session.stdin_fd >= 0:
            os.close(session.stdin_fd)
        if self.log is not None:
            self.log.close()
        self._ended.set()

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
        self._changed()

    def _prober(self, context: PodContext) -> Prober:
        ports = {
            port["name"]: int(port["containerPort"])
            for port in self.spec.get("ports") or []
            if port.get("name")
        }

        async def run_command(argv: list[str], seconds: float) -> tuple[int, str]:
            return await self.run_command(context.sandbox, argv, seconds)

        return Prober(netns_fd=context.node_netns_fd, ip=context.ip, ports=ports, run=run_command)

    def _begin_probing(self, context: PodContext) -> "asyncio.Task[None]":
        def kill(reason: str, probe: JsonObject) -> None:
            self._event(context, NORMAL, "Killing", reason)
            own = probe.get("terminationGracePeriodSeconds")
            seconds = _grace_seconds(context) if own is None else float(own)
            self._probe_kill = asyncio.create_task(self.terminate(seconds))

        def unhealthy(text: str) -> None:
            self._event(context, WARNING, "Unhealthy", text)

        probing = Probing(
            spec=self.spec,
            state=self.state,
            prober=self._prober(context),
            changed=self._changed,
            unhealthy=unhealthy,
            kill=kill,
            pause=context.link.pause,
        )
        hook = (self.spec.get("lifecycle") or {}).get("postStart")
        if hook is None:
            probing.begin()
            return asyncio.create_task(probing.run())
        return asyncio.create_task(self._start_up(context, hook, probing))

    async def _start_up(self, context: PodContext, hook: JsonObject, probing: Probing) -> None:
        """The postStart hook; where it fails, the container is ended."""
        if not await self._run_hook(context, hook, "PostStart"):
            seconds = _grace_seconds(context)
            self._probe_kill = asyncio.create_task(self.terminate(seconds))
            return
        probing.begin()
        self._changed()
        await probing.run()

    async def run_command(
        self, sandbox: Sandbox, argv: list[str], seconds: float
    ) -> tuple[int, str]:
        """Run a command in the container and wait for it: its exit code and its output.

        Raises OSError where it does not start, TimeoutError where it does not end in time.
        """
        if self.group is None:
            raise ProcessLookupError(errno.ESRCH, "the container does not run", self.spec["name"])
        session = await processes.start(
            sandbox, argv, env=self.env, cwd=self.cwd, stderr=False, group=self.group
        )
        reading = asyncio.create_task(read_output(session.stdout_fd))
        try:
            async with asyncio.timeout(seconds):
                status_code = await session.process.wait()
                return status_code, await reading
        finally:
            session.process.signal(signal.SIGKILL)
            reading.cancel()

    async def attach(self) -> ExecSession | None:
        """Its output from now on, and its stdin where it has one; None where it does not run."""
        session, log = self._session, self.log
        if session is None or log is None:
            return None
        reading, writing = os.pipe()
        copying = asyncio.create_task(copy_to_pipe(log, writing))
        self._copies.add(copying)
        copying.add_done_callback(self._copies.discard)
        stdin_fd = session.stdin_fd
        if self.spec.get("stdinOnce"):
            session.stdin_fd = -1  # its end is the end of the container's stdin
        elif stdin_fd >= 0:
            stdin_fd = os.dup(stdin_fd)
        return ExecSession(
            process=session.process, stdin_fd=stdin_fd, stdout_fd=reading, stderr_fd=-1
        )

    # -- the end ---------------------------------------------------------------------------

    def forbid_restart(self) -> None:
        """It is not to be started again, whatever its policy says."""
        self._stopping = True

    async def stop(self, context: PodContext) -> None:
        """The preStop hook, SIGTERM, and wait for the end, however long it takes."""
        if self._session is None:
            return
        text = f"Stopping container {self.spec['name']}"
        self._event(context, NORMAL, "Killing", text)
        hook = (self.spec.get("lifecycle") or {}).get("preStop")
        if hook is not None:
            await self._run_hook(context, hook, "PreStop")
        if self._session is not None:
            self._session.process.signal(signal.SIGTERM)
        await self._ended.wait()

    async def _run_hook(self, context: PodContext, hook: JsonObject, which: str) -> bool:
        """Whether a lifecycle hook (PostStart or PreStop) went well."""
        if "sleep" in hook:
            await asyncio.sleep(float(hook["sleep"]["seconds"]))
            return True
        # A postStart hook may take as long as it likes, a preStop hook the pod's grace.
        seconds = _LONGEST_HOOK_SECONDS if which == "PostStart" else _grace_seconds(context)
        look = await self._prober(context).look({**hook, "timeoutSeconds": seconds})
        if not look.good:
            text = f"{which}Hook failed: {look.output}"
            self._event(context, WARNING, f"Failed{which}Hook", text)
        return look.good

    async def terminate(self, grace_seconds: float) -> None:
        """SIGTERM, and SIGKILL where it is still there after the grace."""
        session = self._session
        if session is None:
            return
        session.process.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_seconds):
                await self._ended.wait()
        except TimeoutError:
            self.kill()

    def kill(self) -> None:
        """SIGKILL."""
        if self._session is not None:
            self._session.process.signal(signal.SIGKILL)

    async def ended(self) -> None:
        """Wait until no main process runs."""
        await self._ended.wait()

    def _event(self, context: PodContext, kind: str, reason: str, message: str) -> None:
        context.events.record(context.pod, kind, reason, message, field_path=self._field_path)


def _grace_seconds(context: PodContext) -> float:
    return float(context.pod["spec"].get("terminationGracePeriodSeconds", 30))
