"""The log of one container run: what its pipes carry, line by line with times.

Owns reading the pipes and serving readers; bounded as the kubelet's containerLogMaxSize (10 MiB).
"""

import asyncio
import collections
import contextlib
import datetime
import os
import time
from collections.abc import AsyncIterator

_LIMIT_BYTES = 10 * 1024 * 1024
_CHUNK = 65536
_LONGEST_LINE = 16 * 1024  # the container runtime splits what is longer


class ContainerLog:
    """Lines of stdout and stderr in the order of their arrival."""

    def __init__(self) -> None:
        self._entries: collections.deque[tuple[float, bytes]] = collections.deque()
        self._bytes = 0
        self._dropped = 0
        self._partial: dict[int, bytes] = {}
        self._open = True
        self._grown = asyncio.Event()

    def attach(self, fd: int) -> None:
        """Read a pipe from now on; the log owns the descriptor."""
        os.set_blocking(fd, False)
        self._partial[fd] = b""
        asyncio.get_running_loop().add_reader(fd, self._read, fd)

    def _read(self, fd: int) -> None:
        try:
            data = os.read(fd, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # a pseudo-terminal whose last user has gone answers EIO
        if not data:
            self._detach(fd)
            return
        self._take(fd, data)

    def _take(self, fd: int, data: bytes) -> None:
        *lines, rest = (self._partial[fd] + data).split(b"\n")
        while len(rest) > _LONGEST_LINE:
            self._append(rest[:_LONGEST_LINE])
            rest = rest[_LONGEST_LINE:]
        for line in lines:
            self._append(line + b"\n")
        self._partial[fd] = rest

    def _append(self, line: bytes) -> None:
        self._entries.append((time.time(), line))
        self._bytes += len(line)
        while self._bytes > _LIMIT_BYTES:
            self._bytes -= len(self._entries.popleft()[1])
            self._dropped += 1
        self._wake()

    def _wake(self) -> None:
        self._grown.set()
        self._grown = asyncio.Event()

    def _detach(self, fd: int) -> None:
        rest = self._partial.pop(fd, None)
        if rest is None:
            return
        asyncio.get_running_loop().remove_reader(fd)
        os.close(fd)
        if rest:
            self._append(rest)

    def close(self) -> None:
        """Take what the pipes still hold, close them, and let followers come to their end."""
        for fd in list(self._partial):
            with contextlib.suppress(OSError):
                while data := os.read(fd, _CHUNK):
                    self._take(fd, data)
            self._detach(fd)
        self._open = False
        self._wake()

    async def read(
        self,
        *,
        follow: bool,
        timestamps: bool = False,
        tail_lines: int | None = None,
        since: float | None = None,
        from_now: bool = False,
    ) -> AsyncIterator[bytes]:
        """The lines as bytes; with `follow` until the container's run is over."""
        position = self._dropped
        if from_now:
            position += len(self._entries)
        elif tail_lines is not None:
            position += max(0, len(self._entries) - tail_lines)
        while True:
            grown = self._grown
            chunk = bytearray()
            position = max(position, self._dropped)
            start = position - self._dropped
            for at, line in list(self._entries)[start:] if start < len(self._entries) else ():
                position += 1
                if since is not None and at < since:
                    continue
                if timestamps:
                    chunk += _rfc3339(at) + b" "
                chunk += line
            if chunk:
                yield bytes(chunk)
                continue
            if not follow or not self._open:
                return
            await grown.wait()


def _rfc3339(moment: float) -> bytes:
    """As CRI logs have it: UTC with nanoseconds."""
    whole = datetime.datetime.fromtimestamp(moment, datetime.UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{int(moment % 1 * 1e9):09d}Z".encode()


async def copy_to_pipe(log: ContainerLog, fd: int) -> None:
    """Write a log as it grows to a pipe, until its reader or the container goes."""
    loop = asyncio.get_running_loop()
    with contextlib.suppress(OSError):
        async for chunk in log.read(follow=True, from_now=True):
            await loop.run_in_executor(None, os.write, fd, chunk)
    os.close(fd)
