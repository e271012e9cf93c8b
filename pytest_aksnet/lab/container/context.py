"""What a lab's main coroutine is handed. Types only; imports no asyncio (see `boot`)."""

import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_aksnet.lab.container.client import LabRuntime


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
