"""Port-forward: kubectl's tunnel, and the plain channels of the Python client."""

import base64
import shutil
import ssl
import subprocess
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.lab.user import User


@pytest.fixture
def serving(user: User) -> User:
    user.create_reflector("web")
    user.ready("web")
    return user


def _get(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=10) as answer:
        return str(answer.read().decode().strip())


@pytest.mark.skipif(shutil.which("kubectl") is None, reason="needs kubectl")
def test_kubectl_forwards_many_connections_and_reports_a_closed_port(serving: User) -> None:
    argv = ["kubectl", "port-forward", "--address=127.0.0.1", "pod/web", ":8080", ":9999"]
    argv += ["-n", serving.namespace, "--kubeconfig", str(serving.lab.kubeconfig)]
    with subprocess.Popen(
        argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as forwarding:
        assert forwarding.stdout is not None
        assert forwarding.stderr is not None
        try:
            lines = [forwarding.stdout.readline() for _ in range(2)]
            open_port, closed_port = (int(line.split(":")[1].split()[0]) for line in lines)
            # The kubelet connects from inside: the pod sees its own loopback.
            with ThreadPoolExecutor(5) as threads:
                assert set(threads.map(_get, [open_port] * 10)) == {"127.0.0.1"}
            with pytest.raises(OSError):
                _get(closed_port)
        finally:
            forwarding.terminate()
        said = forwarding.stderr.read()
    assert "failed to connect to localhost:9999" in said
    assert "connection refused" in said


def _channels(user: User, query: str) -> ClientConnection:
    """The WebSocket that the Python client opens."""
    config = yaml.safe_load(user.lab.kubeconfig.read_text())
    cluster = config["clusters"][0]["cluster"]
    trust = ssl.create_default_context(cadata=_pem(cluster))
    server = cluster["server"].replace("https", "wss")
    token = config["users"][0]["user"]["token"]
    return connect(
        f"{server}/api/v1/namespaces/{user.namespace}/pods/web/portforward?{query}",
        ssl=trust,
        subprotocols=[Subprotocol("v4.channel.k8s.io")],
        additional_headers={"Authorization": f"Bearer {token}"},
    )


def _pem(cluster: dict[str, str]) -> str:
    if "certificate-authority-data" in cluster:
        return base64.b64decode(cluster["certificate-authority-data"]).decode()
    return Path(cluster["certificate-authority"]).read_text()


def _all(frames: ClientConnection) -> dict[int, bytes]:
    """What came on each channel until the server closed."""
    found: dict[int, bytes] = {}
    for frame in frames:
        assert isinstance(frame, bytes)
        found[frame[0]] = found.get(frame[0], b"") + frame[1:]
    return found


def test_channels_carry_the_port_numbers_then_the_data_and_the_errors(serving: User) -> None:
    with _channels(serving, "ports=8080&ports=9999") as frames:
        frames.send(b"\0GET / HTTP/1.0\r\n\r\n")
        found = _all(frames)
    assert (found[0][:2], found[1]) == ((8080).to_bytes(2, "little"),) * 2
    assert found[0].endswith(b"127.0.0.1\n")
    assert found[2] == (9999).to_bytes(2, "little")
    assert b"error forwarding port 9999 to pod" in found[3]
