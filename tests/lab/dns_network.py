"""A pod and the Azure side as two network namespaces, with the lab's DNS servers in them."""

import asyncio
import os
import subprocess
import threading
from collections.abc import Coroutine, Sequence
from typing import TypeVar

from pytest_aksnet.lab.azure.state import AzureState
from pytest_aksnet.lab.dns.azure import AzureDns
from pytest_aksnet.lab.dns.server import DnsServer
from pytest_aksnet.lab.dns.servers import Replica, start_azure_dns, start_coredns
from pytest_aksnet.lab.kernel.syscalls import in_netns, new_netns
from pytest_aksnet.lab.layout import default_spec
from tests.unit.lab_dns.cluster import MemoryRecords, example_cluster

SPEC = default_spec("overlay", "calico")
POD_IP = "10.224.0.40"
T = TypeVar("T")


class LoopThread:
    """An event loop in a thread of its own, so that programs can be waited for beside it."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()

    def run(self, work: Coroutine[object, object, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout=30)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def run_in(netns_fd: int, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a network namespace to its end."""
    with in_netns(netns_fd):
        return subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)


def ip(netns_fd: int, *commands: Sequence[str]) -> None:
    """Run `ip` commands in a network namespace."""
    for command in commands:
        done = run_in(netns_fd, "ip", *command)
        assert done.returncode == 0, done.stderr


class DnsNetwork:
    """CoreDNS in `pod`, Azure DNS at its well-known address in `fabric`, a veth between them."""

    def __init__(self) -> None:
        self.pod, self.fabric = new_netns(), new_netns()
        self.records: MemoryRecords = example_cluster()
        self.azure = AzureState(SPEC)
        self._wire()
        self._loop = LoopThread()
        self.azure_server, self.replica = self._loop.run(self._start())
        self.coredns_server = self.replica.server

    def dig(self, *arguments: str) -> str:
        """What dig prints when it asks CoreDNS from the pod."""
        done = run_in(self.pod, "dig", f"@{POD_IP}", "+tries=1", "+timeout=8", *arguments)
        return done.stdout

    def stop_azure(self) -> None:
        """Azure DNS stops listening: its address refuses from now on."""
        self._loop.run(self.azure_server.stop())

    def close(self) -> None:
        """Stop the servers and give up the namespaces."""
        self._loop.run(self.replica.stop())
        self._loop.run(self.azure_server.stop())
        self._loop.close()
        os.close(self.pod)
        os.close(self.fabric)

    def _wire(self) -> None:
        azure = SPEC.azure_dns_ip
        ip(
            self.pod,
            ["link", "set", "lo", "up"],
            ["link", "add", "eth0", "type", "veth", "peer", "name", "fab0", "netns", self._fabric],
            ["address", "add", f"{POD_IP}/32", "dev", "eth0"],
            ["link", "set", "eth0", "up"],
            ["route", "add", "default", "dev", "eth0"],
        )
        ip(
            self.fabric,
            ["link", "set", "lo", "up"],
            ["address", "add", f"{azure}/32", "dev", "lo"],
            ["link", "set", "fab0", "up"],
            ["route", "add", f"{POD_IP}/32", "dev", "fab0"],
        )

    @property
    def _fabric(self) -> str:
        return f"/proc/{os.getpid()}/fd/{self.fabric}"

    async def _start(self) -> tuple[DnsServer, Replica]:
        azure = await start_azure_dns(SPEC, AzureDns(self.azure), self.fabric)
        coredns = await start_coredns(
            SPEC,
            self.records,
            self.pod,
            resolv_conf=[SPEC.azure_dns_ip],
            attempt_seconds=0.3,
            total_seconds=0.8,
        )
        return azure, coredns
