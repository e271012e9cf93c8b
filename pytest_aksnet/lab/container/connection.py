"""The asyncio end of the connection to the fork server: requests, answers, ends of processes."""

import asyncio
import os
import signal
import socket
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass

from pytest_aksnet.lab.container import protocol


class LabProcess:
    """A process in a sandbox (contracts.Process). `pid` counts in the lab's main pid namespace."""

    def __init__(self, pidfd: int) -> None:
        """Take over `pidfd`; the connection tells the exit status later."""
        self.pid = _pid_here(pidfd)
        self._pidfd = pidfd
        self._status: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    async def wait(self) -> int:
        """Its exit status; 128 + N where signal N ended it. Raises ConnectionError at lab's end."""
        return await asyncio.shield(self._status)

    def signal(self, signum: int) -> None:
        """Send a signal to it; no error if it has ended."""
        if self._pidfd >= 0:
            send_signal(self._pidfd, signum)

    def ended(self, status: int) -> None:
        """The fork server reports its end."""
        self._close()
        self._status.set_result(status)

    def lost(self, error: ConnectionError) -> None:
        """The fork server is gone: nobody will ever know the exit status."""
        self._close()
        self._status.set_exception(error)
        # Retrieved here, so that asyncio does not complain for those who do not wait for it.
        self._status.exception()

    def _close(self) -> None:
        os.close(self._pidfd)
        self._pidfd = -1


@dataclass(frozen=True, slots=True)
class Answer:
    """What the fork server said to a request: a process it started, or descriptors to own.

    These are a sandbox's, its first process's pidfd first, or the only one of a group.
    """

    process: LabProcess | None
    fds: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Unsent:
    number: int
    frame: protocol.Frame
    fds: tuple[int, ...]

    def close(self) -> None:
        self.frame.close()
        for fd in self.fds:
            os.close(fd)


class Connection:
    """One end of the pair, in the running event loop."""

    def __init__(self, connection: socket.socket) -> None:
        """Take over the socket."""
        connection.setblocking(False)
        self._socket = connection
        self._loop = asyncio.get_running_loop()
        self._last = 0
        self._closed = False
        self._pending: dict[int, asyncio.Future[Answer]] = {}
        self._unsent: deque[_Unsent] = deque()
        self._is_full = False
        self._processes: dict[int, LabProcess] = {}
        self._loop.add_reader(connection, self._receive)

    async def request(self, message: Mapping[str, object], fds: Sequence[int]) -> Answer:
        """Ask, and wait for the answer. Raises OSError as the fork server met it.

        The other side gets duplicates of `fds`. What a cancelled request would have brought is
        killed.
        """
        if self._closed:
            raise ConnectionError("the lab's fork server is gone")
        self._last += 1
        number = self._last
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._pending[number] = future
        frame = protocol.encode({**message, "id": number})
        # Duplicated at once: the originals may be closed before a full socket takes them.
        self._unsent.append(_Unsent(number, frame, tuple(map(os.dup, fds))))
        if not self._is_full:
            self._send()
        try:
            return await future
        except asyncio.CancelledError:
            if not future.cancelled() and future.done() and future.exception() is None:
                _abandon(future.result())
            raise
        finally:
            self._pending.pop(number, None)

    def close(self) -> None:
        """Stop listening; whoever waits gets a ConnectionError. Harmless when repeated."""
        if self._closed:
            return
        self._closed = True
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        error = ConnectionError("the lab's fork server is gone")
        for future in self._pending.values():
            if not future.done():
                future.set_exception(error)
        for process in self._processes.values():
            process.lost(error)
        self._processes.clear()
        for unsent in self._unsent:
            unsent.close()
        self._unsent.clear()

    def _send(self) -> None:
        while self._unsent:
            unsent = self._unsent[0]
            if unsent.number in self._pending:
                try:
                    unsent.frame.send(self._socket, unsent.fds)
                except BlockingIOError:
                    if not self._is_full:
                        self._is_full = True
                        self._loop.add_writer(self._socket, self._send)
                    return
                except OSError as error:
                    self._pending.pop(unsent.number).set_exception(error)
            unsent.close()
            self._unsent.popleft()
        if self._is_full:
            self._is_full = False
            self._loop.remove_writer(self._socket)

    def _receive(self) -> None:
        while not self._closed:
            try:
                received = protocol.receive(self._socket)
            except BlockingIOError:
                return
            except ConnectionError:
                received = None
            if received is None:
                self.close()
            elif "exited" in received[0]:
                self._ended(received[0])
            else:
                self._answered(*received)

    def _ended(self, message: protocol.Message) -> None:
        pid, status = message["exited"], message["status"]
        if isinstance(pid, int) and isinstance(status, int) and pid in self._processes:
            self._processes.pop(pid).ended(status)

    def _answered(self, message: protocol.Message, fds: list[int]) -> None:
        number, error, pid = message["id"], message["error"], message["pid"]
        future = self._pending.pop(number, None) if isinstance(number, int) else None
        if isinstance(error, dict):
            if future is not None and not future.done():
                future.set_exception(protocol.restore_error(error))
            return
        if isinstance(pid, int) and pid:
            process = LabProcess(fds[0])
            self._processes[pid] = process
            answer = Answer(process, ())
        else:
            answer = Answer(None, tuple(fds))
        if future is None or future.done():
            _abandon(answer)
        else:
            future.set_result(answer)


def send_signal(pidfd: int, signum: int) -> None:
    """Signal what `pidfd` refers to; no error if it has ended."""
    with suppress(ProcessLookupError):
        signal.pidfd_send_signal(pidfd, signum)


def _pid_here(pidfd: int) -> int:
    """The pid as /proc counts; -1 where the process has been reaped already."""
    with open(f"/proc/self/fdinfo/{pidfd}", encoding="ascii") as file:
        for line in file:
            if line.startswith("Pid:"):
                return int(line.split()[1])
    return -1


def _abandon(answer: Answer) -> None:
    """Nobody owns what came: it is killed."""
    if answer.process is not None:
        answer.process.signal(signal.SIGKILL)
    if len(answer.fds) > 1:
        send_signal(answer.fds[0], signal.SIGKILL)
    for fd in answer.fds:
        os.close(fd)
