"""System calls that Python 3.11 does not offer, typed, through ctypes.

Each raises OSError with the kernel's errno. Nothing here keeps state, and nothing here is
asynchronous: namespaces belong to threads, so callers must not await between entering and leaving.
"""

import ctypes
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

CLONE_NEWNS = 0x00020000
CLONE_NEWCGROUP = 0x02000000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

MS_RDONLY = 1
MS_NOSUID = 2
MS_NODEV = 4
MS_NOEXEC = 8
MS_BIND = 4096
MS_REC = 16384
MS_PRIVATE = 1 << 18
MNT_DETACH = 2

MOUNT_ATTR_RDONLY = 1
MOUNT_ATTR_NOSUID = 2

PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_NAME = 15
PR_SET_SECCOMP = 22
PR_SET_NO_NEW_PRIVS = 38

_AT_FDCWD = -100
_AT_RECURSIVE = 0x8000
_AT_EMPTY_PATH = 0x1000
_OPEN_TREE_CLONE = 1
_MOVE_MOUNT_F_EMPTY_PATH = 4
_ARG_START = 45  # fields after comm in /proc/PID/stat: proc_pid_stat(5) numbers it 48
_MOUNT_SETATTR = 442  # the same number on every architecture
_OPEN_TREE, _MOVE_MOUNT = 428, 429  # the same on every architecture, too
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mount.argtypes = (
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_char_p,
    ctypes.c_ulong,
    ctypes.c_char_p,
)
_libc.umount2.argtypes = (ctypes.c_char_p, ctypes.c_int)
_libc.prctl.argtypes = (ctypes.c_int, *(ctypes.c_ulong,) * 4)
_libc.sethostname.argtypes = (ctypes.c_char_p, ctypes.c_size_t)
_libc.syscall.restype = ctypes.c_long


class _MountAttr(ctypes.Structure):
    _fields_ = (
        ("attr_set", ctypes.c_uint64),
        ("attr_clr", ctypes.c_uint64),
        ("propagation", ctypes.c_uint64),
        ("userns_fd", ctypes.c_uint64),
    )


def _check(result: int, call: str, subject: str | None = None) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{call}: {os.strerror(error)}", subject)


def unshare(flags: int) -> None:
    """Give the calling thread namespaces of its own (unshare(2)); `flags` of CLONE_NEW*."""
    _check(_libc.unshare(ctypes.c_int(flags)), "unshare")


def setns(fd: int, kind: int) -> None:
    """Enter the namespace of kind CLONE_NEW* that `fd` refers to (setns(2))."""
    _check(_libc.setns(ctypes.c_int(fd), ctypes.c_int(kind)), "setns")


def mount(source: str, target: str, fstype: str = "", flags: int = 0, data: str = "") -> None:
    """mount(2). An empty `fstype` or `data` is handed over as NULL."""
    result = _libc.mount(
        os.fsencode(source),
        os.fsencode(target),
        fstype.encode() or None,
        flags,
        data.encode() or None,
    )
    _check(result, "mount", target)


def umount(target: str, flags: int = MNT_DETACH) -> None:
    """umount2(2)."""
    _check(_libc.umount2(os.fsencode(target), flags), "umount", target)


def mount_setattr(target: str, attributes: int, *, recursive: bool = True) -> None:
    """Set MOUNT_ATTR_* on the mount at `target`, and on those below it (mount_setattr(2))."""
    attr = _MountAttr(attributes, 0, 0, 0)
    result = _libc.syscall(
        ctypes.c_long(_MOUNT_SETATTR),
        ctypes.c_int(_AT_FDCWD),
        ctypes.c_char_p(os.fsencode(target)),
        ctypes.c_uint(_AT_RECURSIVE if recursive else 0),
        ctypes.byref(attr),
        ctypes.c_size_t(ctypes.sizeof(attr)),
    )
    _check(result, "mount_setattr", target)


def copy_mount(path: str, *, read_only: bool) -> int:
    """A copy of the mounts at and below a path, attached nowhere: open_tree(2). To be closed."""
    fd = _libc.syscall(
        ctypes.c_long(_OPEN_TREE),
        ctypes.c_int(_AT_FDCWD),
        ctypes.c_char_p(os.fsencode(path)),
        ctypes.c_uint(_OPEN_TREE_CLONE | _AT_RECURSIVE | os.O_CLOEXEC),
    )
    if fd < 0:
        _check(-1, "open_tree", path)
    if read_only:
        attr = _MountAttr(MOUNT_ATTR_RDONLY, 0, 0, 0)
        result = _libc.syscall(
            ctypes.c_long(_MOUNT_SETATTR),
            ctypes.c_int(fd),
            ctypes.c_char_p(b""),
            ctypes.c_uint(_AT_EMPTY_PATH | _AT_RECURSIVE),
            ctypes.byref(attr),
            ctypes.c_size_t(ctypes.sizeof(attr)),
        )
        _check(result, "mount_setattr", path)
    return int(fd)


def attach_mount(fd: int, target: str) -> None:
    """Attach what `copy_mount` gave in the mount namespace that this is (move_mount(2))."""
    result = _libc.syscall(
        ctypes.c_long(_MOVE_MOUNT),
        ctypes.c_int(fd),
        ctypes.c_char_p(b""),
        ctypes.c_int(_AT_FDCWD),
        ctypes.c_char_p(os.fsencode(target)),
        ctypes.c_uint(_MOVE_MOUNT_F_EMPTY_PATH),
    )
    _check(result, "move_mount", target)


def pivot_root(new_root: str) -> None:
    """Make the mount at `new_root` the root of this mount namespace; the old one is gone after.

    Raises OSError, also on an architecture whose system call number is not known here.
    """
    os.chdir(new_root)
    path = ctypes.c_char_p(b".")
    _check(_libc.syscall(ctypes.c_long(_pivot_root_number()), path, path), "pivot_root", new_root)
    # The old root lies over the new one at "." now (pivot_root(2), "pivot_root(".", ".")").
    umount(".", MNT_DETACH)
    os.chdir("/")


def _pivot_root_number() -> int:
    machine = platform.machine()
    try:
        return _PIVOT_ROOT[machine]
    except KeyError:
        raise OSError(f"the lab does not know the architecture {machine}") from None


def prctl(option: int, argument: int = 0, argument3: int = 0) -> None:
    """prctl(2) with its further arguments zero."""
    _check(_libc.prctl(option, argument, argument3, 0, 0), "prctl")


def name_process(name: str) -> None:
    """What `ps` shows of the calling process, also as its command line (comm keeps 15 bytes)."""
    buffer = ctypes.create_string_buffer(name.encode()[:15])
    prctl(PR_SET_NAME, ctypes.addressof(buffer))
    with open("/proc/self/stat", encoding="utf-8", errors="replace") as file:
        fields = file.read().rpartition(")")[2].split()
    start, end = int(fields[_ARG_START]), int(fields[_ARG_START + 1])
    if 0 < start < end:
        # The arguments of exec(2) lie on this process's own stack, as one block.
        ctypes.memset(start, 0, end - start)
        ctypes.memmove(start, name.encode()[: end - start - 1], min(len(name), end - start - 1))


def sethostname(name: str) -> None:
    """Name this UTS namespace."""
    encoded = name.encode()
    _check(_libc.sethostname(encoded, len(encoded)), "sethostname")


def open_namespace(kind: str, pid: int | str = "thread-self") -> int:
    """An open descriptor of a process's namespace; `kind` as in /proc/PID/ns (net, mnt, pid...).

    Without `pid` of the calling thread. The caller closes it.
    """
    return os.open(f"/proc/{pid}/ns/{kind}", os.O_RDONLY | os.O_CLOEXEC)


@contextmanager
def in_netns(fd: int) -> Iterator[None]:
    """Run the block in the network namespace `fd`, then go back to where the thread was.

    Sockets opened inside stay in that namespace. Synchronous: never await inside.
    """
    home = open_namespace("net")
    try:
        setns(fd, CLONE_NEWNET)
        try:
            yield
        finally:
            setns(home, CLONE_NEWNET)
    finally:
        os.close(home)


def new_netns() -> int:
    """A new, empty network namespace as an open descriptor; it lives as long as that (0.4 ms).

    The thread is back in its own namespace afterwards. Loopback in the new one is down.
    """
    home = open_namespace("net")
    try:
        unshare(CLONE_NEWNET)
        try:
            return open_namespace("net")
        finally:
            setns(home, CLONE_NEWNET)
    finally:
        os.close(home)
