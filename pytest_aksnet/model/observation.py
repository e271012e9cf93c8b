"""What probes saw, typed. No observation says whether it is good: that is for `expectations`."""

import enum
from dataclasses import dataclass


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
class Throughput:
    """What one bounded iperf3 run measured, as the receiver counted it (Gbit/s, seconds)."""

    gbps: float
    streams: int
    seconds: float
    retransmits: int
    sender_cpu_percent: float
    receiver_cpu_percent: float
    tool_version: str


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
    """The interfaces of a node, and the vf_ counters of `ethtool -S` by interface."""

    interfaces: tuple[Interface, ...]
    vf_counters: dict[str, dict[str, int]]


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
class FactSheet:
    """What was read, not looked at with packets: objects of the API or of ARM, files of a node.

    `facts` has what the judgement went by, as words for people; `source` where it was read.
    """

    what: str
    source: str
    facts: dict[str, str]


Observation = Connection | DnsAnswer | Throughput | NicState | ProbeList | FactSheet
