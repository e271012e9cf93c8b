"""The channel protocols of exec and attach: how bytes of a stream become WebSocket frames.

Pure. Sources: KEP-4006 (v5, closing stdin), k8s.io/kubelet remotecommand, and answers of a real
API server for the texts of statuses, which differ between versions.
"""

import base64
import dataclasses
import json
from collections.abc import Sequence

from pytest_aksnet.lab.api.objects import JsonObject

STDIN, STDOUT, STDERR, STATUS, RESIZE, CLOSE = 0, 1, 2, 3, 4, 255


@dataclasses.dataclass(frozen=True, slots=True)
class Protocol:
    """One subprotocol. Version 5 can close stdin; below 4 the status is a plain text."""

    name: str
    version: int
    text_frames: bool = False

    def encode(self, channel: int, payload: bytes) -> bytes | str:
        """A frame; a str where the protocol wants text frames."""
        if self.text_frames:
            return f"{channel}{base64.b64encode(payload).decode()}"
        return bytes((channel,)) + payload

    def decode(self, frame: bytes | str) -> tuple[int, bytes] | None:
        """Channel and payload of a client's frame; None for an empty frame."""
        data = frame.encode() if isinstance(frame, str) else frame
        if not data:
            return None
        if self.text_frames:
            return data[0] - ord("0"), base64.b64decode(data[1:])
        return data[0], data[1:]


_PROTOCOLS = (
    Protocol("v5.channel.k8s.io", 5),
    Protocol("v4.channel.k8s.io", 4),
    Protocol("v4.base64.channel.k8s.io", 4, text_frames=True),
    Protocol("channel.k8s.io", 1),
    Protocol("base64.channel.k8s.io", 1, text_frames=True),
)
WITHOUT_NAME = Protocol("", 1)


def choose(offered: Sequence[str]) -> Protocol | None:
    """The newest protocol that the client offers, whatever its order; None where none is known."""
    if not offered:
        return WITHOUT_NAME
    return next((known for known in _PROTOCOLS if known.name in offered), None)


def exit_status(protocol: Protocol, argv: Sequence[str], code: int) -> bytes | None:
    """What the status channel says at the end; None where it says nothing."""
    if code == 0:
        return _json({"metadata": {}, "status": "Success"}) if protocol.version >= 4 else None
    detail = f"error executing command [{' '.join(argv)}], exit code {code}"
    if protocol.version >= 5:
        detail = f"command terminated with exit code {code}"
    message = f"command terminated with non-zero exit code: {detail}"
    if protocol.version < 4:
        return message.encode()
    return _json(
        {
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": "NonZeroExitCode",
            "details": {"causes": [{"reason": "ExitCode", "message": str(code)}]},
        }
    )


def not_started_status(protocol: Protocol, container_id: str, problem: str) -> bytes:
    """What the status channel says where the program could not be executed."""
    cause = (
        "error executing command in container: failed to exec in container: failed to start exec "
        f'"{container_id}": OCI runtime exec failed: exec failed: {problem}'
    )
    if protocol.version >= 5:
        cause = f"Internal error occurred: {cause}"
    message = f"Internal error occurred: {cause}"
    if protocol.version < 4:
        return message.encode()
    return _json(
        {
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": "InternalError",
            "details": {"causes": [{"message": cause}]},
            "code": 500,
        }
    )


def _json(value: JsonObject) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
