"""Verbs about the ways between pods and nodes: ports, many connections, losses, ICMP."""

import dataclasses
from collections.abc import Callable, Sequence

from pytest_aksnet.assertions import many
from pytest_aksnet.assertions.looker import Looker
from pytest_aksnet.assertions.pod_lists import (
    MODEL,
    JudgeCell,
    aks_mode,
    look_at_list,
    patient,
    reached,
    reflector_cell,
)
from pytest_aksnet.assertions.target import AnyPod, Target, pod_of, resolve
from pytest_aksnet.check import Engine
from pytest_aksnet.check_many import Cell
from pytest_aksnet.expectations.pod_paths import (
    CONNECTIONS_BY_CHANCE,
    LOSS_PROBES,
    MANAGED_MODES,
    judge_loss,
)
from pytest_aksnet.expectations.probing import judge_reached
from pytest_aksnet.model.errors import NotApplicable
from pytest_aksnet.model.observation import ConnectOutcome
from pytest_aksnet.model.peers import NodeRef, PodRef
from pytest_aksnet.model.probing import Answer, Batch, Finding, Kind, Probe
from pytest_aksnet.model.verdict import Outcome, Verdict

PORTS = (1024, 5432, 20000, 31999, 45000, 65535)
CONNECTIONS = 200
HOST_PORT = 28088
_LOOPBACK = "127.0.0.1"
_ALL_PORTS = (
    "Kubernetes docs: concepts/services-networking, pods communicate without restriction; AKS "
    "docs: concepts-network-azure-cni-overlay, network security groups: all ports and protocols"
)
_ICMP = "Azure docs: virtual-networks-faq, TCP, UDP, ICMP, ESP and AH are supported in a VNet"
_HOST_PORT = (
    "Kubernetes API: ContainerPort.hostPort, number of port to expose on the host; CNI plugins: "
    "portmap"
)
# A SYN that was dropped is sent again after 1 s (RFC 6298): the others are still open then.
_HOLD_S = 1.5
_CONNECT_S = 2.5
_GAP_MS = 1
_BUSY_NODE = 6  # so much longer may a list take where the pod gets little CPU
_TRIAL_S = 2.0


class PodWayVerbs(Looker):
    """How a pod reaches itself, other pods and nodes."""

    def assert_reaches_itself(self) -> Batch:
        """The pod's own address and 127.0.0.1 lead to itself, over TCP and UDP."""
        engine, pod = self._engine, self._pod
        by_address = resolve(pod)
        cells = [
            reflector_cell(engine, pod, target, kind, target.port)
            for target in (by_address, dataclasses.replace(by_address, host=_LOOPBACK))
            for kind in (Kind.TCP, Kind.UDP)
        ]
        return look_at_list(
            engine,
            pod,
            cells,
            what=f"a pod of node {pod.node} to itself",
            by_hand=("nc", "-nvz", "-w", "3", pod.ip, str(pod.port)),
        )

    def assert_reaches_ports(self, targets: Sequence[AnyPod], ports: Sequence[int]) -> Batch:
        """The reflectors of these pods answer at each of these ports, over TCP and UDP."""
        engine, pod = self._engine, self._pod
        found = [resolve(target) for target in targets]
        cells = [
            reflector_cell(engine, pod, target, kind, port, source=_ALL_PORTS)
            for target in found
            for port in ports
            for kind in (Kind.TCP, Kind.UDP)
        ]
        words = " ".join(map(str, ports))
        return look_at_list(
            engine,
            pod,
            cells,
            what=f"ports {words} of {len(found)} pods from pods of node {pod.node}",
            by_hand=("nc", "-nvz", "-w", "3", found[0].host, *map(str, ports)),
        )

    def assert_connects_often(self, to: AnyPod, count: int = CONNECTIONS) -> Batch:
        """So many TCP connections to a pod are open at the same time, and each answers then.

        `CONNECTIONS_BY_CHANCE` of them may be lost: see `expectations.pod_paths`.
        """
        engine, pod, target = self._engine, self._pod, resolve(to)
        probe = Probe(
            kind=Kind.TCP,
            host=target.host,
            port=target.port,
            timeout_s=_CONNECT_S + _HOLD_S,
            options={"pod": pod_of(to).name, "hold": f"{_HOLD_S:g}"},
        )
        why = many.why(engine, pod, target)

        def judge(batch: Batch, index: int) -> Verdict:
            answer = batch.answers[index]
            verdict = judge_reached(answer, what=target.what, source=MODEL)
            few = sum(not _good(one) for one in batch.answers) <= CONNECTIONS_BY_CHANCE
            if verdict.outcome is not Outcome.FAIL or not few:
                return verdict
            return Verdict(
                outcome=Outcome.PASS,
                sentence=f"{target.what} lost a connection, as chance explains",
                source=MODEL,
            )

        cell = Cell(probe=probe, judge=judge, diagnose=why)
        return look_at_list(
            engine,
            pod,
            [cell] * count,
            what=f"{count} connections at once from node {pod.node} to {target.what}",
            by_hand=("nc", "-nvz", "-w", "3", target.host, str(target.port)),
            longest_s=_BUSY_NODE * (_CONNECT_S + _HOLD_S),
        )

    def assert_little_loss(self, to: AnyPod) -> Batch:
        """Of a row of datagrams to a pod hardly any is lost: see `expectations.pod_paths`."""
        engine, pod, target = self._engine, self._pod, resolve(to)
        wait = engine.pacing.connect_timeout_s
        probe = Probe(
            kind=Kind.LOSS,
            host=target.host,
            port=target.port,
            timeout_s=wait,
            options={"count": str(LOSS_PROBES), "gap_ms": str(_GAP_MS), "pod": pod_of(to).name},
        )

        def judge(batch: Batch, index: int) -> Verdict:
            answer = batch.answers[index]
            if answer is not None and answer.looked and "sent" not in answer.facts:
                return judge_reached(answer, what=target.what, source=MODEL)
            return judge_loss(answer, what=target.what)

        return look_at_list(
            engine,
            pod,
            [Cell(probe=probe, judge=judge, diagnose=many.why(engine, pod, target))],
            what=f"loss from node {pod.node} to node {pod_of(to).node}",
            by_hand=("ping", "-n", "-i", "0.2", "-c", "100", target.host),
            longest_s=wait + _BUSY_NODE * LOSS_PROBES * _GAP_MS / 1000,
        )

    def assert_pings_all(self, targets: Sequence[AnyPod]) -> Batch:
        """All these pods answer ICMP echo; where Azure does not promise it, only a warning.

        Raises NotApplicable where pods may not open ping sockets.
        """
        engine, pod = self._engine, self._pod
        own = engine.prober.probe(
            pod, [patient(engine, Kind.ICMP, pod.ip)], budget_s=_TRIAL_S
        ).answers[0]
        if own is not None and own.finding is Finding.LOCAL:
            raise NotApplicable(f"pods may not ping here: {own.detail}")
        found = [resolve(target) for target in targets]
        promised = engine.profile.get("cloud") == "azure"
        cells = [
            Cell(
                probe=patient(engine, Kind.ICMP, target.host),
                judge=_pinged(target, promised=promised),
                diagnose=many.why(engine, pod, target),
            )
            for target in found
        ]
        return look_at_list(
            engine,
            pod,
            cells,
            what=f"ICMP echo to {len(found)} pods from pods of node {pod.node}",
            by_hand=("ping", "-n", "-c", "3", found[0].host),
        )

    def assert_host_port(self, served: AnyPod, nodes: Sequence[NodeRef], port: int) -> Batch:
        """The hostPort of a pod answers at the address of its node, and at no other of `nodes`.

        Raises NotApplicable where the network plugin is not one of AKS': it need not support this.
        """
        engine, pod, target = self._engine, self._pod, resolve(served)
        if (mode := aks_mode(engine.profile)) not in MANAGED_MODES:
            raise NotApplicable(
                f"the network plugin is not one of AKS' (mode {mode or 'unknown'}), and a plugin "
                "need not support hostPort (Kubernetes docs: network-plugins)"
            )
        cells = []
        for node in nodes:
            at = dataclasses.replace(target, host=node.ip, what=f"{target.what}, by {node.name}")
            cell = dataclasses.replace(
                reflector_cell(engine, pod, at, Kind.TCP, port, source=_HOST_PORT),
                diagnose=_why_unmapped(engine, pod, target, node),
            )
            if node.name != pod_of(served).node:
                once = dataclasses.replace(cell.probe, until=frozenset())
                cell = Cell(probe=once, judge=_elsewhere(at, node))
            cells.append(cell)
        return look_at_list(
            engine,
            pod,
            cells,
            what=f"hostPort {port} of a pod of node {pod_of(served).node}",
            by_hand=("nc", "-nvz", "-w", "3", target.host, str(port)),
        )

    def assert_reaches_any(self, targets: Sequence[AnyPod]) -> Batch:
        """At least one of these pods is reached, so that there is a way out of this one."""
        engine, pod = self._engine, self._pod
        found = [resolve(target) for target in targets]
        cells = [
            dataclasses.replace(cell, judge=_unless_another(cell.judge))
            for cell in (
                reflector_cell(engine, pod, target, Kind.TCP, target.port) for target in found
            )
        ]
        return look_at_list(
            engine,
            pod,
            cells,
            what=f"the way out of pods of node {pod.node} to {len(found)} pods",
            by_hand=("nc", "-nvz", "-w", "3", found[0].host, str(found[0].port)),
        )


def _good(answer: Answer | None) -> bool:
    return answer is not None and answer.finding is Finding.OK


def _why_unmapped(
    engine: Engine, pod: PodRef, target: Target, node: NodeRef
) -> Callable[[Answer], str]:
    """Ask the pod at its own address, and say whether its node or the way to it is to blame."""
    by_address = many.why(engine, pod, target)

    def diagnose(answer: Answer) -> str:
        seen = engine.diagnose_look(pod, target.probe(engine.pacing.deny_timeout_s))
        if seen.outcome is not ConnectOutcome.CONNECTED:
            return by_address(answer)
        return (
            f"the pod answers at its own address, so it is the mapping of hostPorts on node "
            f"{node.name} (CNI plugin portmap), or a filter by port, such as a rule of the network "
            "security group of the nodes' subnet"
        )

    return diagnose


def _elsewhere(target: Target, node: NodeRef) -> JudgeCell:
    """A node without the pod does not lead to it; whatever else answers there is not asked."""

    def judge(batch: Batch, index: int) -> Verdict:
        answer = batch.answers[index]
        if answer is None or not answer.looked:
            return reached(target, Kind.TCP)(batch, index)
        good = answer.finding is not Finding.OK
        return Verdict(
            outcome=Outcome.PASS if good else Outcome.FAIL,
            sentence=f"node {node.name} should not lead to {target.what}, it "
            + ("does not" if good else "does"),
            source=_HOST_PORT,
        )

    return judge


def _unless_another(judge_own: JudgeCell) -> JudgeCell:
    """What is not reached counts where nothing of the list is."""

    def judge(batch: Batch, index: int) -> Verdict:
        verdict = judge_own(batch, index)
        if verdict.outcome is Outcome.FAIL and any(map(_good, batch.answers)):
            return Verdict(outcome=Outcome.PASS, sentence="another was reached", source=MODEL)
        return verdict

    return judge


def _pinged(target: Target, *, promised: bool) -> JudgeCell:
    judge_echo = reached(target, Kind.ICMP, _ICMP)

    def judge(batch: Batch, index: int) -> Verdict:
        verdict = judge_echo(batch, index)
        if verdict.outcome is not Outcome.FAIL or promised:
            return verdict
        return Verdict(
            outcome=Outcome.PASS,
            sentence="ICMP echo is not promised outside of Azure",
            warning=verdict.sentence,
        )

    return judge
