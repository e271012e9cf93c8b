"""Runs one command in one pod over a stream of its own: `StreamExecutor`.

Owns the rule when a command counts as completed, and the bounded retries of transport failures. It
never raises for what a command or a stream did: that is an `Execution`.
"""

import secrets
import shlex
import time
from collections.abc import Sequence

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_attempt,
    stop_any,
)
from tenacity.stop import stop_base

from pytest_aksnet.cluster.connect import Cluster
from pytest_aksnet.cluster.envelope import (
    StreamStatus,
    open_envelope,
    read_status,
    without_mark,
    wrap,
)
from pytest_aksnet.cluster.rest import backoff_s, path_of
from pytest_aksnet.cluster.stream import STATUS, STDERR, STDOUT, StreamFailed, open_exec
from pytest_aksnet.model.errors import EnvironmentProblem
from pytest_aksnet.model.execution import Completed, Execution, NotCompleted, Reason
from pytest_aksnet.model.peers import PodRef

ATTEMPTS = 3
OUTPUT_LIMIT = 8 * 1024 * 1024
_KILLED = 137
# What containerd and CRI-O say where the image has no sh, or where it may not be executed.
_CANNOT_START = ("failed to start exec", "executable file", "no such file", "permission denied")


class StreamExecutor:
    """`model.execution.Executor` over WebSockets; safe to call from many threads.

    A try whose stream broke is repeated up to three times within the deadline, and counted: the
    command may then have run more than once, so it should only look. At the deadline the stream
    closes, which ends the command in the pod; a path that has silently died keeps it running until
    the API server notices, so commands should bound themselves too.
    """

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def run(self, pod: PodRef, argv: Sequence[str], *, timeout_s: float) -> Execution:
        """Run `argv` in `pod`; end it after `timeout_s` seconds, retries included."""
        started = time.monotonic()
        attempt = _Attempt(self._cluster, pod, tuple(argv), started + timeout_s)
        attempts = 0

        def once() -> int:
            nonlocal attempts
            attempts += 1
            return attempt.run()

        retrying = Retrying(
            stop=stop_any(stop_after_attempt(ATTEMPTS), _OutOfTime(attempt.deadline)),
            wait=backoff_s,
            retry=retry_if_exception(_transient),
            reraise=True,
        )
        try:
            exit_code = retrying(once)
        except StreamFailed as failed:
            return NotCompleted(
                argv=attempt.argv,
                reason=failed.reason,
                detail=failed.detail,
                stdout=attempt.text(STDOUT),
                stderr=attempt.text(STDERR),
                duration_s=time.monotonic() - started,
                attempts=attempts,
            )
        return Completed(
            argv=attempt.argv,
            exit_code=exit_code,
            stdout=attempt.text(STDOUT),
            stderr=attempt.text(STDERR),
            duration_s=time.monotonic() - started,
            attempts=attempts,
        )

    def command_line(self, pod: PodRef, argv: Sequence[str]) -> str:
        """The kubectl command that repeats this by hand, quoted for a POSIX shell."""
        words = ["kubectl", *self._cluster.access.kubectl, "exec", "-n", pod.namespace, pod.name]
        return shlex.join([*words, "-c", pod.container, "--", *argv])


def _transient(error: BaseException) -> bool:
    return isinstance(error, StreamFailed) and error.transient


class _OutOfTime(stop_base):
    """Stops where the next try would start behind the deadline (time.monotonic(), seconds)."""

    def __init__(self, deadline: float) -> None:
        self._deadline = deadline

    def __call__(self, retry_state: RetryCallState) -> bool:
        return time.monotonic() + retry_state.upcoming_sleep >= self._deadline


class _Attempt:
    """The tries of one call: what the last one received, and how it ended."""

    def __init__(
        self, cluster: Cluster, pod: PodRef, argv: tuple[str, ...], deadline: float
    ) -> None:
        self.argv = argv
        self.deadline = deadline
        self._cluster = cluster
        self._pod = pod
        self._nonce = ""
        self._output: dict[int, bytearray] = {}

    def text(self, channel: int) -> str:
        """What arrived on a channel, without the end mark; bytes that are no UTF-8 replaced."""
        received = bytes(self._output.get(channel, b""))
        return without_mark(received, self._nonce).decode("utf-8", errors="replace")

    def run(self) -> int:
        """One try: the exit code. Raises StreamFailed."""
        self._nonce = f"aksnet-{secrets.token_hex(8)}"
        self._output = {STDOUT: bytearray(), STDERR: bytearray(), STATUS: bytearray()}
        stream = open_exec(
            self._cluster.access, self._pod, wrap(self.argv, self._nonce), self.deadline
        )
        try:
            while (frame := stream.receive(self.deadline)) is not None:
                self._take(*frame)
        except StreamFailed as failed:
            # All that proves the end may be here although the farewell is missing.
            if failed.reason is not Reason.CUT or not self._output[STATUS]:
                raise
        finally:
            stream.close()
        return self._settle()

    def _take(self, channel: int, payload: bytes) -> None:
        if channel not in self._output:
            return
        self._output[channel] += payload
        if sum(map(len, self._output.values())) > OUTPUT_LIMIT:
            raise StreamFailed(
                Reason.CUT, f"stopped reading: more than {OUTPUT_LIMIT // 2**20} MiB of output"
            )

    def _settle(self) -> int:
        if not self._output[STATUS]:
            raise StreamFailed(
                Reason.STATUS_LOST, "the stream ended without a status", transient=True
            )
        status = read_status(bytes(self._output[STATUS]))
        marks = [open_envelope(bytes(self._output[c]), self._nonce) for c in (STDOUT, STDERR)]
        codes = [mark[1] for mark in marks if mark is not None]
        if len(codes) == len(marks) and all(code == status.exit_code for code in codes):
            return codes[0]
        if not codes:
            raise self._unmarked(status)
        said = f"exit code {status.exit_code}" if status.exit_code is not None else status.text
        raise StreamFailed(
            Reason.STATUS_LOST,
            f"the command's end marks say {codes} and the stream says {said!r}: output or status "
            "was lost",
            transient=True,
        )

    def _unmarked(self, status: StreamStatus) -> StreamFailed:
        """The error where the command left no end mark at all."""
        if status.exit_code is None:
            # InternalError: the runtime could not start sh, or the kubelet could not be reached.
            unable = any(words in status.text for words in _CANNOT_START)
            return StreamFailed(Reason.REFUSED, status.text, transient=not unable)
        if status.exit_code == _KILLED:
            gone = self._gone()
            if gone:
                return StreamFailed(Reason.POD_GONE, gone)
        return StreamFailed(
            Reason.STATUS_LOST,
            f"the stream says exit code {status.exit_code}, but the command's own end mark is "
            "missing",
            transient=status.exit_code != _KILLED,
        )

    def _gone(self) -> str:
        """Why a killed command's pod is gone; empty where it lives."""
        where = f"pod {self._pod.namespace}/{self._pod.name}"
        path = path_of("api", "v1", "namespaces", self._pod.namespace, "pods", self._pod.name)
        try:
            pod = self._cluster.rest.get_or_none(path)
        except EnvironmentProblem:
            return ""
        if pod is None:
            return f"the command was killed: {where} is deleted"
        metadata, status = pod["metadata"], pod.get("status", {})
        if self._pod.uid and metadata.get("uid") != self._pod.uid:
            return f"the command was killed: {where} was replaced by another"
        if metadata.get("deletionTimestamp"):
            return f"the command was killed: {where} is being deleted"
        for container in status.get("containerStatuses") or ():
            restarted = int(container.get("restartCount") or 0) > 0
            if container.get("name") == self._pod.container and (
                restarted or "running" not in (container.get("state") or {})
            ):
                return f"the command was killed: the container of {where} has ended"
        if status.get("phase") not in ("Running", None):
            why = status.get("reason") or status.get("phase")
            return f"the command was killed: {where} has ended ({why})"
        return ""
