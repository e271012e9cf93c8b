"""Agents on hosts outside the cluster: a process each, by a command such as ssh, or here.

Owns how an agent gets to such a host. What is asked of it goes the way of all agents: a
`cluster.agent.AgentPool` whose streams are the standard streams of these processes. Nothing is
left on the host: the agent's text goes through its standard input, and it ends with it.
"""

import asyncio
import contextlib
import json
import shlex
import sys
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence

from pytest_aksnet.cluster.agent import AgentPool
from pytest_aksnet.cluster.agent_channel import Stream
from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.stream import STATUS, STDERR, STDOUT, StreamFailed
from pytest_aksnet.model.execution import Reason
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import AgentScript

_READ = 65536
_END_LIMIT_S = 2.0


class ProcessStream:
    """The standard streams of a process, in the frames of an exec stream."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._frames: asyncio.Queue[tuple[int, bytes] | None] = asyncio.Queue()
        self._pumping = asyncio.create_task(self._pump())

    async def receive(self, deadline: float) -> tuple[int, bytes] | None:
        """The next frame, None at the end. Raises StreamFailed."""
        try:
            async with asyncio.timeout_at(deadline):
                return await self._frames.get()
        except TimeoutError as error:
            raise StreamFailed(Reason.DEADLINE, "no end within the time given") from error

    async def send(self, payload: bytes) -> None:
        """To standard input. Raises StreamFailed."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(payload)
            await self._process.stdin.drain()
        except OSError as error:
            raise StreamFailed(
                Reason.CUT, f"the command takes no input: {error.strerror}", transient=True
            ) from error

    async def close(self) -> None:
        """End the process: its input ends, and it is killed where that does not end it."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            async with asyncio.timeout(_END_LIMIT_S):
                await self._process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
        self._pumping.cancel()

    async def _pump(self) -> None:
        await asyncio.gather(
            self._copy(self._process.stdout, STDOUT), self._copy(self._process.stderr, STDERR)
        )
        code = await self._process.wait()
        self._frames.put_nowait((STATUS, _status(code)))
        self._frames.put_nowait(None)

    async def _copy(self, source: asyncio.StreamReader | None, channel: int) -> None:
        assert source is not None
        while data := await source.read(_READ):
            self._frames.put_nowait((channel, data))


def _status(code: int) -> bytes:
    """The exit code of a process, as an exec stream ends."""
    if code == 0:
        return json.dumps({"metadata": {}, "status": "Success"}).encode()
    cause = {"reason": "ExitCode", "message": str(code)}
    return json.dumps(
        {
            "metadata": {},
            "status": "Failure",
            "message": f"command terminated with exit code {code}",
            "reason": "NonZeroExitCode",
            "details": {"causes": [cause]},
        }
    ).encode()


def _here(program: str) -> str:
    """The interpreter that runs this is there, whatever the PATH says."""
    return sys.executable if program == "python3" else program


def outside_agents(
    cluster: Cluster,
    scripts: Sequence[AgentScript],
    commands: Mapping[str, Sequence[str]],
) -> AgentPool:
    """Agents of hosts that are no pods, each named by a PodRef without namespace.

    `commands` has the argv, by the host's name, that takes a line of shell and runs it there; a
    host without one is the machine that this runs on.
    """

    async def open_stream(pod: PodRef, argv: Sequence[str], deadline: float) -> Stream:
        command = commands.get(pod.name, ())
        words = [*command, shlex.join(argv)] if command else [_here(argv[0]), *argv[1:]]
        try:
            async with asyncio.timeout_at(deadline):
                process = await asyncio.create_subprocess_exec(
                    *words, stdin=PIPE, stdout=PIPE, stderr=PIPE, start_new_session=True
                )
        except OSError as error:
            raise StreamFailed(
                Reason.REFUSED, f"{words[0]} cannot be started: {error.strerror}", started=False
            ) from error
        except TimeoutError as error:
            raise StreamFailed(Reason.DEADLINE, "no time was left", started=False) from error
        return ProcessStream(process)

    return AgentPool(cluster.loop, open_stream, scripts)
