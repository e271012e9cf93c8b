"""The main process of a container, run after run: its streams, its log, its end.

Also the group that all processes of a run belong to, and the commands that join it.
"""

import asyncio
import errno
import os
import signal

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.contracts import ExecSession, ProcessGroup, Sandbox
from pytest_aksnet.lab.controllers.kubelet import processes
from pytest_aksnet.lab.controllers.kubelet.logs import ContainerLog, copy_to_pipe
from pytest_aksnet.lab.controllers.kubelet.pod_context import PodContext
from pytest_aksnet.lab.controllers.kubelet.probes import Prober, read_output


class MainProcess:
    """One process at a time, of the container that `spec` describes.

    `group` is what its processes belong to while the main one runs, which is when more may start.
    `log` is that of this run, or the last one; `previous_log` that of the run before.
    """

    def __init__(self, spec: JsonObject) -> None:
        self.env: dict[str, str] = {}
        self.group: ProcessGroup | None = None
        self.log: ContainerLog | None = None
        self.previous_log: ContainerLog | None = None
        self._spec = spec
        self._session: ExecSession | None = None
        self._ended = asyncio.Event()
        self._ended.set()
        self._copies: set[asyncio.Task[None]] = set()

    @property
    def cwd(self) -> str:
        """The working directory of its processes."""
        return self._spec.get("workingDir") or "/"

    @property
    def runs(self) -> bool:
        """Whether it runs."""
        return self._session is not None

    # -- one run ---------------------------------------------------------------------------

    async def start(self, sandbox: Sandbox, argv: list[str]) -> ExecSession:
        """Start it. Raises OSError where it cannot be executed."""
        self.group = await sandbox.new_group()
        try:
            session = await processes.start(
                sandbox,
                argv,
                env=self.env,
                cwd=self.cwd,
                stdin=bool(self._spec.get("stdin")),
                tty=bool(self._spec.get("tty")),
                group=self.group,
            )
        except BaseException:
            await self.end_group()
            raise
        self.previous_log, self.log = self.log, ContainerLog()
        for fd in (session.stdout_fd, session.stderr_fd):
            if fd >= 0:
                self.log.attach(fd)
        self._session = session
        self._ended.clear()
        return session

    async def end_group(self) -> None:
        """With the main process all others of the container end."""
        group, self.group = self.group, None
        if group is not None:
            await group.end()

    def forget(self, session: ExecSession) -> None:
        """Nothing of this run is left: close its streams and its log."""
        self._session = None
        if session.stdin_fd >= 0:
            os.close(session.stdin_fd)
        if self.log is not None:
            self.log.close()
        self._ended.set()

    # -- while it runs ---------------------------------------------------------------------

    async def run_command(
        self, sandbox: Sandbox, argv: list[str], seconds: float
    ) -> tuple[int, str]:
        """Run a command in the container and wait for it: its exit code and its output.

        Raises OSError where it does not start, TimeoutError where it does not end in time.
        """
        if self.group is None:
            raise ProcessLookupError(errno.ESRCH, "the container does not run", self._spec["name"])
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

    def prober(self, context: PodContext) -> Prober:
        """What looks at the container for its probes and its lifecycle hooks."""
        ports = {
            port["name"]: int(port["containerPort"])
            for port in self._spec.get("ports") or []
            if port.get("name")
        }

        async def run_command(argv: list[str], seconds: float) -> tuple[int, str]:
            return await self.run_command(context.sandbox, argv, seconds)

        return Prober(netns_fd=context.node_netns_fd, ip=context.ip, ports=ports, run=run_command)

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
        if self._spec.get("stdinOnce"):
            session.stdin_fd = -1  # its end is the end of the container's stdin
        elif stdin_fd >= 0:
            stdin_fd = os.dup(stdin_fd)
        return ExecSession(
            process=session.process, stdin_fd=stdin_fd, stdout_fd=reading, stderr_fd=-1
        )

    # -- the end ---------------------------------------------------------------------------

    def signal(self, signum: int) -> None:
        """Send a signal to it, where it runs."""
        if self._session is not None:
            self._session.process.signal(signum)

    async def terminate(self, grace_seconds: float) -> None:
        """SIGTERM, and SIGKILL where it is still there after the grace."""
        if not self.runs:
            return
        self.signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(grace_seconds):
                await self._ended.wait()
        except TimeoutError:
            self.signal(signal.SIGKILL)

    async def ended(self) -> None:
        """Wait until it does not run."""
        await self._ended.wait()
