"""A TCP proxy in front of an API server that can be cut, as if the server had been killed."""

import contextlib
import socket
import threading
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import yaml

_CHUNK = 65536


class CuttableProxy:
    """Hands through bytes while it is entered; `kubeconfig` goes through it.

    `cut` breaks every connection and refuses new ones until `mend`.
    """

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        config: dict[str, Any] = yaml.safe_load(kubeconfig.read_text("utf-8"))
        cluster = config["clusters"][0]["cluster"]
        server = urlsplit(cluster["server"])
        self._upstream = (str(server.hostname), int(server.port or 443))
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listening: socket.socket | None = None
        self._port = 0
        self.mend()
        cluster["server"] = f"https://127.0.0.1:{self._port}"
        self.kubeconfig = folder / "kubeconfig-through-proxy"
        self.kubeconfig.write_text(yaml.safe_dump(config), encoding="utf-8")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.cut()

    def cut(self) -> None:
        """Break everything; whoever connects is refused."""
        with self._lock:
            listening, self._listening = self._listening, None
            broken, self._open = self._open, set()
        if listening is not None:
            with contextlib.suppress(OSError):
                listening.shutdown(socket.SHUT_RDWR)  # ends the accept() of the other thread
            listening.close()
        for connection in broken:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def mend(self) -> None:
        """Serve again, on the same port."""
        if self._listening is not None:
            return
        listening = socket.create_server(("127.0.0.1", self._port))
        self._port = listening.getsockname()[1]
        self._listening = listening
        threading.Thread(target=self._serve, args=(listening,), daemon=True).start()

    def _serve(self, listening: socket.socket) -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(client,), daemon=True).start()

    def _carry(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(self._upstream)
        except OSError:
            client.close()
            return
        pair = {client, server}
        with client, server:
            with self._lock:
                if self._listening is None:
                    return
                self._open |= pair
            back = threading.Thread(target=_pump, args=(server, client), daemon=True)
            back.start()
            _pump(client, server)
            back.join()
            with self._lock:
                self._open -= pair


def _pump(source: socket.socket, sink: socket.socket) -> None:
    """Hand on until the source ends, then end both."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(_CHUNK):
            sink.sendall(chunk)
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
