"""One look of a kubelet probe: exec, httpGet, tcpSocket. What follows from it is the container's.

Connections come from the node's network namespace, as a kubelet's do.
"""

import asyncio
import os
import socket
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pytest_aksnet.lab.api.objects import JsonObject
from pytest_aksnet.lab.sockets import tcp_socket

RunCommand = Callable[[list[str], float], Awaitable[tuple[int, str]]]
_LONGEST_OUTPUT = 1024
_GOOD_STATUS = range(200, 400)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The outcome of one look; `output` is for the event where it failed."""

    good: bool
    output: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prober:
    """Looks at one container. `run` runs a command in it: (argv, seconds) -> status, output."""

    netns_fd: int
    ip: str
    ports: dict[str, int]
    run: RunCommand

    async def look(self, probe: JsonObject) -> Look:
        """Do what the probe says once, within its timeoutSeconds."""
        seconds = float(probe.get("timeoutSeconds") or 1)
        try:
            async with asyncio.timeout(seconds):
                if "exec" in probe:
                    return await self._exec(probe["exec"].get("command") or [], seconds)
                if "httpGet" in probe:
                    return await self._http(probe["httpGet"])
                if "tcpSocket" in probe:
                    return await self._tcp(probe["tcpSocket"])
        except TimeoutError:
            return Look(good=False, output=f"probe timed out after {seconds:g}s")
        except OSError as error:
            return Look(good=False, output=error.strerror or str(error))
        return Look(good=False, output="the lab looks by exec, httpGet and tcpSocket only")

    async def _exec(self, argv: list[str], seconds: float) -> Look:
        status, output = await self.run(argv, seconds)
        return Look(good=status == 0, output=output[:_LONGEST_OUTPUT])

    async def _tcp(self, action: JsonObject) -> Look:
        opened = await self._connect(action)
        opened.close()
        return Look(good=True)

    async def _connect(self, action: JsonObject) -> socket.socket:
        opened = tcp_socket(self.netns_fd)
        try:
            address = (action.get("host") or self.ip, self._port(action["port"]))
            await asyncio.get_running_loop().sock_connect(opened, address)
        except BaseException:
            opened.close()
            raise
        return opened

    def _port(self, port: object) -> int:
        if isinstance(port, str) and not port.isdigit():
            if port not in self.ports:
                raise OSError(f"couldn't find port: {port}")
            return self.ports[port]
        return int(str(port))

    async def _http(self, action: JsonObject) -> Look:
        tls: ssl.SSLContext | None = None
        if action.get("scheme", "HTTP") == "HTTPS":
            tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            tls.check_hostname = False
            tls.verify_mode = ssl.CERT_NONE
        opened = await self._connect(action)
        reader, writer = await asyncio.open_connection(
            sock=opened, ssl=tls, server_hostname=self.ip if tls else None
        )
        try:
            path = action.get("path") or "/"
            given = {item["name"]: item["value"] for item in action.get("httpHeaders") or []}
            head = {
                "Host": f"{self.ip}:{self._port(action['port'])}",
                "User-Agent": "kube-probe/1.34",
                "Accept": "*/*",
                "Connection": "close",
                **given,
            }
            lines = [f"GET {path} HTTP/1.1", *(f"{name}: {text}" for name, text in head.items())]
            writer.write(("\r\n".join(lines) + "\r\n\r\n").encode())
            await writer.drain()
            first = (await reader.readline()).decode("latin-1").split(" ", 2)
        finally:
            writer.close()
        if len(first) < 2 or not first[1].isdigit():
            return Look(good=False, output="malformed HTTP response")
        good = int(first[1]) in _GOOD_STATUS
        return Look(good=good, output=f"HTTP probe failed with statuscode: {first[1]}")


async def read_output(fd: int) -> str:
    """What a command writes to a pipe until it closes it, cut to what an event may hold."""
    loop = asyncio.get_running_loop()
    os.set_blocking(fd, False)
    data = bytearray()
    done = loop.create_future()

    def take() -> None:
        try:
            chunk = os.read(fd, 65536)
        except BlockingIOError:
            return
        if chunk:
            data.extend(chunk[: _LONGEST_OUTPUT - len(data)])
        elif not done.done():
            done.set_result(None)

    loop.add_reader(fd, take)
    try:
        await done
    finally:
        loop.remove_reader(fd)
        os.close(fd)
    return data.decode("utf-8", "replace")
