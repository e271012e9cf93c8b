"""What probes saw, typed. No observation says whether it is good: that is for `expectations`."""

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


class ConnectOutcome(enum.Enum):
    """How one attempt to connect ended (the words of agnhost connect)."""

    CONNECTED = "connected"
    TIMEOUT = "timeout"
    REFUSED = "refused"
    DNS = "dns"
    UNREACHABLE = "unreachable"
    OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One attempt to connect to `host:port` and to hear who answered.

    `source_seen` is the address that the answerer says it saw; `answered_by` is the answerer's
    name; both are empty where the answerer is no reflector. `address` is the address that `host`
    led to, empty where nothing answered. `elapsed_s` is in seconds.
    """

    host: str
    port: int
    outcome: ConnectOutcome
    source_seen: str = ""
    answered_by: str = ""
    http_status: int = 0
    address: str = ""
    elapsed_s: float = 0.0
    detail: str = ""


class DnsStatus(enum.Enum):
    """The answer code of a DNS server, or TIMEOUT where none answered."""

    NOERROR = "NOERROR"
    NXDOMAIN = "NXDOMAIN"
    SERVFAIL = "SERVFAIL"
    REFUSED = "REFUSED"
    OTHER = "OTHER"
    TIMEOUT = "TIMEOUT"


@dataclass(frozen=True, slots=True, kw_only=True)
class DnsAnswer:
    """What one look-up of `name` gave. `cname_chain` is in order; `elapsed_s` in seconds.

    `addresses` are those of an A or AAAA look-up; for any other type, its records' data as text.
    """

    name: str
    qtype: str
    status: DnsStatus
    addresses: tuple[str, ...] = ()
    cname_chain: tuple[str, ...] = ()
    server: str = ""
    truncated: bool = False
    elapsed_s: float = 0.0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolverConfig:
    """What /etc/resolv.conf of a pod says, in its order; options as written, such as "ndots:5"."""

    nameservers: tuple[str, ...]
    search: tuple[str, ...]
    options: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NameQueries:
    """The names that the C library of a pod asked a DNS server for, in order, to find `name`."""

    name: str
    asked: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Denial:
    """How a DNS server denies `name`: for how long (seconds) others may keep that, and where.

    `ttl_s` is that of the SOA record of `zone`, by which it is kept (RFC 2308, 5), None without.
    """

    name: str
    status: DnsStatus
    zone: str = ""
    ttl_s: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Throughput:
    """What one bounded iperf3 run measured, as the receiver counted it (Gbit/s, seconds).

    CPU is that of the two processes, in percent of one core. `moved_bytes` is what the receiver
    got in the measured time; `segments` is about how many full packets of its path that is.
    """

    gbps: float
    streams: int
    seconds: float
    retransmits: int
    sender_cpu_percent: float
    receiver_cpu_percent: float
    tool_version: str
    moved_bytes: int = 0
    segments: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Interface:
    """A network interface of a node, from sysfs. Counters are packets since boot."""

    name: str
    mac: str
    driver: str
    master: str
    mtu: int
    rx_packets: int
    tx_packets: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NicState:
    """The interfaces of a node, and the vf_ counters of `ethtool -S` by interface.

    `losses` are counters of what was lost, by interface with a driver: of sysfs and of the driver,
    such as rx_out_of_buffer.
    """

    interfaces: tuple[Interface, ...]
    vf_counters: dict[str, dict[str, int]]
    losses: dict[str, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """Bounded runs between a pair of nodes, there and back, and their NICs around them.

    `gentle` is one there that is far from filling the way. `before` and `after` are by the nodes'
    names.
    """

    sender: str
    receiver: str
    there: Throughput
    back: Throughput
    gentle: Throughput
    before: dict[str, NicState]
    after: dict[str, NicState]


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelState:
    """What the kernel says of a network namespace; what could not be read is not in it.

    `settings` are sysctls by name, such as "net.ipv4.ip_forward"; `conntrack` and `protocols` are
    counters since boot ("drop", "Tcp.RetransSegs"); `uplink` is the interface of the default route,
    empty where there is none, with its `mtu` (bytes) and its counters of sysfs. `clock_s` is the
    time by `date`, in whole seconds of the epoch.
    """

    settings: dict[str, str]
    conntrack: dict[str, int]
    protocols: dict[str, int]
    uplink: str
    mtu: int
    link_counters: dict[str, int]
    clock_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CniState:
    """The network plugin's files on a node: names of configurations, in the order of loading.

    `plugins` and `ipam` are of the first one. `addresses` are those that Azure's plugin gave to
    pods, None where it keeps no state.
    """

    configs: tuple[str, ...]
    plugins: tuple[str, ...]
    ipam: str
    addresses: tuple[str, ...] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpText:
    """The answer to one GET: `status` is 0 where none came, and then `problem` says why."""

    url: str
    status: int
    body: str
    problem: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeList:
    """What a list of probes gave, asked of one pod's agent at once.

    `findings` counts how the `asked` probes ended; `unlike` has a sentence for each that did not
    end as expected, the first of them only. `slowest_ok_ms` is the slowest good answer,
    `stall_ms` what the agent missed and did not count as waiting; `streams` how many it took.
    """

    what: str
    asked: int
    findings: dict[str, int]
    unlike: tuple[str, ...] = ()
    slowest_ok_ms: float = 0.0
    stall_ms: float = 0.0
    streams: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class DeprecatedApi:
    """A deprecated API that some client has asked for since the API server started.

    `removed_release` is the version that will not serve it ("1.37"), empty where none is named.
    """

    group: str
    version: str
    resource: str
    removed_release: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactSheet:
    """What was read, not looked at with packets: objects of the API or of ARM, files of a node.

    `facts` has what the judgement went by, as words for people; `source` where it was read.
    """

    what: str
    source: str
    facts: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PodInterfaces:
    """What a pod has in its network namespace: MTU by interface (bytes), and its default routes.

    A route reads "eth0 via 169.254.1.1", without a gateway "eth0"; `default6` are those of IPv6.
    """

    mtus: dict[str, int]
    default4: tuple[str, ...]
    default6: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTable:
    """One step of a truth table of NetworkPolicies: as it should be, and as it was seen.

    `expected` and `seen` have a string per source, in the order of `pods`, with a sign for every
    destination in that order, and of each destination for every one of `ports` ("TCP 8080", "TCP
    8080 over IPv6"). `nodes` are the pods' nodes in their order, empty names where they are not
    known. Signs are those of `model.policy_table.Mark`, and a space is what nobody asked
    for. `cells` counts what was asked for, `wrong` and `unseen` of that what failed the table and
    what left it open; `problem` says why. Where engines' documents leave the answer open, a cell
    that deviates is in `open_answers` alone.

    `wrong_cells` and `open_answers` are sentences such as "x/a to y/b at TCP 8080: should be closed
    and is open: WHY", the first of them only. `wrong_at` counts wrong cells by the node of the pod
    whose policies should have closed them. `late` is how long cells were wrong at first (seconds).
    `departures` counts the cells where the engine's documents, and not the API text,
    gave the expectation, by a sentence with its source. `places` has the real names, addresses and
    nodes of the pods. `policies` are objects as the API server had them, without what it keeps for
    itself.
    """

    case: str
    title: str
    family: str
    tags: tuple[str, ...]
    step: str
    engine: str
    document: str
    pods: tuple[str, ...]
    nodes: tuple[str, ...]
    ports: tuple[str, ...]
    expected: tuple[str, ...]
    seen: tuple[str, ...]
    cells: int
    wrong: int
    unseen: int
    wrong_cells: tuple[str, ...]
    wrong_at: Mapping[str, int]
    open_answers: tuple[str, ...]
    problem: str
    converged_s: float | None
    duration_s: float
    probes: int
    late: Mapping[str, float]
    departures: Mapping[str, int]
    places: Mapping[str, str]
    policies: tuple[Mapping[str, Any], ...]


Observation = (
    Connection
    | PodInterfaces
    | DnsAnswer
    | ResolverConfig
    | NameQueries
    | Denial
    | Throughput
    | NicState
    | Transfer
    | KernelState
    | CniState
    | HttpText
    | ProbeList
    | FactSheet
    | PolicyTable
)
