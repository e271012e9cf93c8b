"""The accelerated-networking facade as `cat`, `readlink`, `ls`, `ip` and `ethtool` see it.

The machine and its host-network pods are mount namespaces entered with nsenter.
"""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field

import pytest

from pytest_aksnet.lab.contracts import Process, ProcessGroup, Sandbox
from pytest_aksnet.lab.facade.accelerated_networking import (
    VF_NAMES,
    AcceleratedNetworking,
    FacadeError,
    vf_name,
)
from pytest_aksnet.lab.kernel.syscalls import open_namespace
from pytest_aksnet.lab.layout import default_spec
from pytest_aksnet.lab.spec import NodeSpec

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="makes network namespaces: needs root")
SPEC = default_spec("overlay", "calico")
HOLD = """
umount /sys 2>/dev/null
mount -t sysfs sysfs /sys && mount -t tmpfs tmpfs /run && echo && exec cat
"""
SEND = """
import socket
sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for _ in range(1000):
    sender.sendto(bytes(100), ("192.0.2.2", 9))
"""


@dataclass
class Running:
    """A process of a Namespaces sandbox."""

    process: subprocess.Popen[str]
    pid: int

    async def wait(self) -> int:
        return await asyncio.to_thread(self.process.wait)

    def signal(self, signum: int) -> None:
        self.process.send_signal(signum)


@dataclass
class Namespaces:
    """A Sandbox of namespaces that a waiting process holds; a pod shares its machine's network."""

    name: str
    machine: "Namespaces | None" = None
    holder: subprocess.Popen[str] = field(init=False)
    netns_fd: int = field(init=False)

    def __post_init__(self) -> None:
        enter = ["unshare", "-Urnm"]
        if self.machine is not None:
            enter = [*self.machine.entering, "unshare", "-m"]
        pipe = subprocess.PIPE
        self.holder = subprocess.Popen(
            [*enter, "sh", "-c", HOLD], text=True, stdin=pipe, stdout=pipe
        )
        assert self.holder.stdout is not None
        assert self.holder.stdout.readline() == "\n"
        self.netns_fd = open_namespace("net", self.holder.pid)

    @property
    def entering(self) -> list[str]:
        kinds = ["-U", "-n", "-m", "--preserve-credentials"]
        return ["nsenter", "-t", str(self.holder.pid), *kinds]

    async def spawn(
        self,
        argv: Sequence[str],
        *,
        env: Mapping[str, str],
        stdin_fd: int,
        stdout_fd: int,
        stderr_fd: int,
        cwd: str = "/",
        tty: bool = False,
        group: ProcessGroup | None = None,
    ) -> Process:
        process = subprocess.Popen(
            [*self.entering, *argv],
            env=dict(env),
            stdin=stdin_fd,
            stdout=stdout_fd,
            stderr=stderr_fd,
            text=True,
        )
        return Running(process, process.pid)

    async def new_group(self) -> ProcessGroup:
        raise NotImplementedError

    async def write_file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        raise NotImplementedError

    async def write_files(
        self, files: Mapping[str, tuple[bytes, int]], directories: Sequence[str] = ()
    ) -> None:
        raise NotImplementedError

    async def bind(
        self, other: object, source: str, target: str, *, kind: str = "", read_only: bool = False
    ) -> None:
        raise NotImplementedError

    async def name_networks(self, added: Mapping[str, Sandbox], removed: Sequence[str]) -> None:
        raise NotImplementedError

    async def destroy(self) -> None:
        self.close()

    def close(self) -> None:
        os.close(self.netns_fd)
        self.holder.communicate("")

    def run(self, *argv: str) -> str:
        """What a program prints in here, or its complaint."""
        done = subprocess.run(
            [*self.entering, *argv], capture_output=True, text=True, timeout=20, check=False
        )
        return (done.stdout or done.stderr).strip()


@dataclass
class Node:
    """A node with the facade up, and a host-network pod on it."""

    spec: NodeSpec
    facade: AcceleratedNetworking
    machine: Namespaces
    pod: Namespaces

    @property
    def vf(self) -> str:
        return vf_name(self.spec)

    @property
    def sandboxes(self) -> tuple[Namespaces, Namespaces]:
        return self.machine, self.pod

    def statistics(self, sandbox: Namespaces, interface: str) -> dict[str, int]:
        lines = sandbox.run("ethtool", "-S", interface).splitlines()[1:]
        return {key.strip(): int(value) for key, _, value in (s.partition(":") for s in lines)}


@pytest.fixture(params=[SPEC.nodes[0], SPEC.nodes[1]], ids=lambda node: str(node.vf_driver))
def node(request: pytest.FixtureRequest) -> Iterator[Node]:
    spec: NodeSpec = request.param
    with ExitStack() as stack:
        machine = stack.enter_context(closing(Namespaces("machine")))
        for command in (
            f"link add eth0 address {spec.mac} type veth peer wire",
            "link set eth0 up",
            "link set wire up",
            "address add 192.0.2.1/24 dev eth0",
            "neighbour add 192.0.2.2 lladdr 02:00:00:00:00:02 dev eth0",
        ):
            machine.run("ip", *command.split())
        pod = stack.enter_context(closing(Namespaces("pod", machine)))
        facade = stack.enter_context(closing(AcceleratedNetworking()))
        asyncio.run(facade.add_node(spec, machine))
        asyncio.run(facade.add_host_network_pod(spec.name, pod))
        yield Node(spec, facade, machine, pod)


def test_sysfs_shows_the_pair_of_nics(node: Node) -> None:
    for sandbox in node.sandboxes:
        drivers = [
            sandbox.run("readlink", f"/sys/class/net/{name}/device/driver").rpartition("/")[2]
            for name in ("eth0", node.vf)
        ]
        assert drivers == ["hv_netvsc", node.spec.vf_driver]
        assert sandbox.run("cat", f"/sys/class/net/{node.vf}/address") == node.spec.mac
        master = sandbox.run("readlink", "-f", f"/sys/class/net/{node.vf}/master")
        assert master == sandbox.run("readlink", "-f", "/sys/class/net/eth0")
        assert node.vf in sandbox.run("ls", "/sys/class/net").split()


def test_vf_is_a_link_without_addresses(node: Node) -> None:
    shown = node.machine.run("ip", "address", "show", node.vf)
    assert node.spec.mac in shown
    assert "LOWER_UP" in shown
    assert "inet" not in shown


def test_live_files_stay_live(node: Node) -> None:
    node.machine.run("ip", "link", "set", "eth0", "mtu", "1400")
    for sandbox in node.sandboxes:
        assert sandbox.run("cat", "/sys/class/net/eth0/mtu") == "1400"


def test_counters_move_with_the_traffic_of_eth0(node: Node) -> None:
    before = [(node.statistics(s, "eth0"), node.statistics(s, node.vf)) for s in node.sandboxes]
    path = f"/sys/class/net/{node.vf}/statistics/tx_bytes"
    bytes_before = int(node.pod.run("cat", path))
    assert node.machine.run(sys.executable, "-c", SEND) == ""
    assert int(node.pod.run("cat", path)) - bytes_before > 90_000
    for (eth0, vf), sandbox in zip(before, node.sandboxes, strict=True):
        after = node.statistics(sandbox, "eth0")
        moved = after["vf_tx_packets"] - eth0["vf_tx_packets"]
        rest = after["tx_queue_0_packets"] - eth0["tx_queue_0_packets"]
        assert moved > 900
        assert 0 < rest < moved / 20
        assert after["vf_tx_bytes"] - eth0["vf_tx_bytes"] > 90_000
        key = next(key for key in vf if key.startswith("tx") and key.endswith("packets"))
        assert node.statistics(sandbox, node.vf)[key] - vf[key] >= 1000


def test_ethtool_names_the_drivers_and_leaves_the_rest_to_the_real_one(node: Node) -> None:
    for sandbox in node.sandboxes:
        assert "driver: hv_netvsc\n" in sandbox.run("ethtool", "-i", "eth0")
        assert f"driver: {node.spec.vf_driver}\n" in sandbox.run("ethtool", "-i", node.vf)
        assert "driver: veth\n" in sandbox.run("ethtool", "-i", "wire")
        assert "tcp-segmentation-offload" in sandbox.run("ethtool", "-k", "eth0")
        assert "ethtool version" in sandbox.run("ethtool", "--version")
        assert "No such device" in sandbox.run("ethtool", "-i", "nothere")


def test_removed_vf_is_gone_everywhere_at_once_and_comes_back(node: Node) -> None:
    node.facade.remove_vf(node.spec.name)
    for sandbox in node.sandboxes:
        assert node.vf not in sandbox.run("ls", "/sys/class/net").split()
        assert "No such file" in sandbox.run("cat", f"/sys/class/net/{node.vf}/address")
        assert node.vf not in sandbox.run("ip", "link")
        counters = node.statistics(sandbox, "eth0")
        assert {value for key, value in counters.items() if key.startswith("vf_")} == {0}
        assert "hv_netvsc" in sandbox.run("readlink", "/sys/class/net/eth0/device/driver")
    asyncio.run(node.facade.restore_vf(node.spec.name))
    test_sysfs_shows_the_pair_of_nics(node)
    test_counters_move_with_the_traffic_of_eth0(node)


def test_a_vf_can_go_and_come_as_often_as_one_likes(node: Node) -> None:
    for _ in range(4):
        node.facade.remove_vf(node.spec.name)
        assert not node.facade.has_vf(node.spec.name)
        asyncio.run(node.facade.restore_vf(node.spec.name))
    assert node.facade.has_vf(node.spec.name)
    test_sysfs_shows_the_pair_of_nics(node)


def test_the_counters_of_an_idle_vf_stand_still(node: Node) -> None:
    asyncio.run(node.facade.set_vf_idle(node.spec.name, idle=True))
    path = f"/sys/class/net/{node.vf}/statistics/tx_bytes"
    before = int(node.machine.run("cat", path))
    assert node.machine.run(sys.executable, "-c", SEND) == ""
    for sandbox in node.sandboxes:
        assert int(sandbox.run("cat", path)) == before
        counters = node.statistics(sandbox, "eth0")
        assert {value for key, value in counters.items() if key.startswith("vf_")} == {0}
        assert counters["tx_queue_0_bytes"] > 90_000
    test_sysfs_shows_the_pair_of_nics(node)
    asyncio.run(node.facade.set_vf_idle(node.spec.name, idle=False))
    test_counters_move_with_the_traffic_of_eth0(node)


def test_a_vf_of_another_adapter_has_another_driver_and_name(node: Node) -> None:
    [other] = {"mana", "mlx5_core"} - {node.spec.vf_driver}
    asyncio.run(node.facade.set_vf_driver(node.spec.name, other))
    name = VF_NAMES[other]
    for sandbox in node.sandboxes:
        assert node.vf not in sandbox.run("ls", "/sys/class/net").split()
        assert f"driver: {other}\n" in sandbox.run("ethtool", "-i", name)
    asyncio.run(node.facade.set_vf_driver(node.spec.name, node.spec.vf_driver))
    test_sysfs_shows_the_pair_of_nics(node)


def test_ended_pod_is_not_looked_for_when_the_vf_comes_back(node: Node) -> None:
    node.facade.remove_vf(node.spec.name)
    node.facade.forget_pod(node.spec.name, node.pod)
    asyncio.run(node.facade.restore_vf(node.spec.name))
    assert node.vf in node.machine.run("ls", "/sys/class/net").split()


def test_vf_that_is_gone_cannot_be_removed_again(node: Node) -> None:
    node.facade.remove_vf(node.spec.name)
    with pytest.raises(FacadeError, match="Cannot find device"):
        node.facade.remove_vf(node.spec.name)


def test_machine_without_eth0_is_refused_with_its_complaint() -> None:
    with (
        closing(Namespaces("bare")) as machine,
        closing(AcceleratedNetworking()) as facade,
        pytest.raises(FacadeError, match="bare: accelerated networking: mount"),
    ):
        asyncio.run(facade.add_node(SPEC.nodes[0], machine))
