"""Who made an object: in words for people, and as a mark that tells whether that process has ended.

Only this machine's kernel is asked. What it cannot know for certain has not ended.
"""

import getpass
import hashlib
import os
import socket
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STATE, _START_TIME = 0, 19  # fields of /proc/PID/stat behind the command name (proc(5): 3 and 22)
_DEAD = "ZX"


def owner() -> str:
    """user@host."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a user id without a name, as in many containers
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def process_mark() -> str:
    """This process, as no other ever was or will be; empty where the system has no such words."""
    machine, begun = _machine(), _start_time(os.getpid())
    return f"{machine}/{os.getpid()}/{begun}" if machine and begun else ""


def has_ended(mark: str) -> bool:
    """Whether the process of this mark is known to have ended.

    False for processes of other machines, of other boots and of other pid namespaces.
    """
    machine, _, process = mark.partition("/")
    pid, _, begun = process.partition("/")
    if not machine or machine != _machine() or not pid.isdecimal() or not begun:
        return False
    return _start_time(int(pid)) != begun


def _machine() -> str:
    """A boot of a machine and a pid namespace on it, as a digest; empty if /proc is not theirs."""
    try:
        if os.readlink("/proc/self") != str(os.getpid()):
            return ""
        words = _BOOT_ID.read_text("ascii").strip() + os.readlink("/proc/self/ns/pid")
    except OSError:
        return ""
    return hashlib.sha256(words.encode("ascii")).hexdigest()[:16]


def _start_time(pid: int) -> str:
    """When a process that lives was started, in clock ticks since the boot; else empty."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text("utf-8", errors="replace")
    except OSError:
        return ""
    fields = stat.rpartition(")")[2].split()
    return "" if fields[_STATE] in _DEAD else fields[_START_TIME]
