"""The seams inside the lab: what the container runtime and the network offer to the controllers.

Types only. Each Protocol has one implementation (`container`, `network`); the controllers and the
faults are written against these.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


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


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointView:
    """One endpoint address of a Service port. `node` is empty where it is no pod of ours."""

    ip: str
    port: int
    node: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePortView:
    """One port of one Service as kube-proxy sees it. Only ready endpoints are listed."""

    namespace: str
    service: str
    port_name: str
    protocol: str
    cluster_ip: str
    port: int
    node_port: int
    load_balancer_ips: tuple[str, ...]
    external_local: bool
    internal_local: bool
    affinity_seconds: int
    health_check_node_port: int
    source_ranges: tuple[str, ...]
    endpoints: tuple[EndpointView, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodView:
    """A pod with an address as NetworkPolicy engines see it. Host-network pods are not listed."""

    namespace: str
    name: str
    node: str
    ip: str
    labels: Mapping[str, str]
    named_ports: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceView:
    """A namespace and its labels."""

    name: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyView:
    """A NetworkPolicy: `spec` is the object's spec as JSON types (networking.k8s.io/v1)."""

    namespace: str
    name: str
    spec: Mapping[str, object]


class Network(Protocol):
    """The lab's network. Calls are synchronous, take milliseconds, and raise OSError on refusal.

    Whatever is set here is the intended state; a fault bends what reaches the kernel.
    """

    def add_machine(self, name: str, netns_fd: int) -> None:
        """Wire an outside host of the spec, or a node of the spec, into the fabric by its name."""
        ...

    def add_pod(self, node: str, ip: str, netns_fd: int) -> None:
        """Give a pod its interface and address on a node, and route it."""
        ...

    def remove_pod(self, node: str, ip: str) -> None:
        """Take back what add_pod did, conntrack entries of the address included."""
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


@dataclass(kw_only=True)
class NetworkKnobs:
    """How faults bend the network. Set what is needed, then call `FaultableNetwork.resync`.

    `rate_gbps` limits a node in both directions, `pod_rate_gbps` what each of its pods receives.
    """

    service_proxy_absent: set[str] = field(default_factory=set)
    policy_absent: set[str] = field(default_factory=set)
    non_masquerade_cidrs: tuple[str, ...] | None = None
    external_local_masqueraded: bool = False
    rate_gbps: dict[str, float] = field(default_factory=dict)
    pod_rate_gbps: dict[str, float] = field(default_factory=dict)
    pod_routes_absent: set[str] = field(default_factory=set)
    ports_denied_by_nsg: set[str] = field(default_factory=set)
    drops_own_pods: set[str] = field(default_factory=set)
    long_packets_lost: set[str] = field(default_factory=set)
    health_check_absent: set[str] = field(default_factory=set)
    egress_ip: str | None = None


class FaultableNetwork(Network, Protocol):
    """The network as faults see it. Sets and keys of the knobs are node names."""

    knobs: NetworkKnobs

    def resync(self) -> None:
        """Bring the kernel in line with the intended state as bent by the knobs."""
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
