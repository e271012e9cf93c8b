"""The tries of one command: what the last one received, and whether that proves how it ended.

Owns the rule when a command counts as completed: the end marks of its envelope, on both output
streams, and the status of the stream agree.
"""

import asyncio
import math
import secrets
import time

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.envelope import (
    StreamStatus,
    cannot_start,
    open_envelope,
    read_status,
    without_mark,
    wrap,
)
from pytest_aksnet.cluster.fate import Fate, fate_of
from pytest_aksnet.cluster.loop import in_thread
from pytest_aksnet.cluster.stream import (
    STATUS,
    STDERR,
    STDOUT,
    ExecStream,
    StreamFailed,
    open_exec,
)
from pytest_aksnet.model.execution import Reason
from pytest_aksnet.model.peers import PodRef

OUTPUT_LIMIT = 8 * 1024 * 1024
_KILLED = 137


class Attempt:
    """The tries of one call. `number` is how many there were; `deadline` is time.monotonic()."""

    def __init__(
        self, cluster: Cluster, pod: PodRef, argv: tuple[str, ...], stdin: bytes, deadline: float
    ) -> None:
        self.deadline = deadline
        self.number = 0
        self._cluster = cluster
        self._pod = pod
        self._argv = argv
        self._stdin = stdin
        self._nonce = ""
        self._chunks: dict[int, list[bytes]] = {}
        self._size = 0

    def text(self, channel: int) -> str:
        """What arrived on a channel, without the end mark; bytes that are no UTF-8 replaced."""
        return without_mark(self._received(channel), self._nonce).decode("utf-8", errors="replace")

    async def run(self) -> int:
        """One try: the exit code. Raises StreamFailed."""
        self.number += 1
        self._nonce = f"aksnet-{secrets.token_hex(8)}"
        self._chunks = {STDOUT: [], STDERR: [], STATUS: []}
        self._size = 0
        stream = await self._open()
        feeding = asyncio.create_task(self._feed(stream)) if self._stdin else None
        try:
            while (frame := await stream.receive(self.deadline)) is not None:
                self._take(*frame)
        except StreamFailed as failed:
            # All that proves the end may be here although the farewell is missing.
            if failed.reason is not Reason.CUT or not self._chunks[STATUS]:
                raise
        finally:
            if feeding is not None:
                feeding.cancel()
            await stream.close()
        return await self._settle()

    async def _open(self) -> ExecStream:
        # A command that ends by itself at the very deadline must not be ended by its envelope.
        seconds = math.ceil(max(0.0, self.deadline - time.monotonic())) + 1
        words = wrap(self._argv, self._nonce, seconds=seconds, stdin_bytes=len(self._stdin))
        try:
            return await open_exec(self._cluster.access, self._pod, words, self.deadline)
        except StreamFailed as failed:
            if failed.reason is Reason.POD_GONE and failed.transient:
                fate = await self._fate()
                if fate is not None and fate.final:
                    detail = f"{failed.detail}: {fate.text}"
                    raise StreamFailed(Reason.POD_GONE, detail, started=False) from failed
            raise

    async def _feed(self, stream: ExecStream) -> None:
        try:
            await stream.send(self._stdin)
            await stream.end_input()
        except StreamFailed:
            return  # whoever receives learns it as well

    def _take(self, channel: int, payload: bytes) -> None:
        if channel not in self._chunks:
            return
        self._chunks[channel].append(payload)
        self._size += len(payload)
        if self._size > OUTPUT_LIMIT:
            raise StreamFailed(
                Reason.CUT, f"stopped reading: more than {OUTPUT_LIMIT // 2**20} MiB of output"
            )

    def _received(self, channel: int) -> bytes:
        return b"".join(self._chunks.get(channel, ()))

    async def _settle(self) -> int:
        if not self._chunks[STATUS]:
            raise StreamFailed(
                Reason.STATUS_LOST, "the stream ended without a status", transient=True
            )
        status = read_status(self._received(STATUS))
        marks = [open_envelope(self._received(c), self._nonce) for c in (STDOUT, STDERR)]
        codes = [mark[1] for mark in marks if mark is not None]
        if len(codes) == len(marks) and all(code == status.exit_code for code in codes):
            return codes[0]
        if not codes:
            raise await self._unmarked(status)
        said = f"exit code {status.exit_code}" if status.exit_code is not None else status.text
        raise StreamFailed(
            Reason.STATUS_LOST,
            f"the command's end marks say {codes} and the stream says {said!r}: output or status "
            "was lost",
            transient=True,
        )

    async def _unmarked(self, status: StreamStatus) -> StreamFailed:
        """The error where the command left no end mark at all."""
        if status.exit_code is None:
            # InternalError: the runtime could not start sh, or the kubelet could not be reached.
            unable = cannot_start(status)
            return StreamFailed(Reason.REFUSED, status.text, transient=not unable)
        if status.exit_code == _KILLED:
            fate = await self._fate()
            if fate is not None:
                return StreamFailed(Reason.POD_GONE, f"the command was killed: {fate.text}")
        return StreamFailed(
            Reason.STATUS_LOST,
            f"the stream says exit code {status.exit_code}, but the command's own end mark is "
            "missing",
            transient=status.exit_code != _KILLED,
        )

    async def _fate(self) -> Fate | None:
        try:
            async with asyncio.timeout_at(self.deadline):
                return await in_thread(lambda: fate_of(self._cluster.rest, self._pod))
        except TimeoutError:
            return None
