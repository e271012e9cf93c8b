"""The client side of `aksnet-lab`: finds a running lab and talks to /lab/v1 over aiohttp."""

import asyncio
import base64
import contextlib
import json
import os
import shutil
import signal
import ssl
import sys
import tempfile
import termios
import time
import tty
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import aiohttp
import yaml

_CONTEXT = "aksnet-lab"
_STDIN, _STDOUT, _STDERR, _STATUS, _RESIZE, _CLOSE = 0, 1, 2, 3, 4, 255
_CHUNK = 32768
_DOWN_SECONDS = 5.0  # longer than an API server that restarts is away
_PAUSE_SECONDS = 0.1


class ClientError(Exception):
    """What cannot be done, in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LabAddress:
    """Where a lab's API is, and what opens it."""

    server: str
    ca_pem: str
    token: str


def find_kubeconfig(given: str | None) -> Path:
    """The lab's kubeconfig: the one given, KUBECONFIG's, or that of the one lab of this user.

    Raises ClientError.
    """
    if given is not None:
        return Path(given)
    for name in filter(None, os.environ.get("KUBECONFIG", "").split(os.pathsep)):
        with contextlib.suppress(OSError, yaml.YAMLError, AttributeError):
            if yaml.safe_load(Path(name).read_text()).get("current-context") == _CONTEXT:
                return Path(name)
    running = [
        path
        for path in Path(tempfile.gettempdir()).glob("aksnet-lab-*/kubeconfig")
        if path.stat().st_uid == os.getuid()
    ]
    if not running:
        raise ClientError("no lab is running: start one with `aksnet-lab up`")
    if len(running) > 1:
        shown = ", ".join(str(path) for path in sorted(running))
        raise ClientError(f"several labs are running: choose one with --kubeconfig ({shown})")
    return running[0]


def read_address(path: Path) -> LabAddress:
    """What a lab's kubeconfig says. Raises ClientError."""
    try:
        content = yaml.safe_load(path.read_text())
        cluster = content["clusters"][0]["cluster"]
        return LabAddress(
            server=cluster["server"],
            ca_pem=base64.b64decode(cluster["certificate-authority-data"]).decode(),
            token=content["users"][0]["user"]["token"],
        )
    except OSError as error:
        raise ClientError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, KeyError, IndexError, TypeError, ValueError) as error:
        raise ClientError(f"{path} is no kubeconfig of a lab") from error


@contextlib.asynccontextmanager
async def _session(address: LabAddress) -> AsyncIterator[aiohttp.ClientSession]:
    tls = ssl.create_default_context(cadata=address.ca_pem)
    connector = aiohttp.TCPConnector(ssl=tls)
    headers = {"Authorization": f"Bearer {address.token}"}
    async with aiohttp.ClientSession(
        address.server, connector=connector, headers=headers
    ) as session:
        yield session


async def call(address: LabAddress, method: str, path: str) -> Mapping[str, object]:
    """One request below /lab/v1; its JSON answer. Raises ClientError with the lab's words.

    Tried again for some seconds where the API server is down, as it may be by a fault.
    """
    give_up = time.monotonic() + _DOWN_SECONDS
    while True:
        try:
            return await _call_once(address, method, path)
        except aiohttp.ClientConnectionError as error:
            if time.monotonic() > give_up:
                raise ClientError(f"no lab answers at {address.server}") from error
        await asyncio.sleep(_PAUSE_SECONDS)


async def _call_once(address: LabAddress, method: str, path: str) -> Mapping[str, object]:
    url = f"/lab/v1/{quote(path)}"
    async with _session(address) as session, session.request(method, url) as response:
        text = await response.text()
        if response.status != 200:
            raise ClientError(_words(text))
        answer: Mapping[str, object] = json.loads(text)
        return answer


def _words(text: str) -> str:
    with contextlib.suppress(ValueError, KeyError, TypeError):
        return str(json.loads(text)["message"])
    return text.strip()


async def run_command(address: LabAddress, place: str, argv: Sequence[str]) -> int:
    """Run a command at a place of the lab with this process's streams; its exit status.

    Raises ClientError.
    """
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    query = [("place", place), *(("command", part) for part in argv)]
    query += [("stdin", "true"), ("stdout", "true"), ("stderr", "true")]
    if terminal:
        query.append(("tty", "true"))
    async with _session(address) as session:
        try:
            socket = await session.ws_connect(
                "/lab/v1/exec", params=query, protocols=("v5.channel.k8s.io",), max_msg_size=0
            )
        except aiohttp.WSServerHandshakeError as error:
            raise ClientError(await _refusal(session, query) or str(error)) from error
        except aiohttp.ClientConnectorError as error:
            raise ClientError(f"no lab answers at {address.server}") from error
        with _raw_terminal() if terminal else contextlib.nullcontext():
            return await _carry(socket, terminal=terminal)


async def _refusal(session: aiohttp.ClientSession, query: list[tuple[str, str]]) -> str:
    """The words of a refused handshake, which the WebSocket client does not hand out."""
    headers = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Protocol": "v5.channel.k8s.io",
    }
    async with session.get("/lab/v1/exec", params=query, headers=headers) as response:
        return _words(await response.text()) if response.status != 101 else ""


@contextlib.contextmanager
def _raw_terminal() -> Iterator[None]:
    before = termios.tcgetattr(0)
    try:
        tty.setraw(0)
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


async def _carry(socket: aiohttp.ClientWebSocketResponse, *, terminal: bool) -> int:
    loop = asyncio.get_running_loop()
    if terminal:

        def resize() -> None:
            size = shutil.get_terminal_size()
            message = {"Width": size.columns, "Height": size.lines}
            payload = bytes((_RESIZE,)) + json.dumps(message).encode()
            resizes.append(loop.create_task(socket.send_bytes(payload)))

        resizes: list[asyncio.Task[None]] = []
        loop.add_signal_handler(signal.SIGWINCH, resize)
        resize()
    sending = loop.create_task(_send_stdin(socket))
    try:
        async for message in socket:
            if message.type != aiohttp.WSMsgType.BINARY:
                break
            channel, payload = message.data[0], message.data[1:]
            if channel in (_STDOUT, _STDERR):
                _write_all(channel, payload)
            elif channel == _STATUS:
                return _exit_status(payload)
    finally:
        sending.cancel()
    raise ClientError("the connection was lost: the exit status is not known")


async def _send_stdin(socket: aiohttp.ClientWebSocketResponse) -> None:
    """Carry stdin; files and terminals alike are read in the loop's readiness or at once."""
    loop = asyncio.get_running_loop()
    while True:
        with contextlib.suppress(PermissionError):
            readable: asyncio.Future[None] = loop.create_future()
            loop.add_reader(0, _settle, readable)  # refused for a plain file: always readable
            try:
                await readable
            finally:
                loop.remove_reader(0)
        data = os.read(0, _CHUNK)
        if not data:
            await socket.send_bytes(bytes((_CLOSE, _STDIN)))
            return
        await socket.send_bytes(bytes((_STDIN,)) + data)


def _settle(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _exit_status(payload: bytes) -> int:
    status = json.loads(payload)
    if status.get("status") == "Success":
        return 0
    for cause in (status.get("details") or {}).get("causes") or []:
        if cause.get("reason") == "ExitCode":
            return int(cause["message"])
    raise ClientError(str(status.get("message", "the command was not started")))
