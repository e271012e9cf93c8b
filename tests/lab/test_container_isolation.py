"""Nothing of this machine can be changed from inside a sandbox, also where root started the lab."""

import json
import os
import sys
from pathlib import Path
from typing import Any

import pytest

from pytest_aksnet.lab.container.context import BootContext
from tests.lab.bare_lab import ROOT, machine_and_pod, output, result_of

WRITES = {
    "a file in /usr": "touch /usr/aksnet-escape",
    "a file in /opt": "touch /opt/aksnet-escape",
    "a file in the lab's Python": "touch {prefix}/aksnet-escape",
    "remounting": "mount -o remount,bind,rw /usr && touch /usr/aksnet-escape",
    "binding anew": "mkdir /b && mount --bind /usr /b && mount -o remount,bind,rw /b"
    " && touch /b/aksnet-escape",
    "a namespace in the namespace": "unshare -Urm sh -c"
    " 'mount -o remount,bind,rw /usr && touch /usr/aksnet-escape'",
    "the root of the first process": "touch /proc/1/root/usr/aksnet-escape",
    "a file of the machine through the first process": "echo x > /proc/1/root{marker}",
    "the working directory of the first process": "echo x > /proc/1/cwd{marker}",
    "the program of the first process": "echo x >> /proc/1/exe",
    "a descriptor of the first process": "ls /proc/1/fd | grep .",
    "the environment of the first process": "cat /proc/1/environ | grep .",
    "the mounts of the first process": "nsenter -t 1 -m touch {marker}",
    "the memory of the first process": "strace -p 1 -o /dev/null & sleep 0.3; kill -0 $! &&"
    " kill $!",
    "a file of the machine": "echo x > {marker}",
    "climbing out": "chroot /var sh -c true; cd ../../../../../..; echo x > .{marker}",
    "the core pattern": "echo x > /proc/sys/kernel/core_pattern",
    "the core pattern below": "umount /proc; echo x > /proc/sys/kernel/core_pattern",
    "the core pattern in a new /proc": "mkdir /p && mount -t proc proc /p"
    " && echo x > /p/sys/kernel/core_pattern",
    "sysrq": "echo h > /proc/sysrq-trigger",
    "a setting in /sys": "echo never > /sys/kernel/mm/transparent_hugepage/enabled",
    "a setting in a new /sys": "mkdir /s && mount -t sysfs sysfs /s"
    " && echo never > /s/kernel/mm/transparent_hugepage/enabled",
    "a device node": "mknod /disk b {major} {minor} && dd if=/disk of=/dev/null count=1",
    "a disk": "mkdir /d && mount -t ext4 /dev/vda /d",
    "the machine's devices": "mkdir /d && mount -t devtmpfs dev /d && ls -l /d/kmsg",
    "the mode of a device": "chmod 600 /dev/null",
    "the clock": "date -s 2020-01-01",
    "the machine's host name": "nsenter -t 1 -u hostname aksnet-escape",
}


async def attempts(context: BootContext) -> object:
    marker = os.environ["AKSNET_MARKER"]
    device = os.stat("/").st_dev
    values = {
        "marker": marker,
        "prefix": os.environ["AKSNET_PREFIX"],
        "major": os.major(device),
        "minor": os.minor(device),
    }
    found: dict[str, dict[str, object]] = {}
    for name, words in WRITES.items():
        machine, pod = await machine_and_pod(context)
        guest = await context.runtime.create_pod(
            machine, "guest", hostname="guest", etc={}, host_network=True
        )
        sandboxes = {"machine": machine, "pod": pod, "host-network pod": guest}
        found[name] = {
            kind: await output(sandbox, "sh", "-c", words.format(**values))
            for kind, sandbox in sandboxes.items()
        }
        await machine.destroy()
        for each in (pod, guest):
            await each.destroy()
    return found


@pytest.fixture(scope="module")
def attempted(tmp_path_factory: pytest.TempPathFactory) -> Any:
    marker = tmp_path_factory.mktemp("marker") / "file"
    marker.write_text("untouched")
    marker.chmod(0o666)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AKSNET_MARKER", str(marker))
        patch.setenv("AKSNET_PREFIX", sys.prefix)
        found = result_of(attempts)
    assert marker.read_text() == "untouched"
    return found


@pytest.mark.parametrize("name", WRITES)
@pytest.mark.parametrize("kind", ["machine", "pod", "host-network pod"])
def test_a_sandbox_cannot_reach(attempted: Any, name: str, kind: str) -> None:
    status, said = attempted[name][kind]
    assert status != 0, json.dumps(said)


def test_nothing_was_left_on_the_machine(attempted: Any) -> None:
    for directory in ("/usr", "/opt", sys.prefix, str(ROOT), "/"):
        assert not Path(directory, "aksnet-escape").exists()
    assert "aksnet-escape" not in os.uname().nodename
