"""What a transfer between two nodes must not have lost on its way, and how near they must be. Pure.

The limits are this project's, far above what a healthy network shows; each names what it rests on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from pytest_aksnet.expectations.accelerated_networking import VF_DRIVERS, virtual_function
from pytest_aksnet.model.observation import NicState, Transfer
from pytest_aksnet.model.verdict import Outcome, Verdict, merge

_LOSSES = "Azure docs: virtual-network-tcpip-performance-tuning; Linux docs: networking/statistics"
_LOSS = "ITU-T Y.1541, table 1: at most 1 packet in 1000 is lost, of which this is ten times"
_DRIVERS = "Azure docs: accelerated-networking-how-it-works, accelerated-networking-mana-overview"
_LATENCY = (
    "Azure docs: availability-zones-overview (less than about 2 ms, of which this is five times); "
    "Kubernetes docs: best-practices/multiple-zones (a cluster is in one region)"
)
MOST_LOST = 0.005
MOST_SENT_AGAIN = 0.01
STRAY = 10
MIN_SEGMENTS = 1000
FAR_MS = 10.0
MIN_LOOKS = 40


def judge_losses(seen: Transfer) -> Verdict:
    """Whether the NICs of both nodes lost nearly nothing while the transfer went there and back."""
    nodes = (seen.sender, seen.receiver)
    return merge(_judge_losses(seen.before[node], seen.after[node], node) for node in nodes)


def _judge_losses(before: NicState, after: NicState, node: str) -> Verdict:
    verdicts, carried = [], 0
    for interface in after.interfaces:
        earlier = [one for one in before.interfaces if one.name == interface.name]
        counters = after.losses.get(interface.name)
        if not earlier or not counters or interface.name not in before.losses:
            continue
        packets = (interface.rx_packets - earlier[0].rx_packets) + (
            interface.tx_packets - earlier[0].tx_packets
        )
        grown = {
            name: value - before.losses[interface.name].get(name, value)
            for name, value in counters.items()
        }
        lost = {name: count for name, count in grown.items() if count > 0}
        carried = max(carried, packets)
        most = STRAY + MOST_LOST * packets
        seen = ", ".join(f"{name} {count}" for name, count in lost.items()) or "nothing lost"
        if sum(lost.values()) > most:
            verdicts.append(
                _failed(
                    f"{interface.name} ({interface.driver}) of node {node} should lose at most "
                    f"{most:.0f} of {packets} packets, but lost: {seen}; its receive rings are too "
                    "small, or are not emptied in time",
                    _LOSSES,
                )
            )
        else:
            verdicts.append(
                _passed(f"{interface.name} of {node}: {packets} packets, {seen}", _LOSSES)
            )
    if not verdicts:
        return _inconclusive(
            f"no interface of node {node} with a driver was there before and after", _LOSSES
        )
    verdict = merge(verdicts)
    if verdict.outcome is Outcome.PASS and carried < MIN_SEGMENTS:
        return _inconclusive(
            f"the interfaces of node {node} that count losses carried {carried} packets of the "
            "transfer: too few to tell",
            _LOSSES,
        )
    return verdict


def judge_sent_again(seen: Transfer) -> Verdict:
    """Whether nearly no segment of the gentle run had to be sent again.

    TCP loses packets on purpose where it fills a way, so those of the other runs prove nothing.
    """
    run, between = seen.gentle, f"node {seen.sender} to node {seen.receiver}"
    if run.segments < MIN_SEGMENTS:
        return _inconclusive(
            f"{between}: {run.segments} segments are too few to tell how many are lost", _LOSS
        )
    share = run.retransmits / run.segments
    said = (
        f"{between}: {run.retransmits} of about {run.segments} segments were sent again "
        f"({share:.2%}, {run.gbps:.2f} Gbit/s, {run.moved_bytes / 1e9:.2f} GB)"
    )
    if run.retransmits <= STRAY + MOST_SENT_AGAIN * run.segments:
        return _passed(said, _LOSS)
    return _failed(
        f"at most {MOST_SENT_AGAIN:.0%} of a gentle transfer should have to be sent again, but "
        f"{said}: packets are lost on the way",
        _LOSS,
    )


def judge_same_driver(states: dict[str, NicState], *, pool: str) -> Verdict:
    """Whether the virtual functions of a pool's nodes have one driver, of those that Azure has.

    A VM may come back on other hardware, and works there; tools and settings that name a driver
    miss it (Azure/AKS issue 3420), so one pool is expected to be of one kind.
    """
    drivers: dict[str, list[str]] = {}
    for node, state in sorted(states.items()):
        function = virtual_function(state)
        drivers.setdefault(function.driver if function else "", []).append(node)
    without = drivers.pop("", [])
    if not drivers:
        return _inconclusive(
            f"no node of pool {pool} has a virtual function with a driver of "
            f"{', '.join(VF_DRIVERS)}",
            _DRIVERS,
        )
    said = "; ".join(f"{driver} on {', '.join(nodes)}" for driver, nodes in sorted(drivers.items()))
    if len(drivers) > 1:
        return _failed(
            f"the virtual functions of pool {pool} should have one driver, but it is {said}",
            _DRIVERS,
        )
    left = f" (none on {', '.join(without)})" if without else ""
    if len(states) - len(without) < 2:
        return _inconclusive(f"nothing to compare with in pool {pool}: {said}{left}", _DRIVERS)
    return _passed(f"pool {pool}: {said}{left}", _DRIVERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class RoundTrips:
    """How long TCP handshakes between two nodes took (ms), and how many did not come about."""

    between: str
    took_ms: tuple[float, ...]
    asked: int

    def percentile(self, share: float) -> float:
        """The smallest time that `share` of the handshakes did not exceed (ms)."""
        ordered = sorted(self.took_ms)
        return ordered[max(0, ceil(share * len(ordered)) - 1)]

    def __str__(self) -> str:
        """For people."""
        if not self.took_ms:
            return f"{self.between}: no answer of {self.asked}"
        p50, p99 = self.percentile(0.5), self.percentile(0.99)
        return (
            f"{self.between}: p50 {p50:.2f} ms, p99 {p99:.2f} ms, {len(self.took_ms)} of "
            f"{self.asked} handshakes"
        )


def judge_latency(trips: Sequence[RoundTrips], limit_ms: float | None) -> Verdict:
    """Whether the middle round trip is below the site's limit, or is at all that of one region.

    Half of the handshakes must be slower for a failure: no single stall of a machine is one.
    """
    return merge(_judge_latency(one, limit_ms) for one in trips)


def _judge_latency(trips: RoundTrips, limit_ms: float | None) -> Verdict:
    source = _LATENCY if limit_ms is None else "the site file: node_latency_ms"
    limit = FAR_MS if limit_ms is None else limit_ms
    if len(trips.took_ms) < MIN_LOOKS:
        return _inconclusive(f"{trips}: too few to tell how long they take", source)
    if trips.percentile(0.5) <= limit:
        return _passed(str(trips), source)
    return _failed(
        f"half of the round trips should take at most {limit:g} ms, but {trips}: the nodes are "
        "further apart than one region's, or something on the way holds packets back",
        source,
    )


def _passed(sentence: str, source: str) -> Verdict:
    return Verdict(outcome=Outcome.PASS, sentence=sentence, source=source)


def _failed(sentence: str, source: str) -> Verdict:
    return Verdict(outcome=Outcome.FAIL, sentence=sentence, source=source)


def _inconclusive(sentence: str, source: str) -> Verdict:
    return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=sentence, source=source)
