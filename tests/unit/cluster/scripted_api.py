"""A scripted API server on loopback: answers REST and exec exactly as a test tells it to.

Plain HTTP/1.1 in threads, or TLS with a certificate of its own. It knows nothing of Kubernetes.
"""

import base64
import contextlib
import hashlib
import json
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

_GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

Json = dict[str, Any]


def status(code: int, reason: str, message: str) -> tuple[int, Json]:
    """An error answer as an API server gives it."""
    return code, {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": reason,
        "code": code,
    }


class Request:
    """One REST request as it arrived."""

    def __init__(self, handler: BaseHTTPRequestHandler, body: bytes) -> None:
        url = urlsplit(handler.path)
        self.method = handler.command
        self.path = url.path
        self.query = dict(parse_qsl(url.query, keep_blank_values=True))
        self.headers = handler.headers
        self.body: Json = json.loads(body) if body else {}


Answer = tuple[int, Json] | tuple[int, Json, Mapping[str, str]]
Route = Callable[[Request], Answer | None]


class ExecPeer:
    """The server's side of one exec request."""

    def __init__(self, handler: BaseHTTPRequestHandler) -> None:
        self._handler = handler
        query = parse_qsl(urlsplit(handler.path).query, keep_blank_values=True)
        self.path = urlsplit(handler.path).path
        self.command = [value for key, value in query if key == "command"]
        self.parameters = {key: value for key, value in query if key != "command"}
        self.headers = handler.headers
        self.nonce = self.command[4] if len(self.command) > 4 else ""
        self.pings = 0

    def refuse(
        self, code: int, body: bytes, kind: str = "application/json", **headers: str
    ) -> None:
        """Answer the handshake with an error."""
        self._handler.send_response(code)
        self._handler.send_header("Content-Type", kind)
        self._handler.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self._handler.send_header(name.replace("_", "-"), value)
        self._handler.end_headers()
        self._handler.wfile.write(body)

    def accept(self, protocol: str = "v5.channel.k8s.io", *, greet: bool = True) -> None:
        """Switch protocols and send the empty frame that a real server starts with (`greet`)."""
        key = self.headers["Sec-WebSocket-Key"]
        accept = base64.b64encode(hashlib.sha1((key + _GUID).encode()).digest()).decode()
        self._handler.wfile.write(
            (
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                f"Connection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n"
                f"{f'Sec-WebSocket-Protocol: {protocol}' if protocol else 'X: none'}\r\n\r\n"
            ).encode()
        )
        if greet:
            self.send(1, b"")

    def send(self, channel: int, payload: bytes) -> None:
        """One binary frame."""
        self._frame(2, bytes([channel]) + payload)

    def finish(self, code: int, *, stdout: bytes = b"", stderr: bytes = b"") -> None:
        """A command that ran to its end, as the envelope and the server report it."""
        mark = f"\n{self.nonce} {code}\n".encode()
        self.send(1, stdout + mark)
        self.send(2, stderr + mark)
        self.exit_status(code)
        self.close()

    def exit_status(self, code: int) -> None:
        """The Status frame of an exit code."""
        if code == 0:
            self.send(3, b'{"metadata":{},"status":"Success"}')
            return
        answer = {
            "metadata": {},
            "status": "Failure",
            "message": "command terminated with non-zero exit code: command terminated with exit "
            f"code {code}",
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
        }
        self.send(3, json.dumps(answer).encode())

    def close(self, code: int = 1000) -> None:
        """The close frame."""
        self._frame(8, struct.pack("!H", code))

    def receive(self) -> tuple[int, bytes] | None:
        """The client's next frame as (opcode, payload); None where it has gone.

        Pings are answered before, and counted in `pings`.
        """
        while (frame := self.next_frame()) is not None and frame[0] == 9:
            self.pings += 1
            self.pong(frame[1])
        return frame

    def pong(self, payload: bytes) -> None:
        """The answer to a ping."""
        self._frame(10, payload)

    def next_frame(self) -> tuple[int, bytes] | None:
        """The client's next frame, pings too."""
        read = self._handler.rfile.read
        head = read(2)
        if len(head) < 2:
            return None
        length = head[1] & 0x7F
        if length >= 126:
            length = int.from_bytes(read(2 if length == 126 else 8), "big")
        mask = read(4)
        masked = int.from_bytes(read(length), "little")
        pad = int.from_bytes((mask * (length // 4 + 1))[:length], "little")
        return head[0] & 0x0F, (masked ^ pad).to_bytes(length, "little")

    def raw(self, data: bytes) -> None:
        """Any bytes."""
        self._handler.wfile.write(data)

    def wait_for_client(self) -> None:
        """Keep the connection open and silent until the client leaves."""
        with contextlib.suppress(OSError):
            while self._handler.connection.recv(4096):
                pass

    def fragments(self, channel: int, *payloads: bytes) -> None:
        """One binary message in several frames."""
        self._frame(2, bytes([channel]) + payloads[0], last=False)
        for payload in payloads[1:-1]:
            self._frame(0, payload, last=False)
        self._frame(0, payloads[-1])

    def _frame(self, opcode: int, payload: bytes, *, last: bool = True) -> None:
        length = len(payload)
        first = (0x80 if last else 0) | opcode
        if length < 126:
            head = struct.pack("!BB", first, length)
        elif length < 65536:
            head = struct.pack("!BBH", first, 126, length)
        else:
            head = struct.pack("!BBQ", first, 127, length)
        self._handler.wfile.write(head + payload)


class ScriptedApi:
    """The server. `routes` maps (method, path) to a function; `execs` are played in order."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.routes: dict[tuple[str, str], Route] = {}
        self.execs: list[Callable[[ExecPeer], None]] = []
        self.watches: dict[str, Callable[[Request], Iterator[Json]]] = {}
        self.requests: list[Request] = []
        self.exec_peers: list[ExecPeer] = []
        self._lock = threading.Lock()
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def handle(self) -> None:
                with contextlib.suppress(OSError, ValueError):
                    super().handle()

            def log_message(self, format: str, *args: object) -> None:
                return

            def serve(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                if self.headers.get("Upgrade"):
                    api._exec(self)
                    self.close_connection = True
                    return
                api._rest(self, Request(self, body))

            do_GET = do_POST = do_PATCH = do_DELETE = do_PUT = serve

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self.port = int(self._server.server_address[1])
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    def stop(self) -> None:
        """End the server; again is no error."""
        if not self._thread.is_alive():
            return
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def answer(self, method: str, path: str, *answers: Answer) -> None:
        """Give these answers in order; the last one again and again."""
        left = list(answers)

        def route(request: Request) -> Answer:
            with self._lock:
                return left.pop(0) if len(left) > 1 else left[0]

        self.routes[method, path] = route

    def sent(self, method: str, path: str) -> list[Request]:
        """The requests of that kind so far."""
        return [r for r in self.requests if (r.method, r.path) == (method, path)]

    def _exec(self, handler: BaseHTTPRequestHandler) -> None:
        peer = ExecPeer(handler)
        with self._lock:
            self.exec_peers.append(peer)
            play = self.execs.pop(0) if len(self.execs) > 1 else self.execs[0]
        play(peer)
        # A socket that is closed with unread bytes in it takes back what it has sent.
        with contextlib.suppress(OSError):
            handler.connection.settimeout(1.0)
            handler.connection.shutdown(socket.SHUT_WR)
            peer.wait_for_client()

    def _rest(self, handler: BaseHTTPRequestHandler, request: Request) -> None:
        with self._lock:
            self.requests.append(request)
        watch = self.watches.get(request.path)
        if request.query.get("watch") and watch is not None:
            self._watch(handler, watch(request))
            return
        route = self.routes.get((request.method, request.path))
        answer = route(request) if route else status(404, "NotFound", f"{request.path} not found")
        if answer is None:  # the script cut the connection
            handler.connection.shutdown(socket.SHUT_RDWR)
            handler.close_connection = True
            return
        body = json.dumps(answer[1]).encode()
        handler.send_response(answer[0])
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(body)))
        for name, value in (answer[2] if len(answer) == 3 else {}).items():
            handler.send_header(name, value)
        handler.end_headers()
        handler.wfile.write(body)

    def _watch(self, handler: BaseHTTPRequestHandler, events: Iterator[Json]) -> None:
        handler.send_response(200)
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        for event in events:
            line = json.dumps(event).encode() + b"\n"
            handler.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        handler.wfile.write(b"0\r\n\r\n")
