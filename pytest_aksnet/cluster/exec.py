"""Runs one command in one pod over a stream of its own: `StreamExecutor`.

Owns the bounded retries of transport failures, and the deadline. It never raises for what a command
or a stream did: that is an `Execution`. Synchronous outside, on the cluster's stream loop inside.
"""

import asyncio
import time
from collections.abc import Sequence

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception
from tenacity.stop import stop_base

from pytest_aksnet.cluster.attempt import Attempt
from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.rest import backoff_s
from pytest_aksnet.cluster.retries import RetryCounter
from pytest_aksnet.cluster.stream import SILENT, STDERR, STDOUT, StreamFailed
from pytest_aksnet.model.command_line import shell_line
from pytest_aksnet.model.execution import Completed, Execution, NotCompleted, Reason
from pytest_aksnet.model.peers import PodRef

# Tries of one call after which the command may have run; those that cost seconds of silence; and
# tries in all: a server that refuses (429, 5xx, restarting) is asked for about 5 s, or as long as
# its Retry-After says.
ATTEMPTS = 3
SILENT_ATTEMPTS = 2
ALL_ATTEMPTS = 8


class StreamExecutor:
    """`model.execution.Executor` over WebSockets; safe to call from many threads.

    A try whose stream broke is repeated within the deadline, and counted: the command may then have
    run up to three times, so it should only look. At the deadline the stream closes, which ends the
    command in the pod; where the path has silently died, the command's envelope ends it, about two
    seconds after the deadline. `retries` counts the repeated tries of all calls by cause.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self.retries = RetryCounter()

    def run(
        self, pod: PodRef, argv: Sequence[str], *, timeout_s: float, stdin: bytes = b""
    ) -> Execution:
        """Run `argv` in `pod`; end it after `timeout_s` seconds, retries included.

        `stdin` is all that the command's standard input gives, in every try.
        """
        return self._cluster.loop.run(self._run(pod, tuple(argv), timeout_s, stdin))

    async def _run(
        self, pod: PodRef, argv: tuple[str, ...], timeout_s: float, stdin: bytes
    ) -> Execution:
        started = time.monotonic()
        attempt = Attempt(self._cluster, pod, argv, stdin, started + timeout_s)
        earlier = ""

        def note(state: RetryCallState) -> None:
            nonlocal earlier
            failed = _failure(state)
            earlier = f"; the try before: {failed.detail}"
            self.retries.add(failed.cause)

        retrying = AsyncRetrying(
            sleep=asyncio.sleep,
            stop=_Limits(attempt.deadline),
            wait=backoff_s,
            retry=retry_if_exception(_transient),
            before_sleep=note,
            reraise=True,
        )
        try:
            exit_code: int = await retrying(attempt.run)
        except StreamFailed as failed:
            return NotCompleted(
                argv=argv,
                reason=failed.reason,
                detail=failed.detail + (earlier if failed.reason is Reason.DEADLINE else ""),
                stdout=attempt.text(STDOUT),
                stderr=attempt.text(STDERR),
                duration_s=time.monotonic() - started,
                attempts=attempt.number,
            )
        return Completed(
            argv=argv,
            exit_code=exit_code,
            stdout=attempt.text(STDOUT),
            stderr=attempt.text(STDERR),
            duration_s=time.monotonic() - started,
            attempts=attempt.number,
        )

    def command_line(self, pod: PodRef, argv: Sequence[str]) -> str:
        """The kubectl command that repeats this by hand, on one line and safe to paste."""
        words = ["kubectl", *self._cluster.access.kubectl, "exec", "-n", pod.namespace, pod.name]
        return shell_line([*words, "-c", pod.container, "--", *argv])


def _transient(error: BaseException) -> bool:
    return isinstance(error, StreamFailed) and error.transient


def _failure(state: RetryCallState) -> StreamFailed:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, StreamFailed)
    return error


class _Limits(stop_base):
    """Stops after enough tries, or where the next one would start behind the deadline.

    `deadline` is in seconds of time.monotonic().
    """

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline
        self._started = self._silent = 0

    def __call__(self, retry_state: RetryCallState) -> bool:
        failed = _failure(retry_state)
        self._started += failed.started
        self._silent += failed.cause == SILENT
        return (
            self._started >= ATTEMPTS
            or self._silent >= SILENT_ATTEMPTS
            or retry_state.attempt_number >= ALL_ATTEMPTS
            or time.monotonic() + retry_state.upcoming_sleep >= self._deadline
        )
