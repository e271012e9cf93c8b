"""What the lab's main process and the fork server say to each other: datagrams with descriptors.

One SOCK_SEQPACKET pair. A datagram is a JSON object; a large one travels in a memory file whose
descriptor comes first. Contents of files are base64. JSON, because what answers has shared its
namespaces with the programs of pods and is not to be trusted with more.
"""

import base64
import json
import os
import socket
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_INLINE_BYTES = 32_768
_MAX_DESCRIPTORS = 16
_IN_MEMORY_FILE = b"memory file"

Message = dict[str, object]


@dataclass(frozen=True, slots=True)
class Frame:
    """A datagram ready to be sent: its bytes and, for a large one, the memory file."""

    payload: bytes
    memory_fd: int = -1

    def send(self, connection: socket.socket, fds: Sequence[int]) -> None:
        """Send it. Raises BlockingIOError where a non-blocking socket is full; `close` it after."""
        carried = [*([self.memory_fd] if self.memory_fd >= 0 else []), *fds]
        socket.send_fds(connection, [self.payload], carried)

    def close(self) -> None:
        """Give up the memory file."""
        if self.memory_fd >= 0:
            os.close(self.memory_fd)


def encode(message: Mapping[str, object]) -> Frame:
    """Make a datagram of a message."""
    text = json.dumps(message).encode("ascii")
    if len(text) <= _INLINE_BYTES:
        return Frame(text)
    memory_fd = os.memfd_create("message", os.MFD_CLOEXEC)
    with open(memory_fd, "wb", closefd=False) as file:
        file.write(text)
    return Frame(_IN_MEMORY_FILE, memory_fd)


def send(connection: socket.socket, message: Mapping[str, object], fds: Sequence[int] = ()) -> None:
    """Send a message on a blocking socket. Raises OSError where the other side is gone."""
    frame = encode(message)
    try:
        frame.send(connection, fds)
    finally:
        frame.close()


def receive(connection: socket.socket) -> tuple[Message, list[int]] | None:
    """The next message and its descriptors, which are the caller's to close; None at the end."""
    # Not socket.recv_fds: it drops its flags (CPython 3.11), and what is received without this
    # one would be inherited by every program.
    room = socket.CMSG_LEN(_MAX_DESCRIPTORS * array("i").itemsize)
    payload, ancillary, _, _ = connection.recvmsg(_INLINE_BYTES, room, socket.MSG_CMSG_CLOEXEC)
    received = array("i")
    for _, _, carried in ancillary:
        received.frombytes(carried)
    if not payload:
        return None
    fds = received.tolist()
    if payload == _IN_MEMORY_FILE:
        with open(fds.pop(0), "rb") as file:
            file.seek(0)
            payload = file.read()
    message = json.loads(payload)
    if not isinstance(message, dict):
        raise ValueError("a message is a JSON object")
    return message, fds


def pack_files(files: Mapping[str, bytes]) -> dict[str, str]:
    """Contents of files as a message carries them."""
    return {name: base64.b64encode(content).decode("ascii") for name, content in files.items()}


def unpack_files(files: Mapping[str, str]) -> dict[str, bytes]:
    """The reverse of `pack_files`."""
    return {name: base64.b64decode(content) for name, content in files.items()}


def describe_error(error: BaseException) -> Message:
    """An error as a message carries it."""
    if isinstance(error, OSError) and error.errno is not None:
        path = error.filename
        name = os.fsdecode(path) if isinstance(path, (str, bytes)) else ""
        return {"errno": error.errno, "text": error.strerror or "", "path": name}
    return {"errno": 0, "text": f"{type(error).__name__}: {error}", "path": ""}


def restore_error(message: Mapping[str, object]) -> OSError:
    """The reverse of `describe_error`: an OSError of the kind that its number means."""
    number, text, path = message["errno"], str(message["text"]), str(message["path"])
    if isinstance(number, int) and number:
        return OSError(number, text, path or None)
    return OSError(text)


def answer(
    connection: socket.socket,
    request: int,
    *,
    error: Mapping[str, object] | None = None,
    pid: int = 0,
    fds: Sequence[int] = (),
) -> None:
    """Answer the request of that id: with an error, or with what was asked for."""
    send(connection, {"id": request, "error": error, "pid": pid}, fds)
