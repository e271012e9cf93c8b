"""Puts the contents of volumes in place in a pod's sandbox."""

from collections.abc import Callable, Sequence

from pytest_aksnet.lab.contracts import Sandbox
from pytest_aksnet.lab.controllers.kubelet.volumes import Mount


async def put_in_place(
    mounts: Sequence[Mount], sandbox: Sandbox, machine: Sandbox, failed: Callable[[str], None]
) -> None:
    """Put mounts in place; host paths are those of `machine`.

    `failed` is told of every mount that is refused. Raises OSError where the pod cannot do
    without it.
    """
    for mount in sorted(mounts, key=lambda one: len(one.path)):
        if mount.host_path:
            await _bind_host_path(mount, sandbox, machine, failed)
    own = [mount for mount in mounts if not mount.host_path]
    files = {
        mount.path if mount.single_file else f"{mount.path}/{file.path}": (
            file.content,
            file.mode,
        )
        for mount in own
        for file in mount.files
    }
    empty = [mount.path for mount in own if not mount.files]
    if files or empty:
        try:
            await sandbox.write_files(files, empty)
        except OSError as error:
            failed(f"MountVolume.SetUp failed : {error.filename}: {error.strerror}")
            if not empty:
                raise
            await sandbox.write_files(files)


async def _bind_host_path(
    mount: Mount, sandbox: Sandbox, machine: Sandbox, failed: Callable[[str], None]
) -> None:
    try:
        await sandbox.bind(
            machine,
            mount.host_path,
            mount.path,
            kind=mount.host_type,
            read_only=mount.read_only,
        )
    except OSError as error:
        noun = {"Directory": "a directory", "File": "a file", "Socket": "a socket file"}
        what = noun.get(mount.host_type.removesuffix("OrCreate"), "accessible")
        text = f"hostPath type check failed: {mount.host_path} is not {what}"
        failed(f"MountVolume.SetUp failed : {text} ({error})")
        raise
