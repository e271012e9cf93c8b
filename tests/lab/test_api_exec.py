"""exec, attach and log over WebSocket: frames as a real API server sends them."""

import json
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import websocket

from tests.lab import api_server, recordings
from tests.lab.api_server import RECORDINGS, TOKEN, ApiServer
from tests.lab.recordings import RawClient

_NEEDS_RECORDINGS = pytest.mark.skipif(
    not RECORDINGS.is_dir(), reason="no recordings of a real API server beside the checkout"
)
_CLOSE = 8


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    yield from api_server.start(tmp_path_factory.mktemp("api"))


@pytest.fixture(scope="module")
def client(server: ApiServer) -> RawClient:
    found = RawClient("127.0.0.1", server.port, server.ca_file, TOKEN)
    found.send("POST", "/api/v1/namespaces", {"metadata": {"name": "recx"}})
    single = [{"name": "c", "image": "x:1"}]
    pods: dict[str, dict[str, Any]] = {
        "x": {"containers": single},
        "two": {"containers": [*single, {"name": "side", "image": "x:1"}]},
        "pend": {"containers": single, "nodeSelector": {"zone": "nowhere"}},
    }
    for name, spec in pods.items():
        pod = {"metadata": {"name": name}, "spec": spec}
        assert found.send("POST", "/api/v1/namespaces/recx/pods", pod)[0] == 201
    return found


class Exec:
    """One exec over a raw WebSocket."""

    def __init__(self, server: ApiServer, path: str, protocols: list[str]) -> None:
        options = {"ca_certs": str(server.ca_file), "cert_reqs": ssl.CERT_REQUIRED}
        self.socket = websocket.create_connection(
            f"wss://127.0.0.1:{server.port}{path}",
            header=[f"Authorization: Bearer {TOKEN}"],
            subprotocols=protocols or None,
            sslopt=options,
            timeout=10,
        )

    def frames(self) -> list[tuple[int, bytes]]:
        """(channel, payload) of every frame to the end; the last is (-1, close code)."""
        found = []
        while True:
            opcode, data = self.socket.recv_data()
            if opcode == _CLOSE:
                found.append((-1, data[:2]))
                self.socket.shutdown()  # close() does nothing after the server has closed
                return found
            found.append((data[0], data[1:]))

    def send(self, channel: int, payload: bytes) -> None:
        self.socket.send_binary(bytes((channel,)) + payload)


def _path(
    command: list[str], *, pod: str = "x", stdin: bool = False, tty: bool = False, **more: str
) -> str:
    query = [("command", part) for part in command]
    flags = {"stdin": stdin, "stdout": True, "stderr": not tty, "tty": tty}
    query += [(name, str(value).lower()) for name, value in flags.items()]
    query += list(more.items())
    return f"/api/v1/namespaces/recx/pods/{pod}/exec?{urlencode(query)}"


def _output(frames: list[tuple[int, bytes]], channel: int) -> bytes:
    return b"".join(payload for number, payload in frames if number == channel)


def _recorded(name: str) -> dict[str, Any]:
    found: dict[str, Any] = recordings.load(RECORDINGS, name)
    return found


@_NEEDS_RECORDINGS
def test_a_request_without_upgrade_is_refused(client: RawClient) -> None:
    for exchange in recordings.exchanges(_recorded("exec-plain-get")):
        status, _, body = client.replay(exchange)
        assert (status, body) == (400, exchange["response"]["body"])


@pytest.mark.parametrize(
    "offered",
    [
        ["v5.channel.k8s.io", "v4.channel.k8s.io"],
        ["v4.channel.k8s.io", "v5.channel.k8s.io"],
    ],
)
def test_version_5_wins_in_any_order(
    server: ApiServer, client: RawClient, offered: list[str]
) -> None:
    stream = Exec(server, _path(["true"]), offered)
    assert stream.socket.getsubprotocol() == "v5.channel.k8s.io"
    stream.frames()


def test_without_a_subprotocol_there_is_no_status(server: ApiServer, client: RawClient) -> None:
    assert Exec(server, _path(["echo", "hi"]), []).frames() == [
        (1, b""),
        (1, b"hi\n"),
        (-1, (1000).to_bytes(2, "big")),
    ]


def test_closing_stdin_ends_cat(server: ApiServer, client: RawClient) -> None:
    stream = Exec(server, _path(["cat"], stdin=True), ["v5.channel.k8s.io"])
    stream.send(7, b"junk")
    stream.socket.send_binary(b"")
    stream.send(0, b"line1\n")
    stream.send(255, b"\0")
    frames = stream.frames()
    assert _output(frames, 1) == b"line1\n"
    assert json.loads(_output(frames, 3))["status"] == "Success"


def test_large_stdin_arrives_whole(server: ApiServer, client: RawClient) -> None:
    stream = Exec(server, _path(["wc", "-c"], stdin=True), ["v5.channel.k8s.io"])
    for _ in range(4):
        stream.send(0, b"x" * 65000)
    stream.send(255, b"\0")
    assert _output(stream.frames(), 1).strip() == b"260000"


@pytest.mark.parametrize("size", [200_000, 5_000_000])
def test_no_output_is_lost(server: ApiServer, client: RawClient, size: int) -> None:
    script = f"head -c {size} /dev/zero; head -c {size} /dev/zero >&2"
    frames = Exec(server, _path(["sh", "-c", script]), ["v5.channel.k8s.io"]).frames()
    assert (len(_output(frames, 1)), len(_output(frames, 2))) == (size, size)


def test_stdout_and_stderr_are_kept_apart(server: ApiServer, client: RawClient) -> None:
    script = "echo out; echo err >&2"
    frames = Exec(server, _path(["sh", "-c", script]), ["v4.channel.k8s.io"]).frames()
    assert (_output(frames, 1), _output(frames, 2)) == (b"out\n", b"err\n")


def test_a_terminal_has_the_size_that_the_client_sends(
    server: ApiServer, client: RawClient
) -> None:
    script = "read line; stty size"
    path = _path(["sh", "-c", script], stdin=True, tty=True)
    stream = Exec(server, path, ["v5.channel.k8s.io"])
    stream.send(4, b'{"Width":133,"Height":42}')
    stream.send(0, b"go\n")
    assert b"42 133\r\n" in _output(stream.frames(), 1)


def test_a_deleted_pod_ends_its_execs_with_137(server: ApiServer, client: RawClient) -> None:
    pod = {"metadata": {"name": "doomed"}, "spec": {"containers": [{"name": "c", "image": "x"}]}}
    client.send("POST", "/api/v1/namespaces/recx/pods", pod)
    path = _path(["sh", "-c", "echo started; sleep 60"], pod="doomed")
    stream = Exec(server, path, ["v5.channel.k8s.io"])
    stream.socket.recv_data()
    assert stream.socket.recv_data()[1] == b"\x01started\n"
    client.send("DELETE", "/api/v1/namespaces/recx/pods/doomed")
    status = json.loads(_output(stream.frames(), 3))
    assert status["details"]["causes"] == [{"reason": "ExitCode", "message": "137"}]


def test_a_dropped_connection_does_not_end_the_process(
    server: ApiServer, client: RawClient, tmp_path: Path
) -> None:
    fifo = tmp_path / "alive"
    script = f"echo started; mkfifo {fifo}; read line < {fifo}; echo $line > {fifo}.out; "
    script += f"mv {fifo}.out {fifo}.done"
    stream = Exec(server, _path(["sh", "-c", script]), ["v5.channel.k8s.io"])
    stream.socket.recv_data()
    assert stream.socket.recv_data()[1] == b"\x01started\n"
    stream.socket.sock.close()
    waiting = Exec(
        server,
        _path(["sh", "-c", f"until [ -p {fifo} ]; do :; done; echo still here > {fifo}"]),
        ["v5.channel.k8s.io"],
    )
    assert json.loads(_output(waiting.frames(), 3))["status"] == "Success"
    done = f"until [ -f {fifo}.done ]; do :; done; cat {fifo}.done"
    frames = Exec(server, _path(["sh", "-c", done]), ["v5.channel.k8s.io"]).frames()
    assert _output(frames, 1) == b"still here\n"


def test_base64_subprotocols_send_text_frames(server: ApiServer, client: RawClient) -> None:
    stream = Exec(server, _path(["echo", "hi"]), ["v4.base64.channel.k8s.io"])
    assert stream.frames()[:2] == [(ord("1"), b""), (ord("1"), b"aGkK")]


def test_attach_shows_output_from_now_on(server: ApiServer, client: RawClient) -> None:
    path = "/api/v1/namespaces/recx/pods/x/attach?stdout=true&stderr=true&container=c"
    frames = Exec(server, path, ["v5.channel.k8s.io"]).frames()
    assert frames[:2] == [(1, b""), (1, b"attached\n")]


def test_logs_are_cut_as_asked(client: RawClient) -> None:
    path = "/api/v1/namespaces/recx/pods/x/log"
    status, headers, text = client.send("GET", path)
    assert (status, headers["content-type"], text) == (
        200,
        "text/plain",
        "line 1\nline 2\nline 3\n",
    )
    assert client.send("GET", f"{path}?tailLines=1")[2] == "line 3\n"
    assert client.send("GET", f"{path}?limitBytes=5")[2] == "line "


def test_log_refusals_are_statuses(client: RawClient) -> None:
    base = "/api/v1/namespaces/recx/pods"
    status, _, body = client.send("GET", f"{base}/x/log?previous=true")
    assert (status, body["message"]) == (
        400,
        'previous terminated container "c" in pod "x" not found',
    )
    status, _, body = client.send("GET", f"{base}/x/log?container=nope")
    assert (status, body["message"]) == (400, "container nope is not valid for pod x")
    assert client.send("GET", f"{base}/none/log")[0] == 404
    assert client.send("GET", f"{base}/pend/log")[0] == 204
