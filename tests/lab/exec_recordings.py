"""Recorded WebSocket streams of a real API server: send the same frames, take what comes.

Waits that the recorder made between frames are left out: a frame goes out as soon as all has come
that had come before it in the recording.
"""

import dataclasses
import json
import os
import re
import socket
import ssl
import struct
from pathlib import Path
from typing import Any

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
_PATIENCE_S = 10.0
_SILENCE_S = 0.2
_VOLATILE_HEADERS = ("audit-id", "date", "sec-websocket-accept")
_STATUS_CHANNELS = (3, ord("3"))

Document = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Frame:
    """One message: `channel` is its first byte, -1 for control frames and empty messages."""

    opcode: int
    channel: int
    payload: bytes


def recorded_frames(document: Document) -> list[Frame]:
    """What the real server sent; long payloads were not kept and are runs of their first byte."""
    return [_frame(item) for item in document["received_frames"]]


def _frame(item: dict[str, Any]) -> Frame:
    if item["opcode"] == CLOSE:
        return Frame(CLOSE, -1, struct.pack("!H", item["close_code"]))
    channel = item.get("channel")
    if "payload_hex" in item:
        payload = bytes.fromhex(item["payload_hex"])
    elif "payload_json" in item:
        payload = json.dumps(item["payload_json"]).encode()
    else:
        payload = item["payload_text_start"][:1].encode() * (item["length"] - 1)
    return Frame(item["opcode"], -1 if channel is None else channel, payload)


def summary(frames: list[Frame]) -> dict[str, object]:
    """What of a stream must be the same: outputs as a whole, statuses, control frames, the end.

    Two streams of output have no order between them; container ids and terminals are any.
    """
    outputs: dict[int, bytes] = {}
    for frame in frames:
        if frame.opcode in (TEXT, BINARY):
            outputs[frame.channel] = outputs.get(frame.channel, b"") + frame.payload
    found: dict[str, object] = {
        "first": dataclasses.astuple(frames[0]) if frames else None,
        "opcodes": sorted({frame.opcode for frame in frames}),
        "control": [frame.payload for frame in frames if frame.channel < 0],
        "last": frames[-1].opcode if frames else None,
    }
    for channel, payload in outputs.items():
        text = re.sub(rb"[0-9a-f]{60,64}", b"ID", payload)
        text = re.sub(rb"/dev/pts/[0-9]+", b"/dev/pts/N", text)
        is_json = channel in _STATUS_CHANNELS and text.startswith(b"{")
        found[f"channel {channel}"] = json.loads(text) if is_json else text
    return found


class Replay:
    """One stream to a server, from the recorded handshake on.

    `status` is the line of the answer, `headers` its headers in lower case without those that
    differ by their nature, `body` that of a refusal.
    """

    def __init__(
        self, port: int, ca_file: Path, document: Document, *, token: str, path: str = ""
    ) -> None:
        context = ssl.create_default_context(cafile=str(ca_file))
        plain = socket.create_connection(("127.0.0.1", port), _PATIENCE_S)
        self._socket = context.wrap_socket(plain, server_hostname="127.0.0.1")
        request, *lines = document["handshake_request"]
        if path:
            request = f"GET {path} HTTP/1.1"
        if token and not any(line.startswith("Authorization:") for line in lines):
            lines.append(f"Authorization: Bearer {token}")
        self._socket.sendall("\r\n".join((request, *lines, "", "")).encode())
        self._file = self._socket.makefile("rb")
        self.status = self._file.readline().decode().strip()
        self.headers: dict[str, str] = {}
        while line := self._file.readline().strip().decode():
            name, _, value = line.partition(":")
            if name.lower() not in _VOLATILE_HEADERS:
                self.headers[name.lower()] = value.strip()
        self.body = ""
        if " 101 " not in self.status:
            self.body = self._file.read(int(self.headers.get("content-length", "0"))).decode()
        self.frames: list[Frame] = []

    def close(self) -> None:
        """Drop the connection."""
        self._file.close()
        self._socket.close()

    def run(self, document: Document) -> list[Frame]:
        """Send the recorded frames, and read to the end or to where the recording stops."""
        wanted = [frame for frame in recorded_frames(document) if frame.opcode in (TEXT, BINARY)]
        for item in document["sent_frames"]:
            if item["opcode"] == CLOSE:
                self.read_output(b"".join(frame.payload for frame in wanted))
            self._send(_frame(item))
        if document["end"] == "eof":
            self.read_to_end()
        else:
            self.read_output(b"".join(frame.payload for frame in wanted))
            self.read_nothing()
        return self.frames

    def read_output(self, wanted: bytes) -> None:
        """Read until so much has come, at least one frame."""
        while b"".join(frame.payload for frame in self.frames) != wanted or not self.frames:
            self.frames.append(self._receive())

    def read_nothing(self) -> None:
        """The server stays silent."""
        self._socket.settimeout(_SILENCE_S)
        try:
            extra = self._file.read(1)
        except TimeoutError:
            return
        raise AssertionError(f"{extra!r} came from a server that should be silent")

    def read_to_end(self) -> None:
        """Read to the closing frame, which must be the last."""
        while not self.frames or self.frames[-1].opcode != CLOSE:
            self.frames.append(self._receive())
        self._send(Frame(CLOSE, -1, self.frames[-1].payload))
        assert self._file.read(1) == b""

    def _send(self, frame: Frame) -> None:
        payload = frame.payload if frame.channel < 0 else bytes((frame.channel,)) + frame.payload
        size = len(payload)
        length = bytes((0x80 | size,)) if size < 126 else b"\xfe" + struct.pack("!H", size)
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
        self._socket.sendall(bytes((0x80 | frame.opcode,)) + length + mask + masked)

    def _receive(self) -> Frame:
        head = self._file.read(2)
        assert len(head) == 2, "the connection ended without a closing frame"
        assert head[0] & 0x80, "a fragment"
        assert not head[1] & 0x80, "a masked frame from a server"
        size = head[1]
        if size >= 126:
            size = int.from_bytes(self._file.read(2 if size == 126 else 8), "big")
        payload = self._file.read(size)
        opcode = head[0] & 0x0F
        if opcode in (TEXT, BINARY) and payload:
            return Frame(opcode, payload[0], payload[1:])
        return Frame(opcode, -1, payload)
