"""HTTP servers of the hosts outside the cluster: each tells its client what address it came from.

Owns HTTP/1.1 (RFC 9112) for that one purpose: every GET is answered with the peer's address and a
newline as text/plain, on port 443 inside TLS. Every connection carries one request.
"""

import asyncio
import ssl

from pytest_aksnet.lab.sockets import tcp_listener
from pytest_aksnet.lab.spec import LabSpec, OutsideHost

TLS_PORT = 443
REQUEST_SECONDS = 10.0
_LARGEST_HEAD = 16 * 1024
_LARGEST_BODY_DISCARDED = 64 * 1024
_LINGER_SECONDS = 1.0


def certificate_names(spec: LabSpec, host: OutsideHost) -> tuple[str, ...]:
    """The DNS names that a host's certificate must carry, sorted; empty where it has none."""
    names = {name for name, ip in spec.public_names.items() if ip == host.ip}
    for endpoint in spec.private_endpoints:
        if host.ip in (endpoint.ip, endpoint.public_ip):
            names |= {endpoint.fqdn, endpoint.privatelink_fqdn, endpoint.public_cname}
    return tuple(sorted(names))


class OutsideServer:
    """The HTTP server of one host, on all its `http_ports`.

    `tls` serves port 443; a host with that port needs one. Slow clients are cut off after
    `request_seconds`.
    """

    def __init__(
        self,
        host: OutsideHost,
        *,
        tls: ssl.SSLContext | None = None,
        request_seconds: float = REQUEST_SECONDS,
    ) -> None:
        if TLS_PORT in host.http_ports and tls is None:
            raise ValueError(f"{host.name} serves port {TLS_PORT} and needs a TLS context")
        self._host = host
        self._tls = tls
        self._request_seconds = request_seconds
        self._servers: list[asyncio.Server] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self, netns_fd: int) -> None:
        """Listen in that network namespace. Raises OSError."""
        addresses = ("", "::") if self._host.ip6 else ("",)
        for port in self._host.http_ports:
            tls = self._tls if port == TLS_PORT else None
            for address in addresses:
                self._servers.append(
                    await asyncio.start_server(
                        self._serve,
                        sock=tcp_listener(netns_fd, address, port),
                        ssl=tls,
                        ssl_handshake_timeout=self._request_seconds if tls else None,
                        limit=_LARGEST_HEAD,
                    )
                )

    async def stop(self) -> None:
        """Stop listening and drop the open connections."""
        for server in self._servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            async with asyncio.timeout(self._request_seconds):
                head, response = await _request(reader, str(writer.get_extra_info("peername")[0]))
                writer.write(response)
                await writer.drain()
                await _discard_body(head, reader, writer)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            writer.transport.abort()
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader, client: str) -> tuple[bytes, bytes]:
    """The head of the request, and the response to it. Raises IncompleteReadError."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        return b"", _response("431 Request Header Fields Too Large", "the header is too large\n")
    line, *fields = head.decode("latin-1").split("\r\n")[:-2]
    method, _, rest = line.partition(" ")
    target, _, version = rest.rpartition(" ")
    names = [field.partition(":")[0].lower() for field in fields]
    if not target or version not in ("HTTP/1.0", "HTTP/1.1"):
        return head, _response("400 Bad Request", "this is not an HTTP/1.1 request\n")
    if version == "HTTP/1.1" and names.count("host") != 1:
        return head, _response("400 Bad Request", "exactly one Host field is required\n")
    if method not in ("GET", "HEAD"):
        text = "only GET and HEAD are served\n"
        return head, _response("405 Method Not Allowed", text, "Allow: GET, HEAD\r\n")
    return head, _response("200 OK", f"{client}\n", with_body=method == "GET")


def _response(status: str, text: str, fields: str = "", *, with_body: bool = True) -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        f"Content-Length: {len(text)}\r\n{fields}Connection: close\r\n\r\n"
    )
    return (head + text * with_body).encode()


async def _discard_body(
    head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Read what else the client sends: closing over unread bytes would reset the connection."""
    fields = head.lower()
    if b"\r\ncontent-length:" not in fields and b"\r\ntransfer-encoding:" not in fields:
        return
    if writer.can_write_eof():
        writer.write_eof()
    left = _LARGEST_BODY_DISCARDED
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            while left > 0 and (data := await reader.read(left)):
                left -= len(data)
    except TimeoutError:
        return
