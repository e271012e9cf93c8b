"""The way to the API server for a stream: names with several addresses, proxies that refuse."""

import asyncio
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from pytest_aksnet.cluster.access import load_access
from pytest_aksnet.cluster.dial import dial
from pytest_aksnet.cluster.loop import StreamLoop
from pytest_aksnet.model.errors import EnvironmentProblem

WriteKubeconfig = Callable[..., str]


@pytest.fixture
def loop() -> Iterator[StreamLoop]:
    """A loop that is closed at the end."""
    made = StreamLoop()
    yield made
    made.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """Somebody who accepts connections."""
    with socket.create_server(("127.0.0.1", 0)) as made:
        yield made


class Peer(asyncio.Protocol):
    """Remembers whom it is connected to."""

    address: object = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.address = transport.get_extra_info("peername")
        transport.close()


def reach(loop: StreamLoop, kubeconfig: str, *, patience_s: float = 10.0) -> object:
    """The address that a dial led to."""
    access = load_access(kubeconfig, None, {})
    return loop.run(dial(access, Peer, time.monotonic() + patience_s)).address


def test_the_addresses_of_a_name_are_tried_in_turn(
    loop: StreamLoop,
    listener: socket.socket,
    write_kubeconfig: WriteKubeconfig,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    port = listener.getsockname()[1]
    asked: list[tuple[object, str]] = []

    def look_up(host: str, port: int, **_: object) -> list[tuple[object, ...]]:
        asked.append((host, threading.current_thread().name))
        kind = (socket.AF_INET, socket.SOCK_STREAM, 6, "")
        return [(*kind, (ip, port)) for ip in ("127.0.0.2", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    assert reach(loop, write_kubeconfig(f"http://api.test:{port}")) == ("127.0.0.1", port)
    assert asked == [("api.test", "aksnet-blocking")]


def test_the_last_refusal_is_told(
    loop: StreamLoop, listener: socket.socket, write_kubeconfig: WriteKubeconfig
) -> None:
    port = listener.getsockname()[1]
    listener.close()
    with pytest.raises(ConnectionRefusedError):
        reach(loop, write_kubeconfig(f"http://127.0.0.1:{port}"))


def test_a_server_that_never_shakes_hands_is_left_at_the_deadline(
    loop: StreamLoop, listener: socket.socket, write_kubeconfig: WriteKubeconfig
) -> None:
    kubeconfig = write_kubeconfig(f"https://127.0.0.1:{listener.getsockname()[1]}")
    with pytest.raises(TimeoutError):
        reach(loop, kubeconfig, patience_s=0.1)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "407 Proxy Authentication"),
        (b"HTTP/1.1 502 Bad Gateway\r\n", "no answer to CONNECT"),
    ],
)
def test_a_proxy_that_refuses_is_told(
    loop: StreamLoop,
    listener: socket.socket,
    write_kubeconfig: WriteKubeconfig,
    answer: bytes,
    words: str,
) -> None:
    asked: list[bytes] = []

    def serve() -> None:
        client, _ = listener.accept()
        with client:
            asked.append(client.recv(4096))
            client.sendall(answer)

    serving = threading.Thread(target=serve)
    serving.start()
    proxy = f"http://127.0.0.1:{listener.getsockname()[1]}"
    with pytest.raises(OSError, match=words):
        reach(loop, write_kubeconfig("http://[2001:db8::1]:6443", **{"proxy-url": proxy}))
    serving.join()
    assert asked[0].startswith(b"CONNECT [2001:db8::1]:6443 HTTP/1.1\r\nHost: [2001:db8::1]:6443")


def test_a_proxy_that_cannot_carry_streams_is_named(
    loop: StreamLoop, write_kubeconfig: WriteKubeconfig
) -> None:
    kubeconfig = write_kubeconfig("http://192.0.2.1", **{"proxy-url": "socks5://127.0.0.1:1"})
    with pytest.raises(EnvironmentProblem, match="only http:// proxies"):
        reach(loop, kubeconfig)
