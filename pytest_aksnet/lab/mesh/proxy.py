"""The sidecar: takes the pod's TCP connections over, mutual TLS inside the mesh, plain outside.

In stands for Envoy. What comes in is told apart by its first byte, a TLS record or not; what goes
out is sent to where it was meant for (SO_ORIGINAL_DST), over mutual TLS where that is a Service
with an endpoint in the mesh. Its own connections carry a mark, by which `istio-init` lets them
pass: Envoy has a user of its own for that, and a lab's pod has one user only. One request is served
per connection, as HTTP's Connection: close allows.
"""

import asyncio
import hashlib
import http.client
import json
import os
import random
import re
import socket
import ssl
import struct
import sys
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

_INBOUND, _OUTBOUND, _HEALTH, _READY = 15006, 15001, 15020, 15021
_MARK = 1337
_SO_ORIGINAL_DST = 80
# Whence Envoy calls the application (Istio docs: application requirements).
_INBOUND_SOURCE = "127.0.0.6"
_TLS_RECORD = b"\x16"
_MOST_HEAD = 65536
_CHUNK = 65536
_RETRY_S = 0.2
_POLL_S = 30.0
_METHOD = re.compile(rb"[A-Z]{1,10}(?: |\Z)")
_REQUEST = re.compile(rb"[A-Z]{3,10} [^ \r\n]+ HTTP/1\.[01]\Z")
_REPLACED = re.compile(rb"(?i)(x-forwarded-client-cert|connection):")
_ALPN = "istio"
_BACKLOG = 1024

Handler = Callable[[socket.socket], Awaitable[None]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Proxy:
    """One pod's sidecar."""

    def __init__(self) -> None:
        self._own_ip = os.environ["INSTANCE_IP"]
        self._folder = os.environ["CERTIFICATES"]
        self._probers = json.loads(os.environ.get("ISTIO_KUBE_APP_PROBERS") or "{}")
        self._istiod = os.environ["ISTIOD"]
        self._server = self._context(ssl.PROTOCOL_TLS_SERVER)
        self._client = self._context(ssl.PROTOCOL_TLS_CLIENT)
        self._by = os.environ["SPIFFE_ID"]
        self._config: dict[str, Any] = {}

    async def run(self) -> None:
        """Serve until the process is ended."""
        threading.Thread(target=self._follow, daemon=True).start()
        health = [await asyncio.start_server(self._probe, "", port) for port in (_HEALTH, _READY)]
        await asyncio.gather(
            _accept(_INBOUND, self._inbound),
            _accept(_OUTBOUND, self._outbound),
            *(one.serve_forever() for one in health),
        )

    # -- what it is told -------------------------------------------------------------------

    def _context(self, protocol: int) -> ssl.SSLContext:
        context = ssl.SSLContext(protocol)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_REQUIRED
        context.set_alpn_protocols([_ALPN])
        context.load_verify_locations(f"{self._folder}/root-cert.pem")
        context.load_cert_chain(f"{self._folder}/cert-chain.pem", f"{self._folder}/key.pem")
        return context

    def _follow(self) -> None:
        """Keep the configuration at what istiod says."""
        host, _, port = self._istiod.partition(":")
        while True:
            version = quote(str(self._config.get("version", "")))
            try:
                address = socket.getaddrinfo(host, port, socket.AF_INET)[0][4]
                with _marked() as sock:
                    sock.settimeout(_POLL_S)
                    sock.connect(address)
                    connection = http.client.HTTPConnection(host)
                    connection.sock = sock
                    connection.request("GET", f"/config?version={version}")
                    self._config = json.load(connection.getresponse())
            except (OSError, ValueError, http.client.HTTPException) as error:
                _say(f"istiod: {error}")
                time.sleep(_RETRY_S)

    # -- connections -----------------------------------------------------------------------

    async def _inbound(self, sock: socket.socket) -> None:
        first = await _first_byte(sock)
        strict = self._config.get("modes", {}).get(self._own_ip) == "STRICT"
        if not first or (strict and first != _TLS_RECORD):
            return _reset(sock)
        _, port = _original(sock)
        tls = self._server if first == _TLS_RECORD else None
        client = await _adopt(sock, tls)
        certificate = client[1].get_extra_info("ssl_object")
        await self._join(
            client, self._own_ip, port, source=_INBOUND_SOURCE,
            head=self._client_header(certificate) if certificate else b"",
        )  # fmt: skip

    def _client_header(self, peer: ssl.SSLObject) -> bytes:
        shown = peer.getpeercert(binary_form=True) or b""
        digest = hashlib.sha256(shown).hexdigest()
        said = f'By={self._by};Hash={digest};Subject="";URI={_uri(peer.getpeercert())}'
        return f"X-Forwarded-Client-Cert: {said}\r\n".encode()

    async def _outbound(self, sock: socket.socket) -> None:
        address, port = _original(sock)
        service = self._config.get("services", {}).get(f"{address}:{port}")
        chosen: dict[str, Any] = {"address": address, "port": port, "mesh": False}
        if service is not None:
            weights = [one["weight"] for one in service["splits"]]
            [split] = random.choices(service["splits"], weights)
            if not split["endpoints"]:
                return _reset(sock)
            chosen = random.choice(split["endpoints"])
        if not chosen["mesh"] and not self._config.get("outside", True):
            return _reset(sock)
        client = await _adopt(sock, None)
        tls = self._client if chosen["mesh"] else None
        await self._join(client, chosen["address"], chosen["port"], tls=tls, head=None)

    async def _join(
        self,
        client: Streams,
        address: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        source: str = "",
        head: bytes | None,
    ) -> None:
        """Connect, and carry both ways. With `head` requests of HTTP get these header lines."""
        sock = _marked()
        try:
            sock.setblocking(False)
            if source:
                sock.bind((source, 0))
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
            server = await asyncio.open_connection(
                sock=sock, ssl=tls, server_hostname="" if tls else None
            )
        except OSError:
            sock.close()
            return _abort(client[1])
        try:
            await asyncio.gather(
                _carry(client[0], server[1], head), _carry(server[0], client[1], None)
            )
        except OSError:
            _abort(client[1])
            _abort(server[1])
        finally:
            client[1].close()
            server[1].close()

    # -- probes of the kubelet -------------------------------------------------------------

    async def _probe(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Readiness of the sidecar, and the application's probes, which plain TCP cannot reach."""
        try:
            line = await reader.readuntil(b"\r\n\r\n")
            path = line.split(b" ", 2)[1].decode()
            good = bool(self._config)
            if path in self._probers:
                good = await self._ask_application(self._probers[path])
            status = "200 OK" if good else "503 Service Unavailable"
            writer.write(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n".encode())
            await writer.drain()
        except (OSError, asyncio.IncompleteReadError, IndexError):
            pass
        finally:
            writer.close()

    async def _ask_application(self, probe: dict[str, Any]) -> bool:
        sock = _marked()
        sock.setblocking(False)
        with sock:
            loop = asyncio.get_running_loop()
            try:
                await loop.sock_connect(sock, (self._own_ip, int(probe["port"])))
                if "path" not in probe:
                    return True
                request = f"GET {probe['path']} HTTP/1.0\r\nHost: {self._own_ip}\r\n\r\n"
                await loop.sock_sendall(sock, request.encode())
                answer = await loop.sock_recv(sock, 16)
            except OSError:
                return False
            return answer[9:10] in (b"2", b"3")


async def _accept(port: int, handle: Handler) -> None:
    """Have every connection to a port handled."""
    loop = asyncio.get_running_loop()
    listener = socket.create_server(("", port), backlog=_BACKLOG)
    listener.setblocking(False)
    running: set[asyncio.Task[None]] = set()

    async def guarded(sock: socket.socket) -> None:
        try:
            await handle(sock)
        except OSError as error:
            _say(f"port {port}: {error}")
            sock.close()

    while True:
        sock, _ = await loop.sock_accept(listener)
        task = loop.create_task(guarded(sock))
        running.add(task)
        task.add_done_callback(running.discard)


async def _first_byte(sock: socket.socket) -> bytes:
    """The first byte, which stays to be read; empty at the end or where the peer has reset."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(sock, readable.set)
    try:
        await readable.wait()
        return sock.recv(1, socket.MSG_PEEK)
    except OSError:
        return b""
    finally:
        loop.remove_reader(sock)


async def _adopt(sock: socket.socket, tls: ssl.SSLContext | None) -> Streams:
    """The streams of an accepted connection, after the handshake of a server."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    transport, _ = await loop.connect_accepted_socket(lambda: protocol, sock, ssl=tls)
    return reader, asyncio.StreamWriter(transport, protocol, reader, loop)


async def _carry(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: bytes | None
) -> None:
    """Carry bytes one way until their end, and tell that end."""
    if head is not None:
        writer.write(await _with_header(reader, head))
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()
    if writer.can_write_eof():
        writer.write_eof()
    else:
        writer.close()


async def _with_header(reader: asyncio.StreamReader, lines: bytes) -> bytes:
    """What came first: the head of a request with these header lines, or other bytes as they are.

    The server is asked to close after its answer, so that a connection has one request.
    """
    data = b""
    while b"\r\n\r\n" not in data and len(data) < _MOST_HEAD:
        more = await reader.read(_CHUNK)
        data += more
        line, complete, _ = data.partition(b"\r\n")
        if not more or not _METHOD.match(data) or b"\n" in line:
            return data
        if complete and not _REQUEST.match(line):
            return data
    head, _, body = data.partition(b"\r\n\r\n")
    kept = [line for line in head.split(b"\r\n") if not _REPLACED.match(line)]
    return b"\r\n".join(kept) + b"\r\n" + lines + b"Connection: close\r\n\r\n" + body


def _marked() -> socket.socket:
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, _MARK)
    return sock


def _original(sock: socket.socket) -> tuple[str, int]:
    """Where a redirected connection was meant for."""
    found = sock.getsockopt(socket.SOL_IP, _SO_ORIGINAL_DST, 16)
    return socket.inet_ntoa(found[4:8]), struct.unpack(">H", found[2:4])[0]


def _reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


def _abort(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.fileno() >= 0:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _uri(certificate: Any) -> str:
    names = (certificate or {}).get("subjectAltName") or ()
    return next((value for kind, value in names if kind == "URI"), "")


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(Proxy().run())
