"""How the kernel of a node must be set, and which of its counters may not grow. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_aksnet.model.observation import KernelState
from pytest_aksnet.model.verdict import Outcome, Verdict, merge

FORWARDING = (
    "Kubernetes docs: setup/production-environment/container-runtimes, network configuration"
)
_RP_FILTER = "Cilium docs: operations/system_requirements, rp_filter"
_AKS_SYSCTLS = "AKS docs: custom-node-configuration, allowed values"
_CONNTRACK = "Linux docs: networking/nf_conntrack-sysctl"
_HEADROOM = f"{_CONNTRACK}; Prometheus node mixin: NodeHighNumberConntrackEntriesUsed (75 %)"
_LOSS = "ITU-T Y.1541, table 1: at most 1 packet in 1000 is lost, of which this is ten times"
_COUNTERS = "Linux docs: networking/statistics"
_CLOCK = "Azure docs: virtual-machines/linux/time-sync; RFC 7519, 4.1.4 and 4.1.5 (tokens)"
_MTU = "AKS docs: the nodes' interfaces have one MTU; RFC 1191"

FULLEST = 0.75
MOST_LOST = 0.01
MIN_PACKETS = 1000
# Of frames of protocols that nobody speaks the kernel counts some as dropped on a healthy machine.
STRAY = 10
MOST_APART_S = 5.0
_LEAST_CONNECTIONS = 131_072
_FIRST_PORTS, _LAST_PORTS = range(1024, 61_000), range(32_768, 65_536)
_STRICT = "1"
_LOSSES = (
    "rx_errors",
    "rx_dropped",
    "rx_missed_errors",
    "rx_fifo_errors",
    "tx_errors",
    "tx_dropped",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a node's settings depend on: facts of the network profile."""

    azure: bool
    cilium: bool
    ipv6: bool


def judge_settings(state: KernelState, wanted: Wanted, *, node: str) -> Verdict:
    """Whether the sysctls are such that pods can be reached through the node."""
    settings = state.settings
    verdicts = [_set_to("net.ipv4.ip_forward", "1", settings, node)]
    if wanted.ipv6:
        verdicts.append(_set_to("net.ipv6.conf.all.forwarding", "1", settings, node))
    strict = settings.get("net.ipv4.conf.all.rp_filter")
    if wanted.cilium and strict is None:
        verdicts.append(_unreadable("net.ipv4.conf.all.rp_filter", node, _RP_FILTER))
    if wanted.cilium and strict == _STRICT:
        verdicts.append(
            _failed(
                f"node {node} should not filter by the reverse path where Cilium routes (it holds "
                "for every interface), but net.ipv4.conf.all.rp_filter is 1: answers that leave "
                "another way than they came are dropped",
                _RP_FILTER,
            )
        )
    verdicts += [_judge_ports(settings, node, azure=wanted.azure)]
    verdicts += [_judge_most_connections(settings, node, azure=wanted.azure)]
    return merge(verdicts)


def _set_to(name: str, value: str, settings: Mapping[str, str], node: str) -> Verdict:
    seen = settings.get(name)
    if seen is None:
        return _unreadable(name, node, FORWARDING)
    if seen == value:
        return _passed(f"{name} of node {node} is {value}", FORWARDING)
    return _failed(
        f"{name} of node {node} should be {value}, but is {seen}: the node forwards nothing from "
        "and to its pods",
        FORWARDING,
    )


def _judge_ports(settings: Mapping[str, str], node: str, *, azure: bool) -> Verdict:
    name = "net.ipv4.ip_local_port_range"
    seen = settings.get(name, "")
    words = seen.split()
    if len(words) != 2 or not all(word.isdigit() for word in words):
        return _unreadable(name, node, _AKS_SYSCTLS)
    first, last = map(int, words)
    if azure and not (first in _FIRST_PORTS and last in _LAST_PORTS):
        return _failed(
            f"{name} of node {node} should begin at {_FIRST_PORTS[0]} to {_FIRST_PORTS[-1]} and "
            f"end at {_LAST_PORTS[0]} to {_LAST_PORTS[-1]}, but is {seen}: clients on the node run "
            "out of ports, or take those of servers",
            _AKS_SYSCTLS,
        )
    return _passed(f"{name} of node {node} is {seen}", _AKS_SYSCTLS)


def _judge_most_connections(settings: Mapping[str, str], node: str, *, azure: bool) -> Verdict:
    name = "net.netfilter.nf_conntrack_max"
    seen = settings.get(name, "")
    if not seen.isdigit():
        return _passed(f"{name} of node {node} is not to be read: it tracks no connections", "")
    if int(seen) >= _LEAST_CONNECTIONS:
        return _passed(f"{name} of node {node} is {seen}", _AKS_SYSCTLS)
    sentence = f"{name} of node {node} should be at least {_LEAST_CONNECTIONS}, but is {seen}"
    if azure:
        return _failed(sentence, _AKS_SYSCTLS)
    return Verdict(outcome=Outcome.PASS, sentence=sentence, source=_AKS_SYSCTLS, warning=sentence)


def judge_conntrack(before: KernelState, after: KernelState, *, node: str) -> Verdict:
    """Whether the table of connections has room, and dropped nothing between two looks.

    A packet that lost a race for the same entry counts as insert_failed and as drop: that is no
    sign of a full table, and is a warning only.
    """
    count, most = (
        after.settings.get(f"net.netfilter.nf_conntrack_{name}", "") for name in ("count", "max")
    )
    if not (count.isdigit() and most.isdigit() and int(most)):
        return _unreadable("net.netfilter.nf_conntrack_count and _max", node, _HEADROOM)
    share = int(count) / int(most)
    seen = f"node {node} tracks {count} of {most} connections ({share:.0%})"
    if share > FULLEST:
        return _failed(
            f"{seen}, more than {FULLEST:.0%}: once the table is full, new connections are dropped",
            _HEADROOM,
        )
    grown = _grown(before.conntrack, after.conntrack)
    if not grown.keys() >= {"early_drop", "drop"}:
        return _unreadable("the counters of /proc/net/stat/nf_conntrack", node, _CONNTRACK)
    clashes = grown.get("insert_failed", 0)
    pushed_out, dropped = grown.get("early_drop", 0), grown.get("drop", 0) - clashes
    if pushed_out > 0 or dropped > 0:
        return _failed(
            f"node {node} should drop no packet for its table of connections, but while we looked "
            f"early_drop grew by {pushed_out} and drop by {max(dropped, 0)}: the table has been "
            "full, or its memory was",
            _CONNTRACK,
        )
    warning = ""
    if clashes > 0:
        warning = (
            f"{clashes} packets of node {node} lost a race for an entry (insert_failed), as DNS "
            "queries in pairs do; clients repeat them, seconds later"
        )
    return Verdict(outcome=Outcome.PASS, sentence=seen, source=_HEADROOM, warning=warning)


def judge_link(before: KernelState, after: KernelState, *, node: str) -> Verdict:
    """Whether the node's uplink lost nearly nothing of what passed between two looks."""
    if not after.uplink or before.uplink != after.uplink:
        return _inconclusive(
            f"node {node} has no default route, or another one than before", _COUNTERS
        )
    grown = _grown(before.link_counters, after.link_counters)
    packets = grown.get("rx_packets", 0) + grown.get("tx_packets", 0)
    if packets < MIN_PACKETS:
        return _inconclusive(
            f"only {packets} packets passed {after.uplink} of node {node}: too few to tell",
            _COUNTERS,
        )
    if not grown.keys() & set(_LOSSES):
        return _unreadable(f"what {after.uplink} loses", node, _COUNTERS)
    lost = {name: grown[name] for name in _LOSSES if grown.get(name, 0) > 0}
    most = STRAY + packets * MOST_LOST
    seen = ", ".join(f"{name} {count}" for name, count in lost.items()) or "no error and no drop"
    if sum(lost.values()) <= most:
        return _passed(f"{after.uplink} of node {node}: {packets} packets, {seen}", _COUNTERS)
    return _failed(
        f"{after.uplink} of node {node} should lose at most {most:.0f} of {packets} packets, but "
        f"counted {seen}: its receive rings, or those who empty them, do not keep up",
        f"{_COUNTERS}; {_LOSS}",
    )


def judge_retransmits(before: KernelState, after: KernelState, *, node: str) -> Verdict:
    """Whether nearly no TCP segment of the node itself had to be sent again between two looks.

    At the promised loss of 1 in 1000, more than 1 % of 1000 segments or more are sent again with a
    probability of less than 1e-7 (Poisson, mean 1, more than 10 and STRAY).
    """
    grown = _grown(before.protocols, after.protocols)
    sent, again = grown.get("Tcp.OutSegs", 0), grown.get("Tcp.RetransSegs", 0)
    if sent < MIN_PACKETS:
        return _inconclusive(
            f"node {node} sent only {sent} TCP segments while we looked: too few to tell", _LOSS
        )
    if "Tcp.RetransSegs" not in grown:
        return _unreadable("Tcp.RetransSegs", node, _LOSS)
    dropped = grown.get("TcpExt.ListenDrops", 0)
    warning = ""
    if dropped > 0:
        warning = f"listeners on node {node} dropped {dropped} new connections (ListenDrops)"
    seen = f"{again} of {sent} TCP segments of node {node} were sent again"
    if again <= STRAY + sent * MOST_LOST:
        return Verdict(outcome=Outcome.PASS, sentence=seen, source=_LOSS, warning=warning)
    return _failed(
        f"at most {MOST_LOST:.0%} should have to be sent again, but {seen}: packets are lost on "
        "the way to or from it",
        _LOSS,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClockLook:
    """What `date` said on a node, when it was asked, and when it had answered (one clock, s)."""

    node: str
    clock_s: int
    asked_s: float
    answered_s: float

    @property
    def ahead(self) -> tuple[float, float]:
        """By how much it is ahead of that clock, at least and at most; it says whole seconds."""
        return self.clock_s - self.answered_s, self.clock_s + 1 - self.asked_s


def judge_clocks(looks: list[ClockLook]) -> Verdict:
    """Whether no clock is certainly further than MOST_APART_S from that of the node in the middle.

    What the look itself took is never counted against a clock.
    """
    ordered = sorted(looks, key=lambda look: sum(look.ahead))
    if len(ordered) < 2:
        return _inconclusive("one clock alone cannot be compared", _CLOCK)
    middle = ordered[(len(ordered) - 1) // 2]
    wrong = [
        f"node {look.node} is {way} by {apart:.0f} s"
        for look in ordered
        for apart, way in (
            (look.ahead[0] - middle.ahead[1], "ahead"),
            (middle.ahead[0] - look.ahead[1], "behind"),
        )
        if apart > MOST_APART_S
    ]
    if not wrong:
        return _passed(f"{len(looks)} clocks agree", _CLOCK)
    return _failed(
        f"the clocks of nodes should agree within {MOST_APART_S:.0f} s, but next to node "
        f"{middle.node} {'; '.join(wrong)}",
        _CLOCK,
    )


def judge_same_mtu(states: Mapping[str, KernelState]) -> Verdict:
    """Whether the uplinks of all nodes have one MTU (bytes)."""
    unknown = sorted(node for node, state in states.items() if not state.mtu)
    if unknown or not states:
        return _inconclusive(f"the MTU of nodes {', '.join(unknown)} could not be read", _MTU)
    by_mtu: dict[int, list[str]] = {}
    for node, state in sorted(states.items()):
        by_mtu.setdefault(state.mtu, []).append(node)
    if len(by_mtu) == 1:
        return _passed(f"{len(states)} nodes, MTU {next(iter(by_mtu))}", _MTU)
    usual = max(by_mtu, key=lambda mtu: len(by_mtu[mtu]))
    others = "; ".join(
        f"{mtu} on {', '.join(nodes)}" for mtu, nodes in sorted(by_mtu.items()) if mtu != usual
    )
    return _failed(
        f"the interfaces of all nodes should have one MTU, {usual} as on most, but it is {others}: "
        "packets of the usual length do not get there",
        _MTU,
    )


def _grown(before: Mapping[str, int], after: Mapping[str, int]) -> dict[str, int]:
    return {name: value - before[name] for name, value in after.items() if name in before}


def _passed(sentence: str, source: str) -> Verdict:
    return Verdict(outcome=Outcome.PASS, sentence=sentence, source=source)


def _failed(sentence: str, source: str) -> Verdict:
    return Verdict(outcome=Outcome.FAIL, sentence=sentence, source=source)


def _inconclusive(sentence: str, source: str) -> Verdict:
    return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=sentence, source=source)


def _unreadable(name: str, node: str, source: str) -> Verdict:
    return _inconclusive(f"{name} of node {node} could not be read", source)
