"""Reading and writing pipes and terminals from asyncio, without threads and without loss."""

import asyncio
import contextlib
import errno
import fcntl
import os
import struct
import termios
from collections.abc import AsyncIterator

_CHUNK = 32768


async def _ready(descriptor: int, *, writing: bool) -> None:
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not waiter.done():
            waiter.set_result(None)

    add = loop.add_writer if writing else loop.add_reader
    remove = loop.remove_writer if writing else loop.remove_reader
    add(descriptor, wake)
    try:
        await waiter
    finally:
        remove(descriptor)


async def read_chunks(descriptor: int) -> AsyncIterator[bytes]:
    """What comes out of a descriptor, to its end. A closed terminal (EIO) is an end."""
    os.set_blocking(descriptor, False)
    while True:
        try:
            chunk = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            await _ready(descriptor, writing=False)
            continue
        except OSError as error:
            if error.errno == errno.EIO:
                return
            raise
        if not chunk:
            return
        yield chunk
        await asyncio.sleep(0)


async def write_all(descriptor: int, data: bytes) -> bool:
    """Write all; false where nobody reads any more."""
    os.set_blocking(descriptor, False)
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:
            await _ready(descriptor, writing=True)
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.EIO):
                return False
            raise
    return True


def resize_terminal(descriptor: int, columns: int, rows: int) -> None:
    """Set the size of a terminal; nothing where the descriptor is none."""
    with contextlib.suppress(OSError, struct.error):
        fcntl.ioctl(descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
