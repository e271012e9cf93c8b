"""Accelerated networking of the nodes as a check sees it: a FACADE. No packet takes another path.

An AKS node's NIC is a pair (AKS and Azure docs on accelerated networking): eth0 on the VMbus,
driver hv_netvsc, and a virtual function (VF) of an SR-IOV adapter with the same MAC address, whose
`master` is eth0. The lab shows that pair in the node and in its host-network pods:

* eth0 stays what it is (a veth); /sys/class/net/eth0/device/driver names hv_netvsc.
* The VF is a real link without addresses, so `ip link` and /sys/class/net list it. Its other end
  lies in an empty network namespace. /sys/class/net/VF/{master,device/driver} are made up, and
  /sys/class/net/VF/statistics are eth0's live files. `ip -s link` shows the link's own zeros, and
  neither `ip link` nor `flags` says SLAVE: the kernel allows no pretence there.
* `ethtool -i` and `ethtool -S` of the two are a script over /usr/sbin/ethtool that reads those
  files; the rest of ethtool is the system's.

Without the VF its link is gone everywhere, and ethtool's vf_* counters are 0: the kernel's driver
prints them whether a VF is there or not (drivers/net/hyperv/netvsc_drv.c). Of an idle VF the
counters do not grow, while the link and the driver are there.
"""

import asyncio
import os
import subprocess
from collections import defaultdict
from dataclasses import replace
from importlib import resources

from pytest_aksnet.lab.contracts import Sandbox
from pytest_aksnet.lab.kernel.syscalls import in_netns, new_netns
from pytest_aksnet.lab.spec import NodeSpec

# Names as udev derives them from the adapter's PCI domain (0x9a50, 0x7870) and slot.
VF_NAMES = {"mlx5_core": "enP39504s1", "mana": "enP30832s1"}
# Far from the indices that the network gives to the links it makes in a node.
_VF_INDEX = 1 << 20
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


class FacadeError(Exception):
    """The facade could not be put up; the text says which step the machine refused."""


class AcceleratedNetworking:
    """The facade of all nodes. `add_node` and `add_host_network_pod` put it up."""

    def __init__(self) -> None:
        package = resources.files("pytest_aksnet.lab.facade")
        self._script = package.joinpath("accelerated_networking.sh").read_text()
        self._ethtool = package.joinpath("ethtool.sh").read_text()
        self._far_end = new_netns()
        self._nodes: dict[str, NodeSpec] = {}
        self._machines: dict[str, Sandbox] = {}
        self._pods: dict[str, list[Sandbox]] = {}
        self._shown: defaultdict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._without_vf: set[str] = set()
        self._idle: set[str] = set()

    async def add_node(self, node: NodeSpec, machine: Sandbox) -> None:
        """Show the NIC pair on a node that has its eth0. Raises FacadeError."""
        self._nodes[node.name] = node
        self._machines[node.name] = machine
        self._pods[node.name] = []
        self._create_vf(node, machine)
        await self._show(node, machine)
        self._shown[node.name].set()

    async def add_host_network_pod(self, node: str, pod: Sandbox) -> None:
        """Show it in a pod that shares the node's network namespace, once the node shows it.

        Raises FacadeError.
        """
        await self._shown[node].wait()
        self._pods[node].append(pod)
        await self._show(self._nodes[node], pod)

    def forget_pod(self, node: str, pod: Sandbox) -> None:
        """The pod ends: `restore_vf` is not to look for it. Harmless for pods never added."""
        if pod in self._pods.get(node, []):
            self._pods[node].remove(pod)

    def remove_vf(self, node: str) -> None:
        """Take the VF away, in the node and in its running host-network pods.

        Raises KeyError for a node never added, FacadeError where there is no VF to remove.
        """
        name = vf_name(self._nodes[node])
        _ip(self._machines[node].netns_fd, f"link delete {name}")
        self._without_vf.add(node)

    def has_vf(self, node: str) -> bool:
        """Whether the node has its VF."""
        return node in self._nodes and node not in self._without_vf

    async def restore_vf(self, node: str) -> None:
        """Bring the VF back, in the node and in its running host-network pods.

        Raises KeyError for a node never added, FacadeError.
        """
        self._create_vf(self._nodes[node], self._machines[node])
        self._without_vf.discard(node)
        await self._show_everywhere(node)

    async def set_vf_driver(self, node: str, driver: str) -> None:
        """Show a VF of another adapter, by its driver's name. Raises KeyError, FacadeError.

        Harmless where it is that already. A VF that is away comes back with the new driver.
        """
        now = self._nodes[node]
        if now.vf_driver == driver:
            return
        had = self.has_vf(node)
        if had:
            self.remove_vf(node)
        self._nodes[node] = replace(now, vf_driver=driver)
        if had:
            await self.restore_vf(node)

    async def set_vf_idle(self, node: str, *, idle: bool) -> None:
        """Let the VF's counters stand still, or count eth0's traffic again. Raises FacadeError."""
        (self._idle.add if idle else self._idle.discard)(node)
        await self._show_everywhere(node)

    async def _show_everywhere(self, node: str) -> None:
        sandboxes = [self._machines[node], *self._pods[node]]
        await asyncio.gather(*(self._show(self._nodes[node], each) for each in sandboxes))

    def close(self) -> None:
        """Give up the namespace of the VFs' other ends; the VFs vanish with it."""
        os.close(self._far_end)

    def _create_vf(self, node: NodeSpec, machine: Sandbox) -> None:
        name = vf_name(node)
        far_end = f"/proc/{os.getpid()}/fd/{self._far_end}"
        peer = f"vf{node.index}"
        # addrgenmode none: not even a link-local address, so that nothing is ever sent on it.
        _ip(
            machine.netns_fd,
            f"link add {name} index {_VF_INDEX} address {node.mac}"
            f" type veth peer name {peer} netns {far_end}",
            f"link set {name} addrgenmode none",
            f"link set {name} up",
        )
        _ip(self._far_end, f"link set {peer} addrgenmode none", f"link set {peer} up")

    async def _show(self, node: NodeSpec, sandbox: Sandbox) -> None:
        argv = ["/bin/sh", "-c", self._script, "facade", node.vf_driver, vf_name(node)]
        idle = "idle" if node.name in self._idle else ""
        reading, writing = os.pipe()
        try:
            nothing = os.open(os.devnull, os.O_RDWR)
            try:
                process = await sandbox.spawn(
                    [*argv, self._ethtool, idle],
                    env={"PATH": _PATH, "LC_ALL": "C"},
                    stdin_fd=nothing,
                    stdout_fd=nothing,
                    stderr_fd=writing,
                )
            finally:
                os.close(nothing)
                os.close(writing)
            status = await process.wait()
            said = os.read(reading, 4096).decode(errors="replace").strip()
        finally:
            os.close(reading)
        gone = sandbox not in (self._machines[node.name], *self._pods[node.name])
        if status != 0 and not gone:
            raise FacadeError(f"{sandbox.name}: accelerated networking: {said or status}")


def vf_name(node: NodeSpec) -> str:
    """The name of the VF's interface on a node."""
    return VF_NAMES[node.vf_driver]


def _ip(netns_fd: int, *commands: str) -> None:
    """Run `ip` commands in a network namespace in one process. Raises FacadeError."""
    with in_netns(netns_fd):
        done = subprocess.run(
            ["ip", "-batch", "-"],
            input="\n".join(commands),
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    if done.returncode != 0:
        raise FacadeError(f"ip: {done.stderr.strip()}")
