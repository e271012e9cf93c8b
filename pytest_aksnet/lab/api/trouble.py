"""What is wrong with the API server at the moment: kinds of trouble, how much of each, the dice.

Owns the state and the chance; what the wire then shows is in `trouble_requests` (requests),
`stream_trouble` (exec streams), `watching` and `front` (restarts). Nothing is wrong until a fault
says so. Who asks here are requests of others: the lab's controllers use the store directly, and
its own routes, /lab/v1, are never disturbed.
"""

import asyncio
import contextlib
import enum
import logging
import random
import secrets
from collections.abc import Awaitable, Callable
from typing import Protocol

from pytest_aksnet.lab.api.metrics import Deprecated

_log = logging.getLogger(__name__)
_SEED_BITS = 32
_BURST_LENGTHS = (1, 2, 3, 4)
_BURST_SECONDS = 1.0
# Whose pods are the cluster's own, and spared.
SYSTEM_NAMESPACES = frozenset({"calico-system", "kube-node-lease", "kube-public", "kube-system"})


@enum.unique
class Kind(enum.Enum):
    """Kinds of trouble, and what their value means."""

    TOO_MANY_REQUESTS = "probability per request"
    SERVER_ERRORS = "share of the requests that fall into a burst"
    LATENCY = "seconds per request and per frame of a stream"
    ROUND_TRIP = "seconds from a client to the server and back"
    SOME_LATENCY = "probability per request and frame of the default latency"
    WATCH_EXPIRED = "probability per watch and per batch of its events"
    QUOTA = "probability per created pod"
    EXEC_REFUSED = "probability per exec, before its handshake"
    STREAM_CUT = "probability per exec stream"
    STREAM_HALF_OPEN = "probability per exec stream, half open"
    STATUS_LOST = "probability per exec status"
    FALSE_SUCCESS = "probability per exec status to be false"
    OUTPUT_LOST = "probability per exec output"
    PULL_FAILS = "probability per pod, for its images"
    SLOW_START = "seconds per pod"
    SOME_SLOW_START = "probability per pod of the default delay"
    RESTART = "restarts a second"
    TOKEN = "expiries a second"
    EVICTION = "evictions a second"


DEFAULT_LATENCY_SECONDS = 0.15
DEFAULT_START_SECONDS = 3.0


class Disturbable(Protocol):
    """Something that stays open, such as a stream, and that trouble may hit meanwhile."""

    def strike(self, kind: Kind) -> None:
        """Trouble of a kind has begun."""
        ...

    def relieve(self, kind: Kind) -> None:
        """Trouble of a kind is over."""
        ...


class Trouble:
    """The troubles of one API server. `seed` repeats the dice, as far as clients repeat the calls.

    Values of one kind that several faults set do not add up: the greatest counts. `deprecated` are
    APIs that somebody asks beside what is asked here, `version` what /version says, "" for the
    lab's own.
    """

    def __init__(self, seed: int | None = None) -> None:
        self.seed = secrets.randbits(_SEED_BITS) if seed is None else seed
        self.random = random.Random(self.seed)
        self.deprecated: set[Deprecated] = set()
        self.version = ""
        self._values: dict[Kind, dict[str, float]] = {kind: {} for kind in Kind}
        self._repeating: dict[tuple[Kind, str], asyncio.Task[None]] = {}
        self._open: set[Disturbable] = set()
        self._refused_tokens: dict[str, float] = {}
        self._tokens: set[str] = set()
        self._burst_left = 0
        self._burst_end = 0.0

    # -- what faults set -------------------------------------------------------------------

    def begin(self, kind: Kind, fault: str, value: float) -> None:
        """A fault sets the value of a kind; streams that are open are hit as well."""
        self._values[kind][fault] = value
        for one in tuple(self._open):
            one.strike(kind)

    def end(self, kind: Kind, fault: str) -> None:
        """A fault takes its value back; harmless where it has set none."""
        self._values[kind].pop(fault, None)
        if not self._values[kind]:
            for one in tuple(self._open):
                one.relieve(kind)

    async def repeat(
        self, kind: Kind, fault: str, rate: float, happen: Callable[[], Awaitable[None]]
    ) -> None:
        """Let something happen at random moments, `rate` times a second on average."""
        await self.stop(kind, fault)

        async def live() -> None:
            while True:
                await asyncio.sleep(self.random.expovariate(rate))
                try:
                    await happen()
                except Exception:
                    _log.exception("fault %s", fault)

        self._repeating[kind, fault] = asyncio.create_task(live(), name=f"fault {fault}")

    async def stop(self, kind: Kind, fault: str) -> None:
        """End what `repeat` began; what is happening ends first."""
        task = self._repeating.pop((kind, fault), None)
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    # -- the dice --------------------------------------------------------------------------

    def value(self, kind: Kind) -> float:
        """The value of a kind; 0 where nothing is wrong."""
        return max(self._values[kind].values(), default=0.0)

    def strikes(self, kind: Kind) -> bool:
        """Whether trouble of a kind hits this time."""
        value = self.value(kind)
        return value > 0 and self.random.random() < value

    def latency(self) -> float:
        """Seconds that this request or frame is late."""
        late = DEFAULT_LATENCY_SECONDS if self.strikes(Kind.SOME_LATENCY) else 0.0
        return max(self.value(Kind.LATENCY), late)

    def start_delay(self) -> float:
        """Seconds that this pod starts later."""
        late = DEFAULT_START_SECONDS if self.strikes(Kind.SOME_SLOW_START) else 0.0
        return max(self.value(Kind.SLOW_START), late)

    def in_burst(self) -> bool:
        """Whether this request falls into a burst of server errors, or begins one.

        Bursts have 1 to 4 requests and last a second at most; as many begin as the share needs.
        """
        share = self.value(Kind.SERVER_ERRORS)
        if share <= 0:
            return False
        now = asyncio.get_running_loop().time()
        if self._burst_left > 0 and now < self._burst_end:
            self._burst_left -= 1
            return True
        mean = sum(_BURST_LENGTHS) / len(_BURST_LENGTHS)
        if share < 1 and self.random.random() >= share / (share + mean * (1 - share)):
            return False
        self._burst_left = self.random.choice(_BURST_LENGTHS) - 1
        self._burst_end = now + _BURST_SECONDS
        return True

    # -- tokens ----------------------------------------------------------------------------

    def refuses_token(self, token: str) -> bool:
        """Whether a token that is otherwise good counts as expired now."""
        self._tokens.add(token)
        until = self._refused_tokens.get(token, 0.0)
        return asyncio.get_running_loop().time() < until

    def expire_tokens(self, seconds: float) -> None:
        """Refuse every token seen so far for that long; a new one is good."""
        until = asyncio.get_running_loop().time() + seconds
        self._refused_tokens = dict.fromkeys(self._tokens, until)

    def forgive_tokens(self) -> None:
        """All tokens are good again."""
        self._refused_tokens.clear()

    # -- what is open ----------------------------------------------------------------------

    def watch_over(self, one: Disturbable) -> None:
        """Tell it of trouble from now on."""
        self._open.add(one)

    def leave(self, one: Disturbable) -> None:
        """It has ended."""
        self._open.discard(one)
