"""What a lab's main coroutine is handed. Types only; imports no asyncio (see `boot`)."""

import socket
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from pytest_aksnet.lab.container.client import LabRuntime


class Listeners(NamedTuple):
    """The lab's sockets on 127.0.0.1 of the machine, bound by number; all of them listen already.

    `api` is the Kubernetes API's, `arm` that of Azure Resource Manager and Entra ID, `identity`
    that of managed identities, over plain HTTP as in Azure.
    """

    api: socket.socket
    arm: socket.socket
    identity: socket.socket


@dataclass(frozen=True, slots=True, kw_only=True)
class BootContext:
    """What the lab's main coroutine works with.

    `listeners` are bound outside the lab.
    `state_dir` is a private directory (0700) of the machine: paths in it mean the same inside and
    outside, and it is gone when the lab is. `announce` says, once, that the lab is ready:
    its mapping reaches `report` of `run` with "pid", the outer process's, added.
    """

    runtime: "LabRuntime"
    listeners: Listeners
    state_dir: Path
    announce: Callable[[Mapping[str, object]], None]


LabMain = Callable[[BootContext], Awaitable[None]]
