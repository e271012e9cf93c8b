"""The seams inside the lab: what the container runtime and the network offer to the controllers.

Types only. Each Protocol has one implementation (`container`, `network`); the controllers and the
faults are written against these.
"""

import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
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


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointView:
    """One endpoint address of a Service port. `node` is empty where it is no pod of ours.

    `for_zones` and `for_nodes` are its topology hints (KEP-2433, KEP-3015).
    """

    ip: str
    port: int
    node: str = ""
    for_zones: tuple[str, ...] = ()
    for_nodes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ServicePortView:
    """One port of one Service in one address family as kube-proxy sees it.

    A Service of both families has two views of each port, which differ in all their addresses
    (`load_balancer_ips`, `source_ranges` and `endpoints` are those of the view's family alone) and
    share the node port. `endpoints` are the ready ones; `draining` are those that end but still
    serve, which proxies fall back on (KEP-1669). `security_group_ranges` are the ranges that only
    the security group is told of (annotation azure-allowed-ip-ranges).
    """

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
    draining: tuple[EndpointView, ...] = ()
    security_group_ranges: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PodView:
    """A pod with an address as NetworkPolicy engines see it. Host-network pods are not listed.

    `ip6` is its IPv6 address, which pods of dual-stack labs have besides.
    """

    namespace: str
    name: str
    node: str
    ip: str
    labels: Mapping[str, str]
    named_ports: Mapping[tuple[str, str], int]
    ip6: str | None = None

    @property
    def ips(self) -> tuple[str, ...]:
        """All its addresses, the IPv4 one first."""
        return (self.ip,) if self.ip6 is None else (self.ip, self.ip6)


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


class PolicyDefect(Enum):
    """What a policy engine's agent may get wrong about the policies of its node."""

    EXCEPT_IGNORED = auto()
    NAMESPACE_SELECTOR_ANY = auto()
    END_PORT_OFF_BY_ONE = auto()
    EGRESS_NOT_ENFORCED = auto()


class ProxyDefect(Enum):
    """What a node's service proxy may get wrong about Services."""

    EXTERNAL_LOCAL_MASQUERADED = auto()
    INTERNAL_LOCAL_IGNORED = auto()
    AFFINITY_LOST = auto()
    NOT_HAIRPIN = auto()
    NODE_PORTS_UNSERVED = auto()
    MASQUERADES_ALL = auto()
    KEEPS_ENDPOINTS = auto()
    KEEPS_UDP_FLOWS = auto()
    FROZEN = auto()


class Network(Protocol):
    """The lab's network. Calls are synchronous, take milliseconds, and raise OSError on refusal.

    Whatever is set here is the intended state; a fault bends what reaches the kernel.
    """

    def add_machine(self, name: str, netns_fd: int) -> None:
        """Wire an outside host of the spec, or a node of the spec, into the fabric by its name."""
        ...

    def add_pod(
        self, node: str, ip: str, netns_fd: int, ip6: str | None = None, *, name: str = ""
    ) -> None:
        """Give a pod its interface and addresses on a node, and route them.

        `name` is "NAMESPACE.NAME", which the network plugin names the pod's link after.
        """
        ...

    def pod_link(self, node: str, ip: str) -> tuple[str, str]:
        """A wired pod's link on the node by name, and the MAC address of its eth0."""
        ...

    def remove_pod(self, node: str, ip: str) -> None:
        """Take back what add_pod did, conntrack entries included; `ip` is its IPv4 address."""
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
    `most_connections` is how many flows a node tracks before it drops new ones.
    A node enforces changes of policies `policy_lag_seconds` late, and those of a new pod
    `policy_window_seconds` after it got its address. `packet_loss`, `latency_seconds` (each way)
    and `rx_drops` are per packet of a node; of all with the key "", which `rx_drops` has not.
    `narrow_nodes` lose long packets in the fabric; the edge forgets flows after `idle_seconds`.
    The load balancer lacks its frontends, or nodes in its backend pool (`backends_absent`).
    """

    service_proxy_absent: set[str] = field(default_factory=set)
    proxy_defects: dict[ProxyDefect, set[str]] = field(default_factory=dict)
    most_connections: dict[str, int] = field(default_factory=dict)
    policy_absent: set[str] = field(default_factory=set)
    policy_defects: dict[PolicyDefect, set[str]] = field(default_factory=dict)
    policy_lag_seconds: dict[str, float] = field(default_factory=dict)
    policy_window_seconds: dict[str, float] = field(default_factory=dict)
    non_masquerade_cidrs: tuple[str, ...] | None = None
    rate_gbps: dict[str, float] = field(default_factory=dict)
    pod_rate_gbps: dict[str, float] = field(default_factory=dict)
    pod_routes_absent: set[str] = field(default_factory=set)
    drops_own_pods: set[str] = field(default_factory=set)
    long_packets_lost: set[str] = field(default_factory=set)
    health_check_absent: set[str] = field(default_factory=set)
    forwarding_off: set[str] = field(default_factory=set)
    pod_links_down: set[str] = field(default_factory=set)
    gateway_neighbours_wrong: set[str] = field(default_factory=set)
    narrow_nodes: set[str] = field(default_factory=set)
    idle_seconds: int | None = None
    frontends_absent: bool = False
    backends_absent: set[str] = field(default_factory=set)
    probes_blocked: set[str] = field(default_factory=set)
    imds_exposed: set[str] = field(default_factory=set)
    wire_server_blocked: set[str] = field(default_factory=set)
    packet_loss: dict[str, float] = field(default_factory=dict)
    latency_seconds: dict[str, float] = field(default_factory=dict)
    rx_drops: dict[str, float] = field(default_factory=dict)
    flapping: set[str] = field(default_factory=set)
    icmp_blocked: bool = False
    ipv6_lost: set[str] = field(default_factory=set)


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
