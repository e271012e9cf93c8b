"""Connections that a pod tries from its very first moment on, before anything else runs in it.

Owns the init container that tries them, and how its one line of output is read.
"""

import json
from dataclasses import dataclass

from pytest_aksnet.model.api import Json
from pytest_aksnet.model.errors import OutputUnparsable

CONTAINER = "first-packets"
_NOBODY = 65534

_SCRIPT = r"""
import errno, json, select, socket, sys, time

host, port, quiet, longest = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
began = time.monotonic()
tried = opened = refused = 0
last, waiting = 0.0, []
while True:
    now = time.monotonic() - began
    if now - last > quiet or now > longest:
        break
    if len(waiting) > 200:
        waiting.pop(0).close()
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setblocking(False)
    tried += 1
    sock.connect_ex((host, port))
    waiting.append(sock)
    for done in select.select([], waiting, [], 0.05)[1]:
        failed = done.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        waiting.remove(done)
        done.close()
        if not failed:
            opened, last = opened + 1, time.monotonic() - began
        elif failed == errno.ECONNREFUSED:
            refused += 1
print(json.dumps({"tried": tried, "opened": opened, "refused": refused, "last_s": round(last, 3)}))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstPackets:
    """How many connections a pod tried when it was new, and how many were made.

    `last_s` is when the last one was made, in seconds from the first try on; 0 without any.
    """

    tried: int
    opened: int
    last_s: float


def spec(image: str, host: str, port: int, *, longest_s: float, quiet_s: float = 1.0) -> Json:
    """Further fields of a pod's spec, so that it tries `host:port` before all else.

    It ends after `quiet_s` seconds without a connection, and after `longest_s` at the latest.
    """
    words = ("python3", "-c", _SCRIPT, host, str(port), f"{quiet_s:g}", f"{longest_s:g}")
    container = {
        "name": CONTAINER,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": [word.replace("$", "$$") for word in words],
        "resources": {
            "requests": {"cpu": "10m", "memory": "32Mi"},
            "limits": {"memory": "128Mi"},
        },
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "runAsNonRoot": True,
            "runAsUser": _NOBODY,
            "runAsGroup": _NOBODY,
        },
    }
    return {"initContainers": [container]}


def parse(text: str) -> FirstPackets:
    """What the container's log says. Raises OutputUnparsable."""
    for line in reversed(text.splitlines()):
        try:
            said = json.loads(line)
            return FirstPackets(
                tried=int(said["tried"]), opened=int(said["opened"]), last_s=float(said["last_s"])
            )
        except (ValueError, TypeError, KeyError):
            continue
    raise OutputUnparsable("the log of the first connections has no result", text)
