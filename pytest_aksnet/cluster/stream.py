"""One exec WebSocket to the API server: opened by us, read in frames, each wait with a deadline.

Owns the wire: TCP, proxy, TLS, handshake, channels of v5.channel.k8s.io and v4.channel.k8s.io. The
kubernetes client's own stream() patches its ApiClient and is not thread-safe, and loses the exit
code; hence this. A stream belongs to one thread; many may be open at once.
"""

import contextlib
import http.client
import socket
import ssl
import struct
import time
from collections.abc import Sequence
from urllib.parse import urlencode, urlsplit

import websocket
from kubernetes.client.rest import should_bypass_proxies

from pytest_aksnet.cluster.access import Access
from pytest_aksnet.cluster.problems import CONNECT_TIMEOUT_S, refusal, retry_after
from pytest_aksnet.cluster.rest import USER_AGENT, path_of
from pytest_aksnet.model.errors import ApiRefused, EnvironmentProblem, ExecNotCompleted
from pytest_aksnet.model.execution import Reason
from pytest_aksnet.model.peers import PodRef

STDOUT, STDERR, STATUS = 1, 2, 3
SUBPROTOCOLS = ("v5.channel.k8s.io", "v4.channel.k8s.io")
_NORMAL_CLOSE = 1000
_TRANSIENT = frozenset({401, 429, 500, 502, 503, 504})
_SHORTEST_WAIT_S = 0.001


class StreamFailed(ExecNotCompleted):
    """The stream gave no known end. `transient` says that a new try may.

    `retry_after_s` is what the server asked for, None where it asked for nothing.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str,
        *,
        transient: bool = False,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.transient = transient
        self.retry_after_s = retry_after_s


class ExecStream:
    """An open exec stream. Standard input stays open until `close`."""

    def __init__(self, connection: websocket.WebSocket) -> None:
        self._connection = connection
        self.subprotocol = str(connection.subprotocol)

    def receive(self, deadline: float) -> tuple[int, bytes] | None:
        """The next frame as (channel, payload), or None at a normal end.

        `deadline` is in seconds of time.monotonic(). Raises StreamFailed (DEADLINE or CUT).
        """
        self._connection.settimeout(_left(deadline))
        try:
            opcode, frame = self._connection.recv_data_frame()
        except (websocket.WebSocketTimeoutException, TimeoutError) as error:
            raise StreamFailed(Reason.DEADLINE, "no end within the time given") from error
        except (websocket.WebSocketException, OSError, AttributeError) as error:
            raise StreamFailed(Reason.CUT, _cut(error), transient=True) from error
        if opcode == websocket.ABNF.OPCODE_CLOSE:
            code = struct.unpack("!H", frame.data[:2])[0] if len(frame.data) >= 2 else 0
            if code == _NORMAL_CLOSE:
                return None
            said = frame.data[2:].decode("utf-8", errors="replace")
            raise StreamFailed(
                Reason.CUT, f"the server closed the stream: {code} {said}".strip(), transient=True
            )
        data: bytes = frame.data
        return (data[0], data[1:]) if data else (STDOUT, b"")

    def close(self) -> None:
        """End the stream at once, without waiting for the other side. Ends standard input too."""
        with contextlib.suppress(websocket.WebSocketException, OSError):
            self._connection.settimeout(1.0)
            if self._connection.connected:
                self._connection.send_close()
        self._connection.shutdown()


def open_exec(access: Access, pod: PodRef, argv: Sequence[str], deadline: float) -> ExecStream:
    """Open an exec stream with stdin, stdout and stderr, never a tty (v4 loses output with one).

    Needs get and create on pods/exec. Raises StreamFailed.
    """
    query = [("command", word) for word in argv]
    query += [("container", pod.container), ("stdin", "true")]
    query += [("stdout", "true"), ("stderr", "true"), ("tty", "false")]
    path = path_of("api", "v1", "namespaces", pod.namespace, "pods", pod.name, "exec")
    url = urlsplit(access.server)
    scheme = "wss" if url.scheme == "https" else "ws"
    target = f"{scheme}://{url.netloc}{url.path}{path}?{urlencode(query, errors='surrogatepass')}"
    headers = [f"User-Agent: {USER_AGENT}"]
    try:
        authorization = access.credentials.authorization()
        if authorization:
            headers.append(f"Authorization: {authorization}")
        plain = _dial(access, deadline)
    except EnvironmentProblem as error:
        raise StreamFailed(Reason.REFUSED, str(error)) from error
    except (OSError, http.client.HTTPException) as error:
        raise _not_connected(access, error, deadline) from error
    connection = websocket.WebSocket(skip_utf8_validation=True)
    plain.settimeout(_left(deadline))
    try:
        connection.connect(
            target,
            socket=plain,
            timeout=_left(deadline),
            header=headers,
            subprotocols=list(SUBPROTOCOLS),
            suppress_origin=True,
            redirect_limit=0,  # a redirect would carry our token to another host
        )
    except websocket.WebSocketBadStatusException as error:
        plain.close()
        raise _refused(access, error) from error
    except (websocket.WebSocketTimeoutException, TimeoutError) as error:
        plain.close()
        raise StreamFailed(
            Reason.DEADLINE, "the API server did not answer the exec request in time"
        ) from error
    except (websocket.WebSocketException, OSError, ValueError) as error:
        plain.close()
        raise StreamFailed(
            Reason.REFUSED, f"the exec handshake failed: {_cut(error)}", transient=True
        ) from error
    return ExecStream(connection)


def _dial(access: Access, deadline: float) -> socket.socket:
    """A connected socket, through the proxy of the kubeconfig or environment, with TLS."""
    url = urlsplit(access.server)
    host = url.hostname or ""
    port = url.port or (443 if url.scheme == "https" else 80)
    limit = min(CONNECT_TIMEOUT_S, _left(deadline))
    proxy = access.configuration.proxy
    if proxy and not should_bypass_proxies(access.server, access.configuration.no_proxy or ""):
        plain = _tunnel(access, host, port, limit)
    else:
        plain = socket.create_connection((host, port), timeout=limit)
    try:
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        if access.tls is None:
            return plain
        name = access.configuration.tls_server_name or host
        return access.tls.wrap_socket(plain, server_hostname=name)
    except BaseException:
        plain.close()
        raise


def _tunnel(access: Access, host: str, port: int, limit: float) -> socket.socket:
    url = urlsplit(str(access.configuration.proxy))
    if url.scheme != "http" or not url.hostname:
        raise EnvironmentProblem(
            f"exec cannot use the proxy {url.scheme}://{url.hostname}: only http:// proxies are "
            "supported for WebSockets; change proxy-url in the kubeconfig or HTTPS_PROXY"
        )
    connection = http.client.HTTPConnection(url.hostname, url.port or 80, timeout=limit)
    connection.set_tunnel(host, port, access.configuration.proxy_headers)
    connection.connect()
    plain: socket.socket = connection.sock
    return plain


def _refused(access: Access, error: websocket.WebSocketBadStatusException) -> StreamFailed:
    status, headers = int(error.status_code), error.resp_headers or {}
    problem: ApiRefused = refusal(status, error.resp_body or b"", headers)
    detail = str(problem)
    if status == 404:
        return StreamFailed(Reason.POD_GONE, detail)
    if "container not found" in detail:
        # The kubelet's plain text for a container that has ended or has not started yet.
        return StreamFailed(Reason.POD_GONE, detail, transient=True)
    if status == 401 and not access.credentials.renew():
        return StreamFailed(Reason.REFUSED, detail)
    if status == 403:
        detail += " (exec needs both get and create on pods/exec)"
    return StreamFailed(
        Reason.REFUSED,
        detail,
        transient=status in _TRANSIENT,
        retry_after_s=retry_after(headers),
    )


def _not_connected(access: Access, error: Exception, deadline: float) -> StreamFailed:
    if isinstance(error, TimeoutError) and _left(deadline) <= _SHORTEST_WAIT_S:
        return StreamFailed(Reason.DEADLINE, f"{access.server} did not answer in time")
    trusted = not isinstance(error, ssl.SSLCertVerificationError)
    return StreamFailed(
        Reason.REFUSED, f"{access.server} cannot be reached: {_cut(error)}", transient=trusted
    )


def _left(deadline: float) -> float:
    return max(_SHORTEST_WAIT_S, deadline - time.monotonic())


def _cut(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
