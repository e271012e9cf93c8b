"""One agent at the other end of one exec stream: its lines, its numbers, its heartbeat.

Owns when a stream counts as broken: it ended, a number is missing, a line is no answer, or nothing
came in time after a ping. A broken channel is never mended; `agent.AgentPool` opens another one.
Everything here runs on the stream loop.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from pytest_aksnet.cluster.agent_wire import (
    NotUnderstood,
    list_lines,
    ping_line,
    read_answer,
    read_line,
    split_lines,
)
from pytest_aksnet.cluster.envelope import StreamStatus, cannot_start, read_status
from pytest_aksnet.cluster.stream import STATUS, STDERR, STDOUT, StreamFailed
from pytest_aksnet.model.execution import Reason
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import AgentScript, Answer

HEARTBEAT_S = 5.0
_BUSY_HEARTBEAT_S = 1.0
_SHORTEST_SILENCE_S = 1.5
_LONGEST_LINE = 1 << 20
_KEPT_STDERR = 2000
_HELLO_LIMIT_S = 10.0
# Python's end by an exception (an old version), a shell's by a syntax error, and the codes of 126
# "cannot be executed" and 127 "not found" where a shell starts it.
_SCRIPT_DOES_NOT_RUN = (1, 2, 126, 127)


class Stream(Protocol):
    """What a channel needs of cluster.stream.ExecStream."""

    async def receive(self, deadline: float) -> tuple[int, bytes] | None:
        """The next frame, None at the end. Raises StreamFailed."""
        ...

    async def send(self, payload: bytes) -> None:
        """To standard input. Raises StreamFailed."""
        ...

    async def close(self) -> None:
        """End it at once."""
        ...


OpenStream = Callable[[PodRef, Sequence[str], float], Awaitable[Stream]]


class NoInterpreter(StreamFailed):
    """The image has not what the script is written for."""


class Listing:
    """One list on one channel: what came of it so far.

    `lost` says why no more will come; `end` is the end marker.
    """

    def __init__(self, asked: Sequence[int], silence_s: float) -> None:
        self.asked = frozenset(asked)
        self.silence_s = silence_s
        self.answers: dict[int, Answer] = {}
        self.end: dict[str, Any] = {}
        self.lost: StreamFailed | None = None
        self.over = asyncio.Event()


class AgentChannel:
    """An agent that has said hello."""

    def __init__(self, stream: Stream, script: AgentScript, heartbeat_s: float) -> None:
        self.gaps = 0
        self.hello: dict[str, Any] = {}
        self._stream = stream
        self._script = script
        self._heartbeat_s = heartbeat_s
        self._listings: dict[int, Listing] = {}
        self._next_list = self._next_ping = self._next_number = 0
        self._rest = b""
        self._stderr = b""
        self._status = b""
        self._failed: StreamFailed | None = None
        self._asked_since: float | None = None
        self._said_hello = asyncio.Event()
        self._news = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def alive(self) -> bool:
        """Whether lists may be sent."""
        return self._failed is None

    async def start(self, deadline: float) -> None:
        """Send the script and wait for the hello. Raises NoInterpreter or StreamFailed."""
        self._tasks.append(asyncio.create_task(self._read()))
        try:
            async with asyncio.timeout_at(min(deadline, time.monotonic() + _HELLO_LIMIT_S)):
                await self._stream.send(self._script.text.encode())
                await self._said_hello.wait()
        except TimeoutError:
            self._fail(Reason.CUT, "the agent did not start in time")
        except StreamFailed as failed:
            # What was read says more than that writing has failed.
            await asyncio.sleep(0.05)
            self._fail(failed.reason, failed.detail)
        except BaseException:
            await self.close()
            raise
        if self._failed is not None:
            raise self._failed
        self._tasks.append(asyncio.create_task(self._beat()))

    async def ask(
        self, probes: Sequence[str], wanted: Sequence[int], budget_s: float, deadline: float
    ) -> Listing:
        """Ask a list and wait for its end, its loss or the deadline (time.monotonic()).

        The agent gives it `budget_s` seconds. Cancelling closes the channel, and with it the agent.
        """
        listing = Listing(wanted, max(_SHORTEST_SILENCE_S, min(budget_s / 3, self._heartbeat_s)))
        number = self._next_list
        self._next_list += 1
        self._listings[number] = listing
        try:
            async with asyncio.timeout_at(deadline):
                await self._stream.send(list_lines(number, budget_s, probes, wanted))
                self._news.set()
                await listing.over.wait()
        except TimeoutError:
            listing.lost = StreamFailed(Reason.DEADLINE, "the deadline passed")
            if self.alive:
                self._fail(Reason.CUT, "the agent did not end a list in time")
        except StreamFailed as failed:
            await asyncio.sleep(0.05)  # the reader learns why
            self._fail(failed.reason, failed.detail)
            listing.lost = self._failed
        except BaseException:
            await self.close()
            raise
        finally:
            self._listings.pop(number, None)
        return listing

    async def close(self) -> None:
        """End the stream, and with it the agent."""
        self._fail(Reason.CUT, "closed")
        await self._stream.close()

    # -- what comes

    async def _read(self) -> None:
        for_ever = time.monotonic() + 10 * 365 * 86400
        try:
            while self._failed is None:
                frame = await self._stream.receive(for_ever)
                if frame is None:
                    self._ended()
                    return
                channel, payload = frame
                if channel == STDOUT:
                    self._take(payload)
                elif channel == STDERR:
                    self._stderr = (self._stderr + payload)[-_KEPT_STDERR:]
                elif channel == STATUS:
                    self._status += payload
        except NotUnderstood as error:
            self._fail(Reason.CUT, f"the agent said what it never says: {error}")
        except StreamFailed as failed:
            if self._status:
                self._ended()
            else:
                self._fail(failed.reason, failed.detail)

    def _take(self, data: bytes) -> None:
        self._rest, lines = split_lines(self._rest, data)
        if len(self._rest) > _LONGEST_LINE:
            raise NotUnderstood("a line without an end")
        for line in lines:
            said = read_line(line)
            if said["n"] != self._next_number:
                self.gaps += 1
                raise NotUnderstood(f"line {said['n']} where {self._next_number} was due")
            self._next_number += 1
            self._asked_since = None
            number = said.get("b")
            if number is not None:
                listing = self._listings.get(number)
                if listing is None:
                    continue
                if "end" in said:
                    listing.end = said
                    listing.over.set()
                elif said.get("i") in listing.asked:
                    listing.answers[said["i"]] = read_answer(said)
            elif "hello" in said:
                self.hello = said
                self._said_hello.set()
            elif "bad" in said:
                raise NotUnderstood(f"it did not understand us: {said['bad']}")

    def _ended(self) -> None:
        status = read_status(self._status) if self._status else StreamStatus(None, "no status")
        said = " ".join(self._stderr.decode("utf-8", "backslashreplace").split())[-500:]
        code = f"exit code {status.exit_code}" if status.exit_code is not None else status.text
        detail = f"the agent ended: {code}{': ' + said if said else ''}"
        unable = cannot_start(status) or status.exit_code in _SCRIPT_DOES_NOT_RUN
        if not self._said_hello.is_set() and unable:
            self._end_with(NoInterpreter(Reason.REFUSED, f"{self._script.argv[0]}: {detail}"))
        else:
            self._fail(Reason.CUT, detail)

    def _fail(self, reason: Reason, detail: str) -> None:
        self._end_with(StreamFailed(reason, detail, transient=True))

    def _end_with(self, failed: StreamFailed) -> None:
        if self._failed is not None:
            return
        self._failed = failed
        self._said_hello.set()
        for listing in self._listings.values():
            if not listing.over.is_set():
                listing.lost = failed
                listing.over.set()
        current = asyncio.current_task()
        for task in self._tasks:
            if task is not current:
                task.cancel()
        self._closing = asyncio.ensure_future(self._stream.close())

    # -- whether it lives

    async def _beat(self) -> None:
        try:
            while True:
                self._news.clear()
                patience, now = self._patience(), time.monotonic()
                if self._asked_since is None:
                    self._asked_since = now
                silent = now - self._asked_since
                if silent >= patience:
                    raise StreamFailed(
                        Reason.CUT, f"nothing came from the agent for {silent:.1f} s"
                    )
                await self._ping(patience)
                busy = bool(self._listings)
                pause = min(self._heartbeat_s, _BUSY_HEARTBEAT_S) if busy else self._heartbeat_s
                if silent:
                    pause = min(pause, max(patience - silent, 0.01))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._news.wait()  # a new list brings the next ping forward
        except StreamFailed as failed:
            self._fail(failed.reason, failed.detail)

    def _patience(self) -> float:
        """How long the agent may say nothing after it was asked (seconds)."""
        impatient = (listing.silence_s for listing in self._listings.values())
        return min(impatient, default=self._heartbeat_s)

    async def _ping(self, patience: float) -> None:
        self._next_ping += 1
        try:
            async with asyncio.timeout(patience):
                await self._stream.send(ping_line(self._next_ping))
        except TimeoutError as error:
            raise StreamFailed(Reason.CUT, "the stream takes no more input") from error
