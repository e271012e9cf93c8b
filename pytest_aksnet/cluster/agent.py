"""`AgentPool`: the agents of many pods, one open exec stream each; `model.probing.Prober`.

Owns when a stream is opened, replaced and closed, and what is asked again on a new one. All streams
live on the cluster's stream loop; outside it is synchronous, for many threads.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from tenacity.stop import stop_base

from pytest_aksnet.cluster.agent_channel import (
    HEARTBEAT_S,
    AgentChannel,
    NoInterpreter,
    OpenStream,
    Stream,
)
from pytest_aksnet.cluster.agent_wire import probe_words
from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.fate import fate_of
from pytest_aksnet.cluster.loop import StreamLoop, in_thread
from pytest_aksnet.cluster.rest import Rest, backoff_s
from pytest_aksnet.cluster.retries import RetryCounter
from pytest_aksnet.cluster.stream import StreamFailed, open_exec
from pytest_aksnet.model.execution import Reason
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import AgentScript, Answer, Batch, Probe

# A list is asked on at most so many streams; a stream is tried to be opened at most so often.
STREAMS_PER_LIST = 3
OPENINGS = 8
GRACE_S = 2.0
_OPENING_AT_ONCE = 16
_SHORTEST_BUDGET_S = 0.05


@dataclass(slots=True)
class _Seat:
    """The place of one pod: its present channel, and which of the scripts its image can run."""

    pod: PodRef
    script: int = 0
    channel: AgentChannel | None = None
    opening: asyncio.Lock = field(default_factory=asyncio.Lock)


class AgentPool:
    """Opens a stream to a pod when the pod is first asked, and keeps it; `close` it at the end.

    `scripts` are tried in order until the pod's image can run one. A stream that broke is replaced
    within the budget of the list: answers that came are kept, the others are asked for again, at
    most twice. `retries` counts what was done again, by cause.
    """

    def __init__(
        self,
        loop: StreamLoop,
        open_stream: OpenStream,
        scripts: Sequence[AgentScript],
        *,
        rest: Rest | None = None,
        heartbeat_s: float = HEARTBEAT_S,
    ) -> None:
        self.retries = RetryCounter()
        self._loop = loop
        self._open_stream = open_stream
        self._scripts = tuple(scripts)
        self._rest = rest
        self._heartbeat_s = heartbeat_s
        self._seats: dict[PodRef, _Seat] = {}
        self._openings = asyncio.Semaphore(_OPENING_AT_ONCE)

    def probe(self, pod: PodRef, probes: Sequence[Probe], *, budget_s: float) -> Batch:
        """See model.probing.Prober."""
        return self.probe_many({pod: probes}, budget_s=budget_s)[pod]

    def probe_many(
        self, lists: Mapping[PodRef, Sequence[Probe]], *, budget_s: float
    ) -> dict[PodRef, Batch]:
        """Ask many pods at once, each its own list; see `probe`."""
        words = {pod: [probe_words(probe) for probe in probes] for pod, probes in lists.items()}
        return self._loop.run(self._probe_many(words, budget_s))

    def close(self) -> None:
        """Close all streams, which ends the agents; the pool opens new ones when asked again."""
        self._loop.run(self._close())

    async def _probe_many(
        self, words: Mapping[PodRef, Sequence[str]], budget_s: float
    ) -> dict[PodRef, Batch]:
        async with asyncio.TaskGroup() as group:
            tasks = {
                pod: group.create_task(self._probe(pod, listed, budget_s))
                for pod, listed in words.items()
            }
        return {pod: task.result() for pod, task in tasks.items()}

    async def _close(self) -> None:
        seats, self._seats = self._seats, {}
        for seat in seats.values():
            if seat.channel is not None:
                await seat.channel.close()

    async def _probe(self, pod: PodRef, words: Sequence[str], budget_s: float) -> Batch:
        started = time.monotonic()
        over = started + budget_s
        seat = self._seats.setdefault(pod, _Seat(pod))
        answers: dict[int, Answer] = {}
        left: Sequence[int] = range(len(words))
        streams = asked_again = gaps = 0
        stall_ms, ended, problem = 0.0, not words, ""
        while left and streams < STREAMS_PER_LIST:
            budget = over - time.monotonic()
            if budget < _SHORTEST_BUDGET_S:
                problem = problem or "no time was left"
                break
            try:
                channel = await self._channel(seat, over)
            except StreamFailed as failed:
                problem = failed.detail
                break
            asked_again += len(left) if streams else 0
            streams += 1
            budget = max(over - time.monotonic(), _SHORTEST_BUDGET_S)
            listing = await channel.ask(words, left, budget, over + GRACE_S)
            answers.update(listing.answers)
            gaps += channel.gaps
            left = [index for index in left if index not in listing.answers]
            if listing.lost is None:
                stall_ms += float(listing.end.get("stall", 0.0))
                ended = not left
                if left:
                    problem = f"the time given, {budget_s:g} s, was over"
                break
            problem = listing.lost.detail
            if left:
                self.retries.add("agent stream broken")
        return Batch(
            answers=tuple(answers.get(index) for index in range(len(words))),
            ended=ended,
            gaps=gaps,
            stall_ms=stall_ms,
            duration_s=time.monotonic() - started,
            streams=streams,
            asked_again=asked_again,
            problem="" if ended else problem,
        )

    async def _channel(self, seat: _Seat, deadline: float) -> AgentChannel:
        """The seat's living channel. Raises StreamFailed."""
        async with seat.opening:
            if seat.channel is not None and seat.channel.alive:
                return seat.channel
            seat.channel = None
            retrying = AsyncRetrying(
                sleep=asyncio.sleep,
                stop=_Limits(deadline),
                wait=backoff_s,
                retry=retry_if_exception(_transient),
                before_sleep=self._count,
                reraise=True,
            )
            channel: AgentChannel = await retrying(self._open, seat, deadline)
            seat.channel = channel
            return channel

    async def _open(self, seat: _Seat, deadline: float) -> AgentChannel:
        while True:
            script = self._scripts[seat.script]
            try:
                async with self._openings:
                    stream = await self._open_stream(seat.pod, script.argv, deadline)
                    channel = AgentChannel(stream, script, self._heartbeat_s)
                    await channel.start(deadline)
                return channel
            except NoInterpreter:
                if seat.script + 1 == len(self._scripts):
                    raise
                seat.script += 1
            except StreamFailed as failed:
                raise await self._explained(seat.pod, failed) from failed

    async def _explained(self, pod: PodRef, failed: StreamFailed) -> StreamFailed:
        """The failure, final where the pod will never run anything again."""
        rest = self._rest
        if rest is None or failed.reason is not Reason.POD_GONE or not failed.transient:
            return failed
        fate = await in_thread(lambda: fate_of(rest, pod))
        if fate is None or not fate.final:
            return failed
        return StreamFailed(Reason.POD_GONE, f"{failed.detail}: {fate.text}")

    def _count(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self.retries.add(error.cause if isinstance(error, StreamFailed) else "agent")


def agents_of(cluster: Cluster, scripts: Sequence[AgentScript]) -> AgentPool:
    """The pool for the pods of a cluster."""

    async def open_stream(pod: PodRef, argv: Sequence[str], deadline: float) -> Stream:
        return await open_exec(cluster.access, pod, argv, deadline)

    return AgentPool(cluster.loop, open_stream, scripts, rest=cluster.rest)


def _transient(error: BaseException) -> bool:
    return isinstance(error, StreamFailed) and error.transient


class _Limits(stop_base):
    """Stops after enough tries, or where the next one would start behind the deadline."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def __call__(self, retry_state: RetryCallState) -> bool:
        return (
            retry_state.attempt_number >= OPENINGS
            or time.monotonic() + retry_state.upcoming_sleep >= self._deadline
        )
