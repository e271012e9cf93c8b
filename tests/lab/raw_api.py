"""A lab's API by hand: HTTP, watches and exec streams as bytes, and the faults of the lab."""

import base64
import contextlib
import errno
import http.client
import json
import os
import socket
import ssl
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

import yaml

from tests.lab.recordings import RawClient
from tests.lab.running_lab import RunningLab

STDIN, STDOUT, STDERR, STATUS = 0, 1, 2, 3
PATIENCE_S = 10.0
_TCP_CLOSE = 7  # of TCP_INFO

# How a stream ended.
CLOSED = "close 1000"
ENDED = "the connection ended"
ENDED_WITHIN = "the connection ended in the middle of a frame"
RESET = "the connection was reset"
SILENT = "nothing more came"


class RawApi:
    """One connection per request; nothing is retried."""

    def __init__(self, lab: RunningLab, folder: Path) -> None:
        config = yaml.safe_load(lab.kubeconfig.read_text())
        cluster = config["clusters"][0]["cluster"]
        place = urlsplit(cluster["server"])
        assert place.hostname is not None
        assert place.port is not None
        self.host, self.port = place.hostname, place.port
        ca_file = folder / "ca.crt"
        ca_file.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
        self.tls = ssl.create_default_context(cafile=str(ca_file))
        self.token = config["users"][0]["user"]["token"]
        self._ca_file = ca_file
        self._client = RawClient(self.host, self.port, ca_file, self.token)
        self.send = self._client.send

    def with_token(self, token: str) -> RawClient:
        """A client with another token."""
        return RawClient(self.host, self.port, self._ca_file, token)

    def inject(self, fault: str) -> None:
        """Inject a fault."""
        status, _, body = self.send("POST", f"/lab/v1/faults/{quote(fault)}")
        assert status == 200, body

    def heal(self, fault: str) -> None:
        """Heal a fault."""
        status, _, body = self.send("DELETE", f"/lab/v1/faults/{quote(fault)}")
        assert status == 200, body

    def injected(self) -> list[str]:
        """The faults that are injected."""
        found: list[str] = self.send("GET", "/lab/v1/status")[2]["faults"]
        return found

    def connect(self) -> ssl.SSLSocket:
        """A TLS connection."""
        connection = socket.create_connection((self.host, self.port), PATIENCE_S)
        return self.tls.wrap_socket(connection, server_hostname=self.host)

    def exec(self, namespace: str, pod: str, *argv: str, stdin: bool = False) -> "RawStream":
        """An exec over v5.channel.k8s.io."""
        query = [*(("command", part) for part in argv), ("stdout", "true"), ("stderr", "true")]
        if stdin:
            query.append(("stdin", "true"))
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/exec?{urlencode(query)}"
        return RawStream(self, path)

    def exec_to_end(self, namespace: str, pod: str, *argv: str) -> "tuple[list[Frame], str]":
        """All frames of an exec, and how it ended."""
        with contextlib.closing(self.exec(namespace, pod, *argv)) as stream:
            assert stream.status == 101, stream.body
            return stream.frames()

    @contextlib.contextmanager
    def watch(self, path: str) -> Iterator[Iterator[dict[str, Any]]]:
        """The events of a watch; they end where the answer ends, with or without grace."""
        connection = http.client.HTTPSConnection(
            self.host, self.port, context=self.tls, timeout=PATIENCE_S
        )
        try:
            connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}"})
            yield _events(connection.getresponse())
        finally:
            connection.close()


def _events(response: http.client.HTTPResponse) -> Iterator[dict[str, Any]]:
    assert response.status == 200
    with contextlib.suppress(OSError, http.client.HTTPException):
        while line := response.readline():
            yield json.loads(line)


Frame = tuple[int, bytes]


class RawStream:
    """An exec from its handshake on. `status`, `headers` and `body` are those of the answer."""

    def __init__(self, api: RawApi, path: str) -> None:
        self._socket = api.connect()
        key = base64.b64encode(os.urandom(16)).decode()
        head = (
            f"GET {path} HTTP/1.1\r\nHost: {api.host}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            "Sec-WebSocket-Protocol: v5.channel.k8s.io\r\n"
            f"Authorization: Bearer {api.token}\r\n\r\n"
        )
        self._socket.sendall(head.encode())
        self._file = self._socket.makefile("rb")
        self.status = int(self._file.readline().split()[1])
        self.headers: dict[str, str] = {}
        while line := self._file.readline().strip().decode():
            name, _, value = line.partition(": ")
            self.headers[name.lower()] = value
        self.body = b""
        if self.status != 101:
            self.body = self._file.read(int(self.headers.get("content-length", "0")))

    def close(self) -> None:
        """End the connection."""
        self._file.close()
        self._socket.close()

    def send(self, channel: int, payload: bytes) -> None:
        """Send a frame."""
        self._send(2, bytes((channel,)) + payload)

    def ping(self) -> None:
        """Ask for a pong."""
        self._send(9, b"ping")

    def _send(self, opcode: int, payload: bytes) -> None:
        assert len(payload) < 126
        head = struct.pack("!BB4s", 0x80 | opcode, 0x80 | len(payload), bytes(4))
        self._socket.sendall(head + payload)

    def next(self) -> Frame | str:
        """The next frame that has content, b"" of channel -1 for a pong; or how it ended."""
        while True:
            try:
                found = self._frame()
            except TimeoutError:
                return SILENT
            except OSError:
                return RESET
            if found in (ENDED, ENDED_WITHIN) and self._was_reset():
                return RESET
            if found != (STDOUT, b""):
                return found

    def frames(self, seconds: float = PATIENCE_S) -> tuple[list[Frame], str]:
        """All frames with content, and how the stream ended."""
        self._socket.settimeout(seconds)
        found: list[Frame] = []
        while not isinstance(one := self.next(), str):
            found.append(one)
        return found, one

    def _was_reset(self) -> bool:
        """Whether there was no FIN at the end, of which Python's TLS does not tell.

        After a FIN it says farewell to a server that is gone, which leaves EPIPE.
        """
        error = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        state = self._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
        return bool(state == _TCP_CLOSE and error != errno.EPIPE)

    def _frame(self) -> Frame | str:
        head = self._file.read(2)
        if not head:
            return ENDED
        length = head[1] if len(head) == 2 else 0
        size = {126: 2, 127: 8}.get(length, 0)
        extended = self._file.read(size)
        if size:
            length = int.from_bytes(extended, "big")
        payload = self._file.read(length)
        if len(head) < 2 or len(extended) < size or len(payload) < length:
            return ENDED_WITHIN
        match head[0] & 0x0F:
            case 8:
                assert payload[:2] == (1000).to_bytes(2, "big")
                return CLOSED
            case 10:
                return -1, b""
        return payload[0], payload[1:]


def output(frames: list[Frame], channel: int = STDOUT) -> bytes:
    """What came on a channel."""
    return b"".join(payload for number, payload in frames if number == channel)


def status_of(frames: list[Frame]) -> Any:
    """The status of a stream; None where none came."""
    text = output(frames, STATUS)
    return json.loads(text) if text else None
