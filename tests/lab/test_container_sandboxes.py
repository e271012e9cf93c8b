"""Machines and pods: what is their own, what they share, what ends with them."""

import asyncio
import os
from pathlib import Path

import pytest

from pytest_aksnet.lab.container.context import BootContext
from pytest_aksnet.lab.container.unprivileged import ping_groups
from pytest_aksnet.lab.kernel.syscalls import in_netns
from tests.lab.bare_lab import machine_and_pod, output, result_of

NAMESPACES = ["sh", "-c", "for n in net mnt uts ipc pid; do readlink /proc/self/ns/$n; done"]


async def namespaces(context: BootContext) -> object:
    machine, pod = await machine_and_pod(context)
    guest = await context.runtime.create_pod(
        machine, "guest", hostname="guest", etc={}, host_network=True
    )
    seen = [(await output(each, *NAMESPACES))[1].split() for each in (machine, pod, guest)]
    return [*seen, [Path("/proc/self/ns", name).readlink().name for name in ("net", "mnt")]]


def test_each_sandbox_has_namespaces_of_its_own_and_host_network_pods_the_machines_network() -> (
    None
):
    machine, pod, guest, lab = result_of(namespaces)
    assert machine[0] == guest[0]
    assert len({machine[0], pod[0], lab[0]}) == 3
    for kind in range(1, 5):
        assert len({machine[kind], pod[kind], guest[kind]}) == 3


async def visibility(context: BootContext) -> object:
    machine, pod = await machine_and_pod(context)
    machine_sees = (await output(machine, "ps", "-e", "-o", "comm="))[1].split()
    pod_sees = (await output(pod, "ps", "-e", "-o", "comm="))[1].split()
    return [machine_sees, pod_sees]


def test_a_machine_sees_the_processes_of_its_pods_and_a_pod_only_its_own() -> None:
    assert result_of(visibility) == [["pause", "pause", "ps"], ["pause", "ps"]]


SETTINGS = """
cat /proc/sys/net/ipv4/ping_group_range /proc/sys/net/ipv4/ip_unprivileged_port_start
python3 -c 'import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM, 1); print("may ping")'
"""


async def unprivileged_network(context: BootContext) -> object:
    machine, pod = await machine_and_pod(context)
    guest = await context.runtime.create_pod(
        machine, "guest", hostname="guest", etc={}, host_network=True
    )
    return [(await output(each, "sh", "-c", SETTINGS))[1].split() for each in (pod, guest, machine)]


def test_in_pods_pings_and_low_ports_need_no_privilege_but_not_on_the_machines_network() -> None:
    pod, guest, machine = result_of(unprivileged_network)
    # Its only group is the first one of its user namespace.
    assert pod == ["0", "0", "0", "may", "ping"]
    assert guest == machine
    assert machine[2] == "1024"
    assert "PermissionError:" in machine


@pytest.mark.parametrize(
    ("gid_map", "groups"),
    [
        ("0 0 4294967295\n", "0 2147483647"),
        ("         0      65534          1\n", "0 0"),
        ("0 100000 65536\n65536 1000 1\n", "65536 65535"),
        ("0 1000 1\n1 100000 65536\n", "0 65536"),
    ],
)
def test_the_range_of_pings_is_the_widest_of_a_user_namespace(gid_map: str, groups: str) -> None:
    assert ping_groups(gid_map) == groups


async def etc(context: BootContext) -> object:
    machine = await context.runtime.create_machine(
        "node", hostname="node", etc={"resolv.conf": b"nameserver 192.0.2.1\n"}
    )
    files = {"resolv.conf": b"nameserver 192.0.2.2\n", "hosts": b"192.0.2.3 pod\n"}
    pod = await context.runtime.create_pod(
        machine, "pod", hostname="pod-0", etc=files, host_network=False
    )
    await pod.write_file("/etc/cni/net.d/10-azure.conflist", b"{}")
    await pod.write_file("/etc/resolv.conf", b"changed\n", 0o600)
    await pod.write_file("/config/map/key", b"value")
    _, edited = await output(pod, "sh", "-c", "echo x >> /etc/passwd && tail -n 1 /etc/passwd")
    _, read = await output(pod, "cat", "/etc/cni/net.d/10-azure.conflist", "/config/map/key")
    resolvers = [(await output(each, "cat", "/etc/resolv.conf"))[1] for each in (machine, pod)]
    _, found = await output(machine, "getent", "passwd", "x")
    return [(await output(pod, "hostname"))[1], edited, read, found, *resolvers]


def test_each_sandbox_has_an_etc_of_its_own_that_can_be_changed() -> None:
    assert result_of(etc) == [
        "pod-0\n",
        "x\n",
        "{}value",
        "",
        "nameserver 192.0.2.1\n",
        "changed\n",
    ]


async def interfaces(context: BootContext) -> object:
    machine, pod = await machine_and_pod(context)
    guest = await context.runtime.create_pod(
        machine, "guest", hostname="guest", etc={}, host_network=True
    )
    await output(machine, "ip", "link", "add", "veth7", "type", "veth", "peer", "name", "veth8")
    with in_netns(pod.netns_fd):
        inside = os.readlink("/proc/thread-self/ns/net")
    listed = [(await output(each, "ls", "/sys/class/net"))[1] for each in (machine, guest, pod)]
    return [*listed, inside == (await output(pod, *NAMESPACES))[1].split()[0]]


def test_sys_shows_the_network_that_a_sandbox_has() -> None:
    assert result_of(interfaces) == [
        "lo\nveth7\nveth8\n",
        "lo\nveth7\nveth8\n",
        "lo\n",
        True,
    ]


async def facade(context: BootContext) -> object:
    machine, pod = await machine_and_pod(context)
    await output(machine, "ip", "link", "add", "eth0", "type", "veth", "peer", "name", "veth8")
    words = """
    set -e
    mkdir /run/own && mount -t tmpfs own /run/own && mkdir -p /run/own/eth0/device
    ln -s /sys/bus/vmbus/drivers/hv_netvsc /run/own/eth0/device/driver
    net=/sys/devices/virtual/net
    mount -t overlay -o ro,userxattr,lowerdir=/run/own/eth0:$net/eth0 overlay $net/eth0
    readlink /sys/class/net/eth0/device/driver
    ip link set eth0 mtu 1400
    cat /sys/class/net/eth0/mtu
    echo 'echo covered' > /run/own/ethtool && chmod 755 /run/own/ethtool
    mount --bind /run/own/ethtool /usr/sbin/ethtool
    """
    shown = await output(machine, "sh", "-c", words)
    _, covered = await output(machine, "sh", "-c", "ethtool; grep -c hv_netvsc /proc/mounts")
    elsewhere = await output(pod, "sh", "-c", "ethtool --version")
    return [shown, covered.split()[0], elsewhere[1].split()[0]]


def test_a_sandbox_can_cover_files_of_usr_and_sys_for_itself() -> None:
    assert result_of(facade) == [
        [0, "/sys/bus/vmbus/drivers/hv_netvsc\n1400\n"],
        "covered",
        "ethtool",
    ]


async def machine_ends(context: BootContext) -> object:
    machine, pod = await machine_and_pod(context)
    descriptors = [os.memfd_create("stdin"), os.memfd_create("output")]
    process = await pod.spawn(
        ["sleep", "999"],
        env={"PATH": "/usr/bin"},
        stdin_fd=descriptors[0],
        stdout_fd=descriptors[1],
        stderr_fd=descriptors[1],
    )
    await machine.destroy()
    status = await process.wait()
    refusals = []
    for attempt in (output(pod, "true"), output(machine, "true"), machine_pod(context, machine)):
        try:
            await attempt
        except ProcessLookupError as error:
            refusals.append(type(error).__name__)
    await pod.destroy()
    return [status, refusals]


async def machine_pod(context: BootContext, machine: object) -> None:
    await context.runtime.create_pod(
        machine,  # type: ignore[arg-type]
        "late",
        hostname="late",
        etc={},
        host_network=False,
    )


def test_pods_end_with_their_machine() -> None:
    assert result_of(machine_ends) == [137, ["ProcessLookupError"] * 3]


async def crowd(context: BootContext) -> object:
    runtime = context.runtime
    before = len(os.listdir("/proc/self/fd"))
    machines = await asyncio.gather(
        *(runtime.create_machine(f"node{n}", hostname=f"node{n}", etc={}) for n in range(3))
    )
    pods = await asyncio.gather(
        *(
            runtime.create_pod(
                machines[n % 3], f"p{n}", hostname=f"pod{n}", etc={}, host_network=n % 5 == 0
            )
            for n in range(30)
        )
    )
    names = [found for _, found in await asyncio.gather(*(output(p, "hostname") for p in pods))]
    await asyncio.gather(*(pod.destroy() for pod in pods))
    await asyncio.gather(*(machine.destroy() for machine in machines))
    return [names, len(os.listdir("/proc/self/fd")) - before]


def test_sandboxes_are_made_and_destroyed_in_parallel_and_leave_no_descriptor() -> None:
    assert result_of(crowd) == [[f"pod{n}\n" for n in range(30)], 0]


async def refused(context: BootContext) -> object:
    found = []
    try:
        await context.runtime.create_machine("long", hostname="x" * 65, etc={})
    except OSError as error:
        found.append(type(error).__name__)
    _, pod = await machine_and_pod(context)
    try:
        await pod.write_file("/usr/share/x", b"")
    except OSError as error:
        found.append(error.strerror or "")
    return found


def test_what_the_kernel_refuses_is_raised() -> None:
    assert result_of(refused) == ["OSError", "Read-only file system"]
