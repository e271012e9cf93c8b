"""One exec stream to a pod: handshake, channels, and what each way to fail means.

Owns the subprotocols v5.channel.k8s.io and v4.channel.k8s.io. The kubernetes client's own stream()
patches its ApiClient and is not thread-safe, and loses the exit code; hence this. All of it runs on
the stream loop; many streams may be open at once.
"""

import asyncio
import logging
import ssl
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus, NegotiationError, WebSocketException
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from pytest_aksnet.cluster.access import Access
from pytest_aksnet.cluster.dial import dial
from pytest_aksnet.cluster.http import USER_AGENT
from pytest_aksnet.cluster.loop import in_thread
from pytest_aksnet.cluster.problems import CONNECT_TIMEOUT_S, refusal, retry_after
from pytest_aksnet.cluster.rest import path_of
from pytest_aksnet.cluster.wire import Wire, WireEnded
from pytest_aksnet.model.errors import ApiRefused, EnvironmentProblem, ExecNotCompleted
from pytest_aksnet.model.execution import Reason
from pytest_aksnet.model.peers import PodRef

STDIN, STDOUT, STDERR, STATUS, CLOSE = 0, 1, 2, 3, 255
V5, V4 = "v5.channel.k8s.io", "v4.channel.k8s.io"
SUBPROTOCOLS = (V5, V4)
# A handshake that gets no answer within half of the time that is left, but at least and at most so
# many seconds, is tried again rather than waited for: the server answers when the kubelet has taken
# the request, before the command runs.
_SHORTEST_HANDSHAKE_S, _LONGEST_HANDSHAKE_S = 3.0, 10.0
SILENT = "silent"
# The library logs requests at level DEBUG, the Authorization header included, and pytest may record
# what is logged. So it gets a logger that belongs to no hierarchy and is never turned on.
_SILENT_LOGGER = logging.Logger("aksnet-stream", logging.CRITICAL + 1)
_NORMAL_CLOSE = 1000
_TRANSIENT = frozenset({401, 429, 500, 502, 503, 504})
_LARGEST_INPUT = 32 * 1024  # bytes in one frame of standard input, as kubectl sends them


class StreamFailed(ExecNotCompleted):
    """The stream gave no known end. `transient` says that a new try may.

    `retry_after_s` is what the server asked for, None where it asked for nothing. `cause` names
    the kind of failure in a word or two, to count retries by; SILENT is one that took seconds of
    waiting for nothing. `started` says whether the command may have run.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        transient: bool = False,
        retry_after_s: float | None = None,
        cause: str = "",
        started: bool = True,
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.transient = transient
        self.retry_after_s = retry_after_s
        self.cause = cause or reason.name.lower().replace("_", " ")
        self.started = started


class ExecStream:
    """An open exec stream. Standard input stays open until `end_input` or `close`."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self.subprotocol = wire.subprotocol

    @property
    def tls(self) -> ssl.SSLObject | None:
        """The stream's TLS connection; None over http."""
        return self._wire.tls

    async def receive(self, deadline: float) -> tuple[int, bytes] | None:
        """The next frame as (channel, payload), or None at a normal end.

        `deadline` is in seconds of time.monotonic(). Raises StreamFailed (DEADLINE or CUT). What
        arrives later than that is still there for the next call.
        """
        loop = asyncio.get_running_loop()
        try:
            if deadline <= loop.time():
                raise TimeoutError
            async with asyncio.timeout_at(deadline):
                message = await self._wire.receive()
        except TimeoutError as error:
            raise StreamFailed(Reason.DEADLINE, "no end within the time given") from error
        except WireEnded as ended:
            if ended.close is not None and ended.close.code == _NORMAL_CLOSE:
                return None
            raise _cut(ended) from ended
        return (message[0], message[1:]) if message else (STDOUT, b"")

    async def send(self, payload: bytes) -> None:
        """Send bytes to the command's standard input; waits while the server takes none.

        Raises StreamFailed (CUT).
        """
        try:
            for start in range(0, len(payload), _LARGEST_INPUT):
                await self._wire.send(b"\0" + payload[start : start + _LARGEST_INPUT])
        except WireEnded as ended:
            raise _cut(ended) from ended

    async def end_input(self) -> None:
        """End the command's standard input. Only v5 can: with v4 nothing is sent.

        Raises StreamFailed (CUT).
        """
        if self.subprotocol != V5:
            return
        try:
            await self._wire.send(bytes((CLOSE, STDIN)))
        except WireEnded as ended:
            raise _cut(ended) from ended

    async def close(self) -> None:
        """End the stream at once, without waiting for the other side. Ends standard input too."""
        self._wire.abort()


async def open_exec(
    access: Access, pod: PodRef, argv: Sequence[str], deadline: float
) -> ExecStream:
    """Open an exec stream with stdin, stdout and stderr, never a tty (v4 loses output with one).

    Needs get and create on pods/exec. `deadline` is in seconds of time.monotonic(). Raises
    StreamFailed.
    """
    loop = asyncio.get_running_loop()
    protocol = ClientProtocol(
        parse_uri(_target(access, pod, argv)),
        subprotocols=[Subprotocol(name) for name in SUBPROTOCOLS],
        max_size=None,
        logger=_SILENT_LOGGER,
    )
    request = protocol.connect()
    request.headers["User-Agent"] = USER_AGENT
    authorization = await _authorization(access, deadline)
    if authorization:
        request.headers["Authorization"] = authorization
    try:
        wire = await dial(access, lambda: Wire(protocol, access.experience), deadline)
    except EnvironmentProblem as error:
        raise StreamFailed(Reason.REFUSED, str(error), started=False) from error
    except OSError as error:
        raise _not_connected(access, error, deadline) from error
    left = deadline - loop.time()
    limit = min(left, max(_SHORTEST_HANDSHAKE_S, min(left / 2, _LONGEST_HANDSHAKE_S)))
    try:
        async with asyncio.timeout(limit):
            await wire.shake_hands(request)
        if wire.subprotocol not in SUBPROTOCOLS:
            raise StreamFailed(
                Reason.REFUSED, "the server chose none of the exec protocols", started=False
            )
    except BaseException as error:
        wire.abort()
        if isinstance(error, InvalidStatus):
            raise await _refused(access, error, authorization) from error
        if isinstance(error, TimeoutError):
            raise _unanswered(limit, final=limit >= left) from error
        if isinstance(error, WireEnded | WebSocketException | OSError):
            raise _broken_handshake(error) from error
        raise
    stream = ExecStream(wire)
    if access.tls is not None and stream.tls is not None:
        access.tls.remember(stream.tls)
    return stream


def _target(access: Access, pod: PodRef, argv: Sequence[str]) -> str:
    query = [("command", word) for word in argv]
    query += [("container", pod.container), ("stdin", "true")]
    query += [("stdout", "true"), ("stderr", "true"), ("tty", "false")]
    path = path_of("api", "v1", "namespaces", pod.namespace, "pods", pod.name, "exec")
    url = urlsplit(access.server)
    scheme = "wss" if url.scheme == "https" else "ws"
    place = url.netloc.rpartition("@")[2]
    return f"{scheme}://{place}{url.path}{path}?{urlencode(query, errors='surrogatepass')}"


async def _authorization(access: Access, deadline: float) -> str:
    """The header's value, asked for in a thread where asking may take its time."""
    known = access.credentials.at_hand()
    if known is not None:
        return known
    try:
        async with asyncio.timeout_at(deadline):
            return await in_thread(access.credentials.authorization)
    except TimeoutError as error:
        raise StreamFailed(
            Reason.DEADLINE, "no credential was to be had within the time given", started=False
        ) from error
    except EnvironmentProblem as error:
        raise StreamFailed(Reason.REFUSED, str(error), started=False) from error


async def _refused(access: Access, error: InvalidStatus, authorization: str) -> StreamFailed:
    status = error.response.status_code
    headers = dict(error.response.headers.raw_items())
    problem: ApiRefused = refusal(status, bytes(error.response.body), headers)
    detail = str(problem)
    cause = f"http {status}"
    if status == 404:
        return StreamFailed(Reason.POD_GONE, detail, cause=cause, started=False)
    if "container not found" in detail:
        # The kubelet's plain text for a container that has ended or has not started yet.
        return StreamFailed(Reason.POD_GONE, detail, transient=True, cause=cause, started=False)
    transient = status in _TRANSIENT
    if status == 401:
        try:
            renewed = await in_thread(lambda: access.credentials.renew(authorization))
            transient = renewed or access.experience.user_known
        except EnvironmentProblem as unable:
            detail, transient = str(unable), False
    if status == 403:
        detail += " (exec needs both get and create on pods/exec)"
    return StreamFailed(
        Reason.REFUSED,
        detail,
        transient=transient,
        retry_after_s=retry_after(headers),
        cause=cause,
        started=False,
    )


def _not_connected(access: Access, error: OSError, deadline: float) -> StreamFailed:
    if isinstance(error, TimeoutError):
        if asyncio.get_running_loop().time() >= deadline:
            detail = f"{access.server} did not answer in time"
            return StreamFailed(Reason.DEADLINE, detail, started=False)
        text, cause = f"no connection within {CONNECT_TIMEOUT_S:.0f} s", SILENT
    else:
        text, cause = " ".join(str(error).split())[:300] or type(error).__name__, "not reached"
    return StreamFailed(
        Reason.REFUSED,
        f"{access.server} cannot be reached: {text}",
        transient=not isinstance(error, ssl.SSLCertVerificationError),
        cause=cause,
        started=False,
    )


def _unanswered(limit: float, *, final: bool) -> StreamFailed:
    if final:
        return StreamFailed(
            Reason.DEADLINE, "the API server did not answer the exec request in time"
        )
    return StreamFailed(
        Reason.REFUSED,
        f"the API server did not answer the exec request within {limit:.0f} s",
        transient=True,
        cause=SILENT,
    )


def _broken_handshake(error: Exception) -> StreamFailed:
    said = [str(each) for each in (error, error.__cause__) if each is not None and str(each)]
    text = " ".join(": ".join(said).split())[:300] or type(error).__name__
    return StreamFailed(
        Reason.REFUSED,
        f"the exec handshake failed: {text}",
        transient=not isinstance(error, NegotiationError),
        cause="handshake failed",
    )


def _cut(ended: WireEnded) -> StreamFailed:
    close = ended.close
    if close is not None:
        detail = f"the server closed the stream: {close.code} {close.reason}".strip()
    else:
        detail = " ".join(str(ended).split())[:300]
    cause = SILENT if ended.silent else "cut"
    return StreamFailed(Reason.CUT, detail, transient=True, cause=cause)
