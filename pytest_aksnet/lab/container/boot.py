"""Starts a lab and ends it: the outer process, and what is handed to the lab's main coroutine.

`run` is the whole life of a lab, as the process that was started for it:

    outer       in the machine's namespaces: listener, state directory, life pipe
    `- guard    in the lab's namespaces, except pid: ends the lab when outer is gone (inside.py)
       `- first process   pid 1 of the lab: reaps; ends when a child of it below ends
          |- fork server  forked before asyncio is imported; starts every process of sandboxes
          `- main         `lab_main` in asyncio, with the machine's file system as it is

Whichever of them dies, SIGKILL included, all end, and the state directory is removed. This module
must not import asyncio, nor must what calls it: the fork server would carry that.
"""

import json
import os
import resource
import selectors
import shutil
import signal
import socket
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_aksnet.lab.container.client import LabRuntime

_END_SECONDS = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BootContext:
    """What the lab's main coroutine works with.

    `listener` is bound to 127.0.0.1 of the machine, outside the lab, and listens already.
    `state_dir` is a private directory (0700) of the machine: paths in it mean the same inside and
    outside, and it is gone when the lab is. `announce` says, once, that the lab is ready:
    its mapping reaches `report` of `run` with "pid", the outer process's, added.
    """

    runtime: "LabRuntime"
    listener: socket.socket
    state_dir: Path
    announce: Callable[[Mapping[str, object]], None]


LabMain = Callable[[BootContext], Awaitable[None]]


def run(
    load_main: Callable[[], LabMain],
    *,
    life_fd: int | None,
    report: Callable[[Mapping[str, object]], None],
) -> int:
    """Run a lab until its end; the exit status for this process: 0, or 1 where it failed.

    `load_main` imports and returns the main coroutine function; it is called inside the lab, after
    the fork server was forked. The lab ends when that coroutine returns, at SIGTERM, at the end of
    file on `life_fd`, or, without one, at SIGINT (with one, SIGINT is left to whoever started
    the lab: a terminal sends it to both).

    `report` is called at most twice, in this process: with what the lab announces, and with
    {"error": "one line that names the remedy"} where it cannot start or dies.
    Not for use in a process that has threads or an event loop.
    """
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    state_dir = Path(tempfile.mkdtemp(prefix="aksnet-lab-"))
    try:
        return _Outer(load_main, listener, state_dir, life_fd, report).run()
    finally:
        listener.close()
        shutil.rmtree(state_dir, ignore_errors=True)


def report_line(fd: int) -> Callable[[Mapping[str, object]], None]:
    """A `report` for `run` that writes one JSON line to a pipe, and closes it after the first."""
    unused = [fd]

    def report(message: Mapping[str, object]) -> None:
        while unused:
            with open(unused.pop(), "w", encoding="utf-8") as pipe:
                pipe.write(json.dumps(dict(message)) + "\n")

    return report


class _Outer:
    def __init__(
        self,
        load_main: Callable[[], LabMain],
        listener: socket.socket,
        state_dir: Path,
        life_fd: int | None,
        report: Callable[[Mapping[str, object]], None],
    ) -> None:
        self._load_main = load_main
        self._listener = listener
        self._state_dir = state_dir
        self._life_fd = life_fd
        self._report = report
        self._failed = False
        self._said = b""

    def run(self) -> int:
        # Two descriptors for each process, six for each sandbox.
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
        woken = self._catch_signals()
        news, told = socket.socketpair()
        hold, held = os.pipe()
        guard = os.fork()
        if guard == 0:
            self._become_guard(told, hold, (news, held, woken))
        told.close()
        os.close(hold)
        asked = self._watch(news, os.pidfd_open(guard), woken)
        # The guard ends the lab when this closes.
        os.close(held)
        _, status = os.waitpid(guard, 0)
        self._hear(news)
        if not asked and status != 0 and not self._failed:
            self._fail("the lab died: one of its processes was killed")
        return int(self._failed)

    def _become_guard(self, told: socket.socket, hold: int, unwanted: tuple[object, ...]) -> None:
        raise NotImplementedError
