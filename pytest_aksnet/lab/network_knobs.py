"""How faults bend the network: what its agents may get wrong, and what is lost, slow or absent."""

from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Protocol

from pytest_aksnet.lab.contracts import Network


class PolicyDefect(Enum):
    """What a policy engine's agent may get wrong about the policies of its node."""

    EXCEPT_IGNORED = auto()
    NAMESPACE_SELECTOR_ANY = auto()
    END_PORT_OFF_BY_ONE = auto()
    EGRESS_NOT_ENFORCED = auto()
    IPV6_NOT_ENFORCED = auto()
    NODES_LET_IN = auto()
    OWN_NODE_OPEN = auto()
    HOST_NETWORK_HELD = auto()
    CONNECTIONS_SPARED = auto()


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
    UDP_UNSERVED = auto()
    ONE_ENDPOINT_PREFERRED = auto()
    KEEPS_SERVICES = auto()
    SERVES_OTHER_PORTS = auto()
    SILENT_WITHOUT_ENDPOINTS = auto()
    FIRST_PORT_ONLY = auto()
    HINTS_STRICT = auto()
    SOURCE_RANGES_IGNORED = auto()


@dataclass(kw_only=True)
class NetworkKnobs:
    """How faults bend the network. Set what is needed, then call `FaultableNetwork.resync`.

    `rate_gbps` limits a node in both directions, `pod_rate_gbps` what each of its pods receives.
    `most_connections` is how many flows a node tracks before it drops new ones.
    A node enforces changes of policies `policy_lag_seconds` late, and those of a new pod
    `policy_window_seconds` after it got its address; pods that policies select lose all packets for
    `policy_gap_seconds` after a change. `packet_loss`, `latency_seconds` (each way)
    and `rx_drops` are per packet of a node; of all with the key "", which `rx_drops` has not.
    `narrow_nodes` lose long packets in the fabric; the edge forgets flows after `idle_seconds`.
    A proxy that is stopped answers nothing about itself and hears of no change: make it FROZEN too.
    The load balancer lacks its frontends, or nodes in its backend pool (`backends_absent`).
    """

    service_proxy_absent: set[str] = field(default_factory=set)
    proxy_defects: dict[ProxyDefect, set[str]] = field(default_factory=dict)
    most_connections: dict[str, int] = field(default_factory=dict)
    policy_absent: set[str] = field(default_factory=set)
    policy_defects: dict[PolicyDefect, set[str]] = field(default_factory=dict)
    policy_lag_seconds: dict[str, float] = field(default_factory=dict)
    policy_window_seconds: dict[str, float] = field(default_factory=dict)
    policy_gap_seconds: dict[str, float] = field(default_factory=dict)
    non_masquerade_cidrs: tuple[str, ...] | None = None
    rate_gbps: dict[str, float] = field(default_factory=dict)
    pod_rate_gbps: dict[str, float] = field(default_factory=dict)
    pod_routes_absent: set[str] = field(default_factory=set)
    drops_own_pods: set[str] = field(default_factory=set)
    long_packets_lost: set[str] = field(default_factory=set)
    health_check_absent: set[str] = field(default_factory=set)
    service_proxy_stopped: set[str] = field(default_factory=set)
    health_check_stuck: set[str] = field(default_factory=set)
    forwarding_off: set[str] = field(default_factory=set)
    pod_links_down: set[str] = field(default_factory=set)
    gateway_neighbours_wrong: set[str] = field(default_factory=set)
    host_ports_unmapped: set[str] = field(default_factory=set)
    pod_links_narrow: set[str] = field(default_factory=set)
    pod_loopbacks_down: set[str] = field(default_factory=set)
    segments_clamped: set[str] = field(default_factory=set)
    narrow_nodes: set[str] = field(default_factory=set)
    idle_seconds: int | None = None
    frontends_absent: bool = False
    backends_absent: set[str] = field(default_factory=set)
    probes_blocked: set[str] = field(default_factory=set)
    imds_exposed: set[str] = field(default_factory=set)
    wire_server_exposed: set[str] = field(default_factory=set)
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
