"""Agents as processes of this machine, behind the interface of an exec stream."""

import asyncio
import contextlib
import json
import sys
from collections.abc import Sequence
from dataclasses import replace

from pytest_aksnet.cluster.stream import STATUS, STDERR, STDOUT, StreamFailed
from pytest_aksnet.model.execution import Reason
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import AgentScript
from pytest_aksnet.probes import agent

POD = PodRef(namespace="ns", name="pod", container="c", node="node-a", ip="127.0.0.1", uid="u")


def script(lease_s: float = 30.0) -> AgentScript:
    """The Python agent, run by this Python."""
    made = agent.script(lease_s)
    return replace(made, argv=(sys.executable, *made.argv[1:]))


class LocalStream:
    """The interface of cluster.stream.ExecStream over a local process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.process = process
        self.deaf = False
        self.lose_a_line = False
        self._frames: asyncio.Queue[tuple[int, bytes] | StreamFailed | None] = asyncio.Queue()
        assert process.stdout is not None
        assert process.stderr is not None
        self._tasks = [
            asyncio.create_task(self._pump(STDOUT, process.stdout)),
            asyncio.create_task(self._pump(STDERR, process.stderr)),
        ]
        self._waiter = asyncio.create_task(self._wait())

    async def _pump(self, channel: int, pipe: asyncio.StreamReader) -> None:
        while data := await pipe.read(65536):
            if self.lose_a_line:
                self.lose_a_line = False
                data = data.partition(b"\n")[2]
            if not self.deaf:
                self._frames.put_nowait((channel, data))

    async def _wait(self) -> None:
        await asyncio.gather(*self._tasks)
        code = await self.process.wait()
        code = code if code >= 0 else 128 - code
        cause = {"reason": "ExitCode", "message": str(code)}
        status = {"status": "Failure", "message": "", "details": {"causes": [cause]}}
        self._frames.put_nowait((STATUS, json.dumps(status).encode()))
        self._frames.put_nowait(None)

    async def over(self) -> None:
        """Wait for the end of the process, and of what read it."""
        await self._waiter

    def cut(self) -> None:
        """The connection breaks, for us; the process sees its input end."""
        self._frames.put_nowait(StreamFailed(Reason.CUT, "eof", transient=True))
        assert self.process.stdin is not None
        self.process.stdin.close()

    async def receive(self, deadline: float) -> tuple[int, bytes] | None:
        frame = await self._frames.get()
        if isinstance(frame, StreamFailed):
            raise frame
        return frame

    async def send(self, payload: bytes) -> None:
        assert self.process.stdin is not None
        if self.deaf:
            return
        with contextlib.suppress(OSError):
            self.process.stdin.write(payload)
            await self.process.stdin.drain()

    async def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()


class LocalPods:
    """Opens streams; remembers them."""

    async def ended(self) -> None:
        """Wait for the end of all processes."""
        for stream in self.streams:
            await asyncio.wait_for(stream.over(), 10)

    def __init__(self) -> None:
        self.streams: list[LocalStream] = []
        self.refusals: list[StreamFailed] = []

    async def open(self, pod: PodRef, argv: Sequence[str], deadline: float) -> LocalStream:
        if self.refusals:
            raise self.refusals.pop(0)
        try:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        except FileNotFoundError:
            # The status that a kubelet sends for a program that is not there.
            process = await asyncio.create_subprocess_exec(
                "sh",
                "-c",
                "exit 127",
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
        stream = LocalStream(process)
        self.streams.append(stream)
        return stream
