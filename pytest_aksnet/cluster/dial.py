"""The way to the API server for a stream: address, proxy, TCP, TLS; all within one time limit.

Owns the sockets until a protocol has taken them over. Runs on the stream loop and never blocks it:
names are looked up in a thread.
"""

import asyncio
import contextlib
import functools
import ipaddress
import socket
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import urlsplit

from kubernetes.client.rest import should_bypass_proxies

from pytest_aksnet.cluster.access import Access
from pytest_aksnet.cluster.loop import in_thread
from pytest_aksnet.cluster.problems import CONNECT_TIMEOUT_S
from pytest_aksnet.model.errors import EnvironmentProblem

AnyProtocol = TypeVar("AnyProtocol", bound=asyncio.Protocol)

_HTTP_PORT, _HTTPS_PORT = 80, 443
_LONGEST_PROXY_ANSWER = 64 * 1024


async def dial(access: Access, protocol: Callable[[], AnyProtocol], deadline: float) -> AnyProtocol:
    """Connect a new protocol to the API server, through the proxy of kubeconfig or environment.

    Takes CONNECT_TIMEOUT_S seconds at most, and ends at `deadline` (time.monotonic()). Raises
    EnvironmentProblem (a proxy that cannot be used), TimeoutError or OSError (ssl.SSLError is one).
    """
    url = urlsplit(access.server)
    host = url.hostname or ""
    port = url.port or (_HTTPS_PORT if url.scheme == "https" else _HTTP_PORT)
    loop = asyncio.get_running_loop()
    async with asyncio.timeout_at(min(deadline, loop.time() + CONNECT_TIMEOUT_S)):
        proxy = access.configuration.proxy
        if proxy and not should_bypass_proxies(access.server, access.configuration.no_proxy or ""):
            headers = access.configuration.proxy_headers or {}
            plain = await _tunnel(str(proxy), host, port, headers)
        else:
            plain = await _connect(host, port)
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        name = (access.configuration.tls_server_name or host) if access.tls else None
        _, made = await loop.create_connection(
            protocol, sock=plain, ssl=access.tls, server_hostname=name
        )
        return made


async def _connect(host: str, port: int) -> socket.socket:
    """A connected socket; the addresses of a name are tried in order, each for its share."""
    loop = asyncio.get_running_loop()
    addresses = await _addresses(host, port)
    problem: OSError = OSError(f"{host} has no address")
    end = loop.time() + CONNECT_TIMEOUT_S
    for number, (family, address) in enumerate(addresses):
        plain = socket.socket(family, socket.SOCK_STREAM)
        share = (end - loop.time()) / (len(addresses) - number)
        try:
            plain.setblocking(False)
            plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            async with asyncio.timeout(share):
                await loop.sock_connect(plain, address)
            return plain
        except OSError as error:  # TimeoutError is one
            plain.close()
            problem = error
        except BaseException:
            plain.close()
            raise
    raise problem


async def _addresses(host: str, port: int) -> list[tuple[int, tuple[str, int]]]:
    with contextlib.suppress(ValueError):
        numeric = ipaddress.ip_address(host)
        family = socket.AF_INET if numeric.version == 4 else socket.AF_INET6
        return [(family, (host, port))]
    look_up = functools.partial(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
    found = await in_thread(look_up)
    return [(family, (str(place[0]), int(place[1]))) for family, _, _, _, place in found]


async def _tunnel(proxy: str, host: str, port: int, headers: Mapping[str, str]) -> socket.socket:
    """A socket to `host` through an HTTP proxy (CONNECT, RFC 9110, 9.3.6)."""
    url = urlsplit(proxy)
    if url.scheme != "http" or not url.hostname:
        raise EnvironmentProblem(
            f"exec cannot use the proxy {url.scheme}://{url.hostname}: only http:// proxies are "
            "supported for WebSockets; change proxy-url in the kubeconfig or HTTPS_PROXY"
        )
    loop = asyncio.get_running_loop()
    plain = await _connect(url.hostname, url.port or _HTTP_PORT)
    try:
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        lines = [f"CONNECT {place} HTTP/1.1", f"Host: {place}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        await loop.sock_sendall(plain, "\r\n".join([*lines, "", ""]).encode("latin-1"))
        answer = b""
        while b"\r\n\r\n" not in answer:
            chunk = await loop.sock_recv(plain, 4096)
            if not chunk or len(answer) > _LONGEST_PROXY_ANSWER:
                raise OSError(f"the proxy {url.hostname} gave no answer to CONNECT")
            answer += chunk
        status = answer.partition(b"\r\n")[0].decode("latin-1")
        if status.split(" ")[1:2] != ["200"]:
            raise OSError(f"the proxy {url.hostname} refused the tunnel: {status}")
    except BaseException:
        plain.close()
        raise
    return plain
