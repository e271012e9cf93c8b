"""exec and attach: from the handshake to the closing frame.

Owns the WebSocket; processes are the kubelet's. A client that goes away does not end the process:
its output is read on and dropped, as on a real node.
"""

import asyncio
import contextlib
import json
import os
import secrets
from collections.abc import Awaitable, Callable

from aiohttp import web

from pytest_aksnet.lab.api import descriptors, errors, exchange, framing, trouble_requests
from pytest_aksnet.lab.api.context import ApiContext
from pytest_aksnet.lab.api.framing import Protocol
from pytest_aksnet.lab.api.resources import PODS
from pytest_aksnet.lab.api.routes import Target
from pytest_aksnet.lab.api.stream_trouble import Wire
from pytest_aksnet.lab.api.trouble import Trouble
from pytest_aksnet.lab.contracts import ExecNotStarted, ExecSession, KubeletRefusal


def container_of(context: ApiContext, target: Target, wanted: str) -> str:
    """The container that a request means. Raises ApiError 404 or 400."""
    spec = context.store.revision(PODS, target.name, target.namespace).value["spec"]
    groups = ("containers", "initContainers", "ephemeralContainers")
    names = [item["name"] for group in groups for item in spec.get(group) or []]
    if wanted:
        if wanted not in names:
            raise errors.bad_request(f"container {wanted} is not valid for pod {target.name}")
        return wanted
    main = [item["name"] for item in spec["containers"]]
    if len(main) > 1:
        raise errors.bad_request(
            f"a container name must be specified for pod {target.name}, choose one of: "
            f"[{' '.join(main)}]"
        )
    return str(main[0])


async def serve(context: ApiContext, request: web.Request, target: Target) -> web.StreamResponse:
    """Answer pods/exec or pods/attach. Raises ApiError before the handshake."""
    container = container_of(context, target, request.query.get("container", ""))
    pod = context.store.revision(PODS, target.name, target.namespace).value
    if not pod["spec"].get("nodeName"):
        raise errors.bad_request(f"pod {target.name} does not have a host assigned")
    argv = request.query.getall("command", [])

    async def start() -> ExecSession | None:
        if target.subresource == "attach":
            return await context.kubelet.attach(target.namespace, target.name, container)
        if not argv:
            return None
        return await context.kubelet.exec(
            target.namespace,
            target.name,
            container,
            argv,
            stdin=exchange.flag(request, "stdin"),
            stdout=exchange.flag(request, "stdout"),
            stderr=exchange.flag(request, "stderr") and not exchange.flag(request, "tty"),
            tty=exchange.flag(request, "tty"),
        )

    refusal = trouble_requests.exec_refusal(context.trouble, pod, container)
    if refusal is not None:
        return refusal
    attached = target.subresource == "attach"
    return await carry(request, start, attached=attached, trouble=context.trouble)


async def carry(
    request: web.Request,
    start: Callable[[], Awaitable[ExecSession | None]],
    *,
    attached: bool = False,
    trouble: Trouble | None = None,
) -> web.StreamResponse:
    """Answer a request for a stream with the process that `start` starts.

    `start` gives None where the request names no command, or raises KubeletRefusal or
    ExecNotStarted. Raises ApiError before the handshake.
    """
    if request.headers.get("Upgrade", "").lower() != "websocket":
        raise errors.bad_request("Upgrade request required")
    if not any(exchange.flag(request, name) for name in ("stdin", "stdout", "stderr")):
        text = "you must specify at least 1 of stdin, stdout, stderr"
        return exchange.of_kubelet(400, text)
    offered = request.headers.get("Sec-WebSocket-Protocol", "")
    protocol = framing.choose([name.strip() for name in offered.split(",") if name.strip()])
    if protocol is None:
        refusal = exchange.of_kubelet(403)
        refusal.force_close()
        return refusal
    problem = "args must not be empty"
    session: ExecSession | None = None
    try:
        session = await start()
    except KubeletRefusal as refused:
        return exchange.of_kubelet(refused.status, refused.text)
    except ExecNotStarted as failure:
        problem = failure.text
    socket = web.WebSocketResponse(
        protocols=(protocol.name,) if protocol.name else (),
        compress=False,
        max_msg_size=0,
    )
    try:
        await socket.prepare(request)
    except BaseException:
        if session is not None:
            _close(session)
        raise
    wire = Wire(socket, request, protocol, trouble)
    stream = _Stream(wire, protocol, tty=exchange.flag(request, "tty"))
    try:
        await stream.send(framing.STDOUT, b"")
        if session is None:
            container_id = secrets.token_hex(32)
            await stream.send(
                framing.STATUS, framing.not_started_status(protocol, container_id, problem)
            )
        elif attached:
            await stream.run_attached(session)
        else:
            await stream.run(session, request.query.getall("command", []))
    finally:
        await wire.close()
    return socket


def _close(session: ExecSession) -> None:
    for descriptor in {session.stdin_fd, session.stdout_fd, session.stderr_fd} - {-1}:
        os.close(descriptor)


class _Stream:
    """One open exec or attach."""

    def __init__(self, wire: Wire, protocol: Protocol, *, tty: bool) -> None:
        self._wire = wire
        self._protocol = protocol
        self._tty = tty
        self._client_gone = False

    async def send(self, channel: int, payload: bytes) -> None:
        """Send a frame; nothing where the client has gone."""
        if not self._client_gone:
            await self._wire.send(channel, payload)

    async def run(self, session: ExecSession, argv: list[str]) -> None:
        """Carry the streams until the process has ended and all its output is out."""
        reader = asyncio.create_task(self._read_client(session))
        try:
            outputs = self._outputs(session)
            code = await session.process.wait()
            await asyncio.gather(*outputs)
        finally:
            reader.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await reader
            _close(session)
        status = framing.exit_status(self._protocol, argv, code)
        if status is not None:
            await self.send(framing.STATUS, status)

    async def run_attached(self, session: ExecSession) -> None:
        """Carry the output until it ends or the client goes."""
        reader = asyncio.create_task(self._read_client(session))
        outputs = asyncio.create_task(self._carry_all(session))
        tasks = {reader, outputs}
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            _close(session)
        status = framing.exit_status(self._protocol, [], 0)
        if status is not None:
            await self.send(framing.STATUS, status)

    def _outputs(self, session: ExecSession) -> list[asyncio.Task[None]]:
        wanted = ((session.stdout_fd, framing.STDOUT), (session.stderr_fd, framing.STDERR))
        return [
            asyncio.create_task(self._carry(descriptor, channel))
            for descriptor, channel in wanted
            if descriptor >= 0
        ]

    async def _carry_all(self, session: ExecSession) -> None:
        await asyncio.gather(*self._outputs(session))

    async def _carry(self, descriptor: int, channel: int) -> None:
        async for chunk in descriptors.read_chunks(descriptor):
            await self.send(channel, chunk)

    async def _read_client(self, session: ExecSession) -> None:
        """Take frames until the client goes; then the process sees the end of its stdin."""
        try:
            async for message in self._wire.messages():
                decoded = self._protocol.decode(message.data)
                if decoded is not None:
                    await self._take(session, *decoded)
        except (ConnectionError, ValueError):
            pass
        self._client_gone = True
        self._close_stdin(session)

    async def _take(self, session: ExecSession, channel: int, payload: bytes) -> None:
        if channel == framing.STDIN and payload and session.stdin_fd >= 0:
            if not await descriptors.write_all(session.stdin_fd, payload):
                self._close_stdin(session)
        elif channel == framing.RESIZE and self._tty:
            with contextlib.suppress(ValueError, KeyError, TypeError):
                size = json.loads(payload)
                descriptors.resize_terminal(
                    session.stdout_fd, int(size["Width"]), int(size["Height"])
                )
        elif (
            channel == framing.CLOSE
            and self._protocol.version >= 5
            and payload[:1] == bytes((framing.STDIN,))
        ):
            self._close_stdin(session)

    def _close_stdin(self, session: ExecSession) -> None:
        if session.stdin_fd >= 0 and not self._tty:
            os.close(session.stdin_fd)
            session.stdin_fd = -1
