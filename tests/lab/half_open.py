"""A way to an API server that can stop carrying anything, or break, without either end knowing."""

import contextlib
import select
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import yaml


class Way:
    """Forwards TCP to the server of a kubeconfig; `kubeconfig` is one that goes this way."""

    def __init__(self, kubeconfig: Path, folder: Path) -> None:
        document = yaml.safe_load(kubeconfig.read_text("utf-8"))
        cluster = document["clusters"][0]["cluster"]
        server = urlsplit(cluster["server"])
        self._target = (server.hostname or "", server.port or 443)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        cluster["server"] = f"https://127.0.0.1:{port}"
        cluster.setdefault("tls-server-name", server.hostname)
        self.kubeconfig = folder / "kubeconfig"
        self.kubeconfig.write_text(yaml.safe_dump(document), "utf-8")
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._frozen: list[tuple[socket.socket, socket.socket]] = []
        self._closed = False
        self._away = False
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def freeze(self) -> None:
        """Carry nothing any more on the connections that are open; new ones work."""
        with self._lock:
            self._frozen += self._pairs
            self._pairs = []

    def cut(self) -> None:
        """Break all open connections."""
        with self._lock:
            for pair in self._pairs:
                for one in pair:
                    with contextlib.suppress(OSError):
                        one.shutdown(socket.SHUT_RDWR)

    @contextlib.contextmanager
    def away(self) -> Iterator[None]:
        """No server is there: open connections break, and new ones at once."""
        self._away = True
        self.cut()
        yield
        self._away = False

    def close(self) -> None:
        """Break everything and end."""
        self._closed = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(5)
        for pair in self._frozen:
            for one in pair:
                one.close()

    def _accept(self) -> None:
        while not self._closed:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self._away:
                client.close()
                continue
            pair = client, socket.create_connection(self._target)
            with self._lock:
                self._pairs.append(pair)
            thread = threading.Thread(target=self._carry, args=(pair,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, pair: tuple[socket.socket, socket.socket]) -> None:
        other = {pair[0]: pair[1], pair[1]: pair[0]}
        while pair in self._pairs:
            readable, _, _ = select.select(pair, (), (), 0.05)
            for one in readable:
                if pair not in self._pairs:
                    return
                try:
                    data = one.recv(65536)
                    other[one].sendall(data)
                except OSError:
                    data = b""
                if not data:
                    with self._lock:
                        if pair in self._pairs:
                            self._pairs.remove(pair)
                    for each in pair:
                        each.close()
                    return
