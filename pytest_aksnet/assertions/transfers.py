"""Verbs about one transfer between two nodes, there and back, that several checks judge.

Bandwidth is other people's too, so what a transfer showed is kept for all checks of the process. A
check passes by what was kept; before it fails it looks again itself, as neighbours on the same
hardware may have been loud.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

from pytest_aksnet.assertions.azure import require_azure
from pytest_aksnet.assertions.looker import Looker, Reader
from pytest_aksnet.assertions.nic import ONLY_AZURE
from pytest_aksnet.assertions.node_health import require_host_network
from pytest_aksnet.assertions.nodes import node_named
from pytest_aksnet.assertions.target import AnyPod, pod_of
from pytest_aksnet.check import Engine
from pytest_aksnet.check_facts import judge_facts
from pytest_aksnet.expectations.accelerated_networking import judge_used
from pytest_aksnet.expectations.throughput import judge_throughput, pair_floor, vcpus_of
from pytest_aksnet.expectations.transfers import (
    RoundTrips,
    judge_latency,
    judge_losses,
    judge_same_driver,
    judge_sent_again,
)
from pytest_aksnet.model.errors import NotApplicable
from pytest_aksnet.model.observation import FactSheet, NicState, Throughput, Transfer
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import Finding, Kind, Probe
from pytest_aksnet.model.verdict import Outcome, Verdict
from pytest_aksnet.probes.iperf3 import PORT, Iperf3
from pytest_aksnet.probes.nic import Nics

_LOOKS = 3
GENTLE_MBPS = 50  # of each stream: less than any size of today has
_ANY = "192.0.2.1"  # TEST-NET-1, where no address of the receiver is at hand
_ROUNDS, _AT_ONCE = 20, 4
_HANDSHAKE_S = 2.0


class Ends(NamedTuple):
    """Host-network pods on both nodes, and one on the receiver that serves iperf3."""

    sender: PodRef
    receiver: PodRef
    server: PodRef


class PairTransfer(Reader):
    """What a transfer from one node to another one, and back, shows.

    `ends` makes the pods when they are needed; `kept` has the transfers of this process.
    """

    def __init__(
        self,
        engine: Engine,
        pair: tuple[str, str],
        ends: Callable[[], Ends],
        kept: dict[tuple[str, str], Transfer],
    ) -> None:
        super().__init__(engine)
        self._pair = pair
        self._ends = ends
        self._kept = kept
        self._made: Ends | None = None

    def assert_vf_used_by_sender(self) -> FactSheet:
        """Nearly all packets go through the virtual function of the sending node."""
        return self._assert_vf_used(self._pair[0])

    def assert_vf_used_by_receiver(self) -> FactSheet:
        """Nearly all packets go through the virtual function of the receiving node as well."""
        return self._assert_vf_used(self._pair[1])

    def _assert_vf_used(self, node: str) -> FactSheet:
        require_azure(self._engine, ONLY_AZURE)
        return self._judge(
            f"the virtual function of node {node}",
            lambda seen: judge_used(seen.before[node], seen.after[node], node=node),
        )

    def assert_few_losses(self) -> FactSheet:
        """The NICs of both nodes drop nearly nothing, and their rings do not overflow."""
        return self._judge("losses of both NICs", judge_losses)

    def assert_few_retransmits(self) -> FactSheet:
        """Nearly no segment has to be sent again while the way is far from full."""
        return self._judge("retransmits of a gentle run", judge_sent_again)

    def assert_throughput_back(self) -> FactSheet:
        """The receiving node sends as fast as the sizes of the two promise.

        Raises FactUnknown for an unknown size.
        """
        engine = self._engine
        sender, receiver = (node_named(engine, name) for name in self._pair)
        floor = pair_floor(receiver, sender, engine.site)
        between = f"node {receiver.name} to node {sender.name}"
        vcpus = vcpus_of(receiver, sender)
        return self._judge(
            "throughput of the way back",
            lambda seen: judge_throughput(seen.back, floor, between=between, vcpus=vcpus),
        )

    def _judge(self, what: str, judge: Callable[[Transfer], Verdict]) -> FactSheet:
        seen = self._kept.get(self._pair)
        looks = 0
        while True:
            if seen is None:
                seen, looks = self._take(), looks + 1
            verdict = judge(seen)
            if verdict.outcome is Outcome.PASS or looks >= _LOOKS:
                break
            seen = None
        self._kept[self._pair] = seen
        facts = {
            "there": _told(seen.there),
            "back": _told(seen.back),
            "gently": _told(seen.gentle),
            "judged": verdict.sentence,
            "measured": f"{looks} times by this check" if looks else "by an earlier check",
        }
        sheet = FactSheet(what=what, source=f"{seen.sender} and {seen.receiver}", facts=facts)
        probe = self._probe(self._made.server.ip if self._made else _ANY)
        return judge_facts(self._engine, sheet, verdict, by_hand=probe.build())

    def _take(self) -> Transfer:
        engine = self._engine
        self._made = ends = self._made or self._ends()
        before = self._nics(ends)
        there = self._probe(ends.server.ip)
        runs = [
            engine.look(ends.sender, probe, _ran).observation
            for probe in (there, replace(there, reverse=True), replace(there, mbps=GENTLE_MBPS))
        ]
        return Transfer(
            sender=ends.sender.node,
            receiver=ends.receiver.node,
            there=runs[0],
            back=runs[1],
            gentle=runs[2],
            before=before,
            after=self._nics(ends),
        )

    def _nics(self, ends: Ends) -> dict[str, NicState]:
        pods = (ends.sender, ends.receiver)
        return {pod.node: self._engine.look(pod, Nics(), _looked).observation for pod in pods}

    def _probe(self, host: str) -> Iperf3:
        pacing = self._engine.pacing
        return Iperf3(
            host=host,
            port=PORT,
            seconds=pacing.throughput_s,
            streams=pacing.throughput_streams,
        )


class PairVerbs(Looker):
    """Of ProbePod: what host-network pods see of the hardware and of the way between nodes."""

    def assert_same_driver(self, hosts: Sequence[AnyPod], pool: str) -> FactSheet:
        """The virtual functions of the nodes of these pods have one driver.

        Raises NotApplicable off Azure, and where there is one node to look at.
        """
        engine = self._engine
        require_azure(engine, ONLY_AZURE)
        if len(hosts) < 2:
            raise NotApplicable(f"of pool {pool} one node takes part, which differs from nobody")
        pods = [require_host_network(pod_of(host)) for host in hosts]
        states = {pod.node: engine.look(pod, Nics(), _looked).observation for pod in pods}
        verdict = judge_same_driver(states, pool=pool)
        facts = {
            node: ", ".join(f"{one.name} {one.driver}" for one in state.interfaces if one.driver)
            for node, state in states.items()
        }
        sheet = FactSheet(what=f"drivers in pool {pool}", source="sysfs of the nodes", facts=facts)
        line = engine.command_line(self.pod, ("ls", "-l", "/sys/class/net/"))
        return judge_facts(engine, sheet, verdict, by_hand=line.split())

    def assert_near(self, hosts: Sequence[AnyPod]) -> FactSheet:
        """TCP handshakes from this pod to these take no longer than the site, or a region, has.

        They are made few at a time: it is the way that is looked at, not the agent.
        """
        engine = self._engine
        trips = [self._round_trips(pod_of(host)) for host in hosts]
        verdict = judge_latency(trips, engine.site.node_latency_ms)
        facts = {trip.between: str(trip) for trip in trips}
        sheet = FactSheet(what="round trips between nodes", source="TCP handshakes", facts=facts)
        by_hand = ("ping", "-c", "20", "-i", "0.2", pod_of(hosts[0]).ip)
        return judge_facts(engine, sheet, verdict, by_hand=by_hand)

    def _round_trips(self, target: PodRef) -> RoundTrips:
        probe = Probe(kind=Kind.CONNECT, host=target.ip, port=target.port, timeout_s=_HANDSHAKE_S)
        took: list[float] = []
        for _ in range(_ROUNDS):
            batch = self._engine.prober.probe(
                self.pod, [probe] * _AT_ONCE, budget_s=2 * _HANDSHAKE_S
            )
            answers = [answer for answer in batch.answers if answer is not None]
            took += [answer.ms for answer in answers if answer.finding is Finding.OK]
            if not answers:
                break
        between = f"node {self.pod.node} to node {target.node}"
        return RoundTrips(between=between, took_ms=tuple(took), asked=_ROUNDS * _AT_ONCE)


def _told(run: Throughput) -> str:
    return (
        f"{run.gbps:.2f} Gbit/s, {run.moved_bytes / 1e9:.2f} GB in {run.seconds:.1f} s by "
        f"{run.streams} streams, {run.retransmits} retransmits, CPU {run.sender_cpu_percent:.0f} % "
        f"and {run.receiver_cpu_percent:.0f} % of a core, {run.tool_version}"
    )


def _ran(seen: Throughput) -> Verdict:
    return _step(f"one way of a transfer: {_told(seen)}")


def _looked(_: NicState) -> Verdict:
    return _step("the NICs of a node")


def _step(sentence: str) -> Verdict:
    """What is looked at on the way to a judgement, and is none by itself."""
    return Verdict(outcome=Outcome.INCONCLUSIVE, sentence=sentence)
