"""The root file systems: one template of the lab, and a root of its own for each sandbox.

The template is a tmpfs with recursive read-only binds of the few trees that programs need. It is
made before the sandboxes' user namespace, so that its mounts are locked in there: no sandbox can
make them writable again, whatever privileges it has inside. A sandbox's root is a tmpfs with
those binds, an own copy-on-write /etc, /proc, /sys and /dev; everything else of the machine is
not there. Works on the calling process's mount namespace only.
"""

import errno
import os
import shutil
import stat
import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

from pytest_aksnet.lab.kernel import syscalls
from pytest_aksnet.lab.kernel.syscalls import (
    MOUNT_ATTR_NOSUID,
    MOUNT_ATTR_RDONLY,
    MS_BIND,
    MS_NODEV,
    MS_NOEXEC,
    MS_NOSUID,
    MS_PRIVATE,
    MS_RDONLY,
    MS_REC,
)

_LINKED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_DEVICE_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
_KERNEL_FLAGS = MS_NOSUID | MS_NODEV | MS_NOEXEC
# Directories of the template that serve only while a sandbox's root is put together.
_NEW_ROOT, _SCRATCH = "/.root", "/.scratch"
_DIRECTORIES = {
    "root": 0o700,
    "home": 0o755,
    "tmp": 0o1777,
    "run": 0o755,
    "run/lock": 0o1777,
    "var": 0o755,
    "var/cache": 0o755,
    "var/lib": 0o755,
    "var/log": 0o755,
    "var/spool": 0o755,
    "var/tmp": 0o1777,
    "mnt": 0o755,
    "media": 0o755,
    "srv": 0o755,
    "boot": 0o755,
    "etc": 0o755,
    "proc": 0o755,
    "sys": 0o755,
    "dev": 0o755,
}
_WHOLE_ETC_FILE_LIMIT = 1 << 20
_NETNS = "/run/netns"


def read_only_trees() -> tuple[str, ...]:
    """The trees of this machine that sandboxes see: programs, and the Python that runs the lab."""
    trees: list[str] = []
    for candidate in ("/usr", "/opt", sys.base_prefix, sys.prefix):
        path = os.path.realpath(candidate)
        covered = any(Path(path).is_relative_to(tree) for tree in trees)
        if os.path.isdir(path) and path != "/" and not covered:
            trees.append(path)
    return tuple(trees)


def make_private() -> None:
    """Let no mount of this mount namespace be seen outside of it. Raises OSError."""
    syscalls.mount("", "/", flags=MS_REC | MS_PRIVATE)


def mount_kernel_views(root: str = "") -> None:
    """Mount /proc and a read-only /sys of the namespaces that the process is in.

    Where a container's masks forbid that (EPERM, mount_too_revealing in the kernel), what is seen
    outside `root` serves: /proc then counts the outer processes, /sys names the outer interfaces.
    Raises OSError.
    """
    for fstype, name, flags in (("proc", "proc", 0), ("sysfs", "sys", MS_RDONLY)):
        try:
            syscalls.mount(fstype, f"{root}/{name}", fstype, _KERNEL_FLAGS | flags)
        except PermissionError:
            syscalls.mount(f"/{name}", f"{root}/{name}", flags=MS_BIND | MS_REC)


def build_template(mount_point: str, trees: tuple[str, ...]) -> None:
    """Make the template and go into it: nothing else of the machine is reachable afterwards.

    Needs a mount namespace of its own. Raises OSError.
    """
    syscalls.mount("aksnet-lab", mount_point, "tmpfs", MS_NOSUID, "mode=755")
    root = Path(mount_point)
    for name in (*_DIRECTORIES, _NEW_ROOT[1:], _SCRATCH[1:]):
        root.joinpath(name).mkdir(mode=0o755, exist_ok=True)
    for tree in trees:
        _bind_read_only(tree, f"{mount_point}{tree}")
    for name in _LINKED:
        _link_or_bind(name, root)
    _populate_dev(root / "dev")
    for name in ("proc", "sys"):
        syscalls.mount(f"/{name}", f"{mount_point}/{name}", flags=MS_BIND | MS_REC)
    syscalls.mount_setattr(mount_point, MOUNT_ATTR_RDONLY, recursive=False)
    syscalls.pivot_root(mount_point)


def copy_etc(source_fd: int) -> None:
    """Fill the template's /etc from an open directory with what every user may read.

    Called with the identity that sandboxes have, so that the copies are theirs to change.
    """
    syscalls.mount("etc", "/etc", "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    _copy_directory(source_fd, "/etc")


def enter_new_root(trees: tuple[str, ...], hostname: str, etc: Mapping[str, bytes]) -> None:
    """Give the process, alone in new namespaces of the template, a root and a host name.

    `etc` maps names below /etc to contents. The process must be the first of its pid namespace
    for /proc to be that namespace's. Raises OSError.
    """
    syscalls.sethostname(hostname)
    make_private()
    syscalls.mount("root", _NEW_ROOT, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    for name, mode in _DIRECTORIES.items():
        os.mkdir(f"{_NEW_ROOT}/{name}")
        os.chmod(f"{_NEW_ROOT}/{name}", mode)
    os.symlink("/run", f"{_NEW_ROOT}/var/run")
    for tree in trees:
        os.makedirs(f"{_NEW_ROOT}{tree}", exist_ok=True)
        syscalls.mount(tree, f"{_NEW_ROOT}{tree}", flags=MS_BIND | MS_REC)
    for name in _LINKED:
        _repeat(name)
    syscalls.mount("/dev", f"{_NEW_ROOT}/dev", flags=MS_BIND | MS_REC)
    pts = "newinstance,ptmxmode=0666,mode=620"
    syscalls.mount("devpts", f"{_NEW_ROOT}/dev/pts", "devpts", MS_NOSUID | MS_NOEXEC, pts)
    syscalls.mount("shm", f"{_NEW_ROOT}/dev/shm", "tmpfs", MS_NOSUID | MS_NODEV, "mode=1777")
    _own_etc()
    mount_kernel_views(_NEW_ROOT)
    syscalls.pivot_root(_NEW_ROOT)
    for name, content in etc.items():
        replace_file(f"/etc/{name}", content, 0o644)


def name_networks(networks: Mapping[str, int]) -> None:
    """Give network namespaces (open descriptors) names in /run/netns, as `ip netns` knows them.

    A name keeps its namespace until it is forgotten. Raises OSError.
    """
    os.makedirs(_NETNS, exist_ok=True)
    for name, descriptor in networks.items():
        path = f"{_NETNS}/{name}"
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDONLY, 0o444))
        syscalls.mount(f"/proc/self/fd/{descriptor}", path, flags=MS_BIND)


def forget_networks(names: Iterable[str]) -> None:
    """Take names of network namespaces back; harmless for those that are not there."""
    for name in names:
        path = f"{_NETNS}/{name}"
        with suppress(OSError):
            syscalls.umount(path)
        with suppress(FileNotFoundError):
            os.unlink(path)


def replace_file(path: str, content: bytes, mode: int) -> None:
    """Put a file in place as a whole, its directories included; a link there is replaced.

    Raises OSError, e.g. below a read-only tree.
    """
    if not PurePosixPath(path).is_absolute():
        raise ValueError(f"not an absolute path: {path!r}")
    os.makedirs(os.path.dirname(path), exist_ok=True)
    temporary = f"{path}.aksnet-lab"
    with open(temporary, "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)
    os.replace(temporary, path)


def require_host_path(path: str, kind: str) -> None:
    """See that a path is what a hostPath volume of that type wants; make it where it may be made.

    Source: Kubernetes docs, "Volumes": hostPath types. Raises OSError.
    """
    if kind in ("", "DirectoryOrCreate"):
        if not os.path.exists(path):
            os.makedirs(path, 0o755)
    elif kind == "FileOrCreate" and not os.path.exists(path):
        with open(path, "x", encoding="utf-8"):
            os.chmod(path, 0o644)
    tests: dict[str, Callable[[str], bool]] = {
        "Directory": os.path.isdir,
        "DirectoryOrCreate": os.path.isdir,
        "File": os.path.isfile,
        "FileOrCreate": os.path.isfile,
        "Socket": lambda name: stat.S_ISSOCK(os.stat(name).st_mode),
        "CharDevice": lambda name: stat.S_ISCHR(os.stat(name).st_mode),
        "BlockDevice": lambda name: stat.S_ISBLK(os.stat(name).st_mode),
    }
    test = tests.get(kind)
    if test is not None and not test(path):
        number = errno.ENOTDIR if "Directory" in kind else errno.ENOENT
        raise OSError(number, os.strerror(number), path)


def make_mount_point(path: str, *, is_directory: bool) -> None:
    """Have something at a path that can be mounted on. Raises OSError."""
    if is_directory:
        os.makedirs(path, exist_ok=True)
        return
    os.makedirs(os.path.dirname(path), exist_ok=True)
    if not os.path.exists(path):
        with open(path, "x", encoding="utf-8"):
            pass


def _own_etc() -> None:
    syscalls.mount("scratch", _SCRATCH, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
    upper, work = f"{_SCRATCH}/upper", f"{_SCRATCH}/work"
    os.mkdir(upper)
    os.mkdir(work)
    layers = f"lowerdir=/etc,upperdir={upper},workdir={work},userxattr"
    syscalls.mount("etc", f"{_NEW_ROOT}/etc", "overlay", MS_NOSUID | MS_NODEV, layers)


def _bind_read_only(source: str, target: str) -> None:
    os.makedirs(target, exist_ok=True)
    syscalls.mount(source, target, flags=MS_BIND | MS_REC)
    syscalls.mount_setattr(target, MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID)


def _link_or_bind(name: str, root: Path) -> None:
    original = Path("/", name)
    if original.is_symlink():
        root.joinpath(name).symlink_to(original.readlink())
    elif original.is_dir():
        _bind_read_only(str(original), str(root / name))


def _repeat(name: str) -> None:
    template, target = f"/{name}", f"{_NEW_ROOT}/{name}"
    if os.path.islink(template):
        os.symlink(os.readlink(template), target)
    elif os.path.isdir(template):
        os.mkdir(target)
        syscalls.mount(template, target, flags=MS_BIND | MS_REC)


def _populate_dev(dev: Path) -> None:
    syscalls.mount("dev", str(dev), "tmpfs", MS_NOSUID | MS_NOEXEC, "mode=755")
    for name in ("pts", "shm"):
        dev.joinpath(name).mkdir()
    for name in _DEVICES:
        # Device nodes cannot be made in a user namespace, but those that exist can be bound.
        dev.joinpath(name).touch()
        syscalls.mount(f"/dev/{name}", str(dev / name), flags=MS_BIND)
    for name, target in _DEVICE_LINKS.items():
        dev.joinpath(name).symlink_to(target)
    syscalls.mount_setattr(str(dev), MOUNT_ATTR_RDONLY, recursive=False)


def _copy_directory(source_fd: int, target: str) -> None:
    with os.scandir(source_fd) as entries:
        for entry in entries:
            with suppress(PermissionError):
                _copy_entry(source_fd, entry, f"{target}/{entry.name}")


def _copy_entry(source_fd: int, entry: os.DirEntry[str], target: str) -> None:
    status = os.stat(entry.name, dir_fd=source_fd, follow_symlinks=False)
    if stat.S_ISLNK(status.st_mode):
        os.symlink(os.readlink(entry.name, dir_fd=source_fd), target)
    elif stat.S_ISDIR(status.st_mode):
        inner = os.open(entry.name, os.O_RDONLY | os.O_DIRECTORY, dir_fd=source_fd)
        try:
            os.mkdir(target)
            _copy_directory(inner, target)
        finally:
            os.close(inner)
    elif stat.S_ISREG(status.st_mode) and status.st_size <= _WHOLE_ETC_FILE_LIMIT:
        descriptor = os.open(entry.name, os.O_RDONLY, dir_fd=source_fd)
        with open(descriptor, "rb") as original, open(target, "wb") as copy:
            shutil.copyfileobj(original, copy)
            os.fchmod(copy.fileno(), stat.S_IMODE(status.st_mode) & 0o777)
