"""The seams inside the lab: what the container runtime and the network offer to the controllers.

Types only. Each Protocol has one implementation (`container`, `network`, the kubelets); the API
server and the controllers are written against these. What the network is told is in
`network_views`, what faults may do to it in `network_knobs`.
"""

import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from pytest_aksnet.lab.network_views import NamespaceView, PodView, PolicyView, ServicePortView


class Process(Protocol):
    """A process in a sandbox."""

    pid: int

    async def wait(self) -> int:
        """Its exit status; 128 + N where signal N ended it."""
        ...

    def signal(self, signum: int) -> None:
        """Send a signal to it; no error if it has ended."""
        ...


class ProcessGroup(Protocol):
    """Processes of a sandbox that end together, with all that they started: a container's."""

    async def end(self) -> None:
        """Kill all of them at once (SIGKILL); returns when none runs. No more can join."""
        ...


class Sandbox(Protocol):
    """Namespaces of their own: a machine (node, VM, server) or a pod in a node.

    `netns_fd` is an open descriptor of its network namespace, valid until `destroy`.
    """

    name: str
    netns_fd: int

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
        """Start a process with these descriptors (the caller keeps and closes its own copies).

        With `tty` the descriptors are one pty replica that becomes the controlling terminal.
        `group` is one of this sandbox that has not ended.
        Raises FileNotFoundError or PermissionError where the program cannot be executed.
        """
        ...

    async def new_group(self) -> ProcessGroup:
        """A group without processes. Whoever asked for it calls its `end`."""
        ...

    async def write_file(self, path: str, content: bytes, mode: int = 0o644) -> None:
        """Write a file below a directory of the sandbox that is its own (/etc, /run, /var...)."""
        ...

    async def write_files(
        self, files: Mapping[str, tuple[bytes, int]], directories: Sequence[str] = ()
    ) -> None:
        """Put many files in place, each with its mode, after making directories for everybody."""
        ...

    async def bind(
        self, other: "Sandbox", source: str, target: str, *, kind: str = "", read_only: bool = False
    ) -> None:
        """Find a path of another sandbox here; `kind` as the type of a hostPath volume.

        Raises OSError where the path is not of that type.
        """
        ...

    async def name_networks(self, added: "Mapping[str, Sandbox]", removed: Sequence[str]) -> None:
        """Have names in /run/netns for the networks of other sandboxes, and forget names.

        A name keeps a network alive. Raises OSError.
        """
        ...

    async def destroy(self) -> None:
        """Kill everything in it at once (SIGKILL) and give up its namespaces."""
        ...


class Runtime(Protocol):
    """Makes sandboxes."""

    async def create_machine(
        self, name: str, *, hostname: str, etc: Mapping[str, bytes]
    ) -> Sandbox:
        """A machine with network, mount, pid and uts namespaces of its own.

        `etc` maps names below /etc to contents. Its pid namespace sees the pods created in it.
        """
        ...

    async def create_pod(
        self,
        machine: Sandbox,
        name: str,
        *,
        hostname: str,
        etc: Mapping[str, bytes],
        host_network: bool,
    ) -> Sandbox:
        """A pod sandbox in a machine; with `host_network` it shares the machine's network."""
        ...


class Network(Protocol):
    """The lab's network. Calls are synchronous, take milliseconds, and raise OSError on refusal.

    Whatever is set here is the intended state; a fault bends what reaches the kernel.
    """

    def add_machine(self, name: str, netns_fd: int) -> None:
        """Wire an outside host of the spec, or a node of the spec, into the fabric by its name."""
        ...

    def add_pod(
        self,
        node: str,
        ip: str,
        netns_fd: int,
        ip6: str | None = None,
        *,
        name: str = "",
        host_ports: Sequence[tuple[str, int, int]] = (),
    ) -> None:
        """Give a pod its interface and addresses on a node, and route them.

        `name` is "NAMESPACE.NAME", which the network plugin names the pod's link after.
        `host_ports` are protocol (tcp, udp), port of the node and port of the pod.
        """
        ...

    def pod_link(self, node: str, ip: str) -> tuple[str, str]:
        """A wired pod's link on the node by name, and the MAC address of its eth0."""
        ...

    def remove_pod(self, node: str, ip: str) -> Callable[[], None]:
        """Take back what add_pod did; `ip` is its IPv4 address.

        What it gives makes the fabric forget the pod's flows, and may be called in another thread.
        """
        ...

    def sync_services(self, services: Sequence[ServicePortView]) -> None:
        """Make every node's service proxy and the load balancer serve exactly these."""
        ...

    def sync_policies(
        self,
        policies: Sequence[PolicyView],
        pods: Sequence[PodView],
        namespaces: Sequence[NamespaceView],
    ) -> None:
        """Make every node's policy engine enforce exactly these."""
        ...


class KubeletRefusal(Exception):
    """An exec or log request that the kubelet refuses: an HTTP status and a plain text."""

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text


@dataclass(kw_only=True)
class ExecSession:
    """A process with its ends of the streams; -1 where that stream was not asked for.

    The receiver owns the descriptors and closes them. With a tty all of `stdin_fd` and
    `stdout_fd` are descriptors of the pty's controller side.
    """

    process: Process
    stdin_fd: int
    stdout_fd: int
    stderr_fd: int


class ExecNotStarted(Exception):
    """The program could not be executed: 126 (not executable) or 127 (not found), and the text."""

    def __init__(self, exit_code: int, text: str) -> None:
        super().__init__(text)
        self.exit_code = exit_code
        self.text = text


class Kubelet(Protocol):
    """What the API server asks of nodes."""

    async def exec(
        self,
        namespace: str,
        pod: str,
        container: str | None,
        argv: Sequence[str],
        *,
        stdin: bool,
        stdout: bool,
        stderr: bool,
        tty: bool,
    ) -> ExecSession:
        """Start a process in a running container. Raises KubeletRefusal or ExecNotStarted."""
        ...

    async def attach(self, namespace: str, pod: str, container: str | None) -> ExecSession:
        """The output of the container's main process from now on. Raises KubeletRefusal."""
        ...

    async def connect(self, namespace: str, pod: str, port: int) -> socket.socket:
        """A TCP connection to a port of the pod's own loopback; the receiver closes it.

        Raises KubeletRefusal, or OSError where nothing listens there.
        """
        ...

    def log(
        self,
        namespace: str,
        pod: str,
        container: str | None,
        *,
        follow: bool,
        previous: bool,
        timestamps: bool,
        tail_lines: int | None,
        since_seconds: int | None,
        limit_bytes: int | None,
    ) -> AsyncIterator[bytes]:
        """The container's log; ends at its end, or with the container where `follow`."""
        ...
