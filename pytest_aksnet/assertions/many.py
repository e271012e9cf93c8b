"""Verbs that look at many targets at once, as one list that the pod's agent works off."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Literal

from pytest_aksnet.assertions.diagnosis import why_unreached
from pytest_aksnet.assertions.target import AnyPod, Target, To, pod_of, resolve
from pytest_aksnet.check import Engine
from pytest_aksnet.check_many import Cell, look_at_all
from pytest_aksnet.expectations.policy import API, enforcement
from pytest_aksnet.expectations.probing import (
    judge_path_mtu,
    judge_reached,
    judge_silent,
)
from pytest_aksnet.model.errors import ControlFailed, SettingsError
from pytest_aksnet.model.observation import Connection, ConnectOutcome
from pytest_aksnet.model.peers import PodRef
from pytest_aksnet.model.probing import Answer, Batch, Finding, Kind, Probe
from pytest_aksnet.model.verdict import Verdict

Protocol = Literal["tcp", "udp"]

_MODEL = "Kubernetes docs: concepts/services-networking, the network model"
_MTU = "RFC 1191, and RFC 2923, 2.1; AKS docs: pods have an MTU of 1500"
_MTU_TIMEOUT_S = 6.0
_GRACE_S = 2.0
_MOST_BY_HAND = 64
_TCP_BY_HAND = 'for a; do nc -nvz -w 3 "${a%:*}" "${a##*:}"; done'
_UDP_BY_HAND = 'for a; do echo "$a"; echo hello | nc -nu -w 2 "${a%:*}" "${a##*:}"; done'
_MTU_BY_HAND = 'for a; do ping -n -c 1 -W 2 -M do -s 1472 "${a%:*}"; done'

_OUTCOMES = {
    Finding.OK: ConnectOutcome.CONNECTED,
    Finding.TIMEOUT: ConnectOutcome.TIMEOUT,
    Finding.REFUSED: ConnectOutcome.REFUSED,
    Finding.UNRESOLVED: ConnectOutcome.DNS,
    Finding.UNREACH: ConnectOutcome.UNREACHABLE,
}


def assert_reaches_all(
    engine: Engine, pod: PodRef, targets: Sequence[To], protocol: Protocol, port: int | None
) -> Batch:
    """See ProbePod.assert_reaches_all."""
    wait, patience = engine.pacing.connect_timeout_s, engine.pacing.patience_s
    found = _resolved(targets, port)
    cells = [
        Cell(
            probe=_open(target, protocol, wait, patience),
            judge=_reached(target),
            diagnose=why(engine, pod, target),
        )
        for target in found
    ]
    own = _own_cell(pod, protocol, wait, patience)
    return look_at_all(
        engine,
        pod,
        [*cells, *own],
        what=f"{len(cells)} targets over {protocol} from pods of node {pod.node}",
        by_hand=_by_hand(_TCP_BY_HAND if protocol == "tcp" else _UDP_BY_HAND, found),
        budget_s=patience + wait + _GRACE_S,
        control=len(cells) if own else None,
    )


def assert_reaches_none(
    engine: Engine, pod: PodRef, targets: Sequence[AnyPod], protocol: Protocol, port: int | None
) -> Batch:
    """See ProbePod.assert_reaches_none."""
    found = _resolved(targets, port)
    rule = enforcement(engine.profile.get("policy-engine"))
    patience = engine.pacing.policy_patience_s if rule.blocked else 0.0
    own = _own_cell(pod, protocol, engine.pacing.connect_timeout_s, patience)
    if not own:
        raise ControlFailed(
            f"pod {pod.namespace}/{pod.name} runs no reflector to prove that it can connect at all"
        )
    slowest_s = max(_alive(engine, target, protocol) for target in found)
    wait = engine.pacing.silence_s(slowest_s)

    def blocked(target: Target) -> Cell:
        probe = dataclasses.replace(
            _open(target, protocol, wait, patience),
            until=frozenset({Finding.TIMEOUT}),
            times=engine.pacing.deny_looks,
        )
        where = (
            f"node {pod.node} (egress) or node {target.pod.node if target.pod else '?'} (ingress)"
        )

        def judge(batch: Batch, index: int) -> Verdict:
            return judge_silent(
                batch,
                index,
                what=_name(target),
                timeout_s=wait,
                controls=[len(found)],
                source=API,
                where=where,
                looks=engine.pacing.deny_looks,
            )

        return Cell(probe=probe, judge=judge)

    batch = look_at_all(
        engine,
        pod,
        [*map(blocked, found), *own],
        what=f"{len(found)} targets that a policy blocks, over {protocol} from node {pod.node}",
        by_hand=_by_hand(_TCP_BY_HAND if protocol == "tcp" else _UDP_BY_HAND, found),
        budget_s=patience + (engine.pacing.deny_looks + 1) * wait + _GRACE_S,
        control=len(found),
    )
    for target in found:
        _alive(engine, target, protocol)
    return batch


def assert_path_mtu(engine: Engine, pod: PodRef, targets: Sequence[AnyPod]) -> Batch:
    """See ProbePod.assert_path_mtu."""
    found = _resolved(targets, None)

    def cell(target: Target) -> Cell:
        def judge(batch: Batch, index: int) -> Verdict:
            return judge_path_mtu(batch.answers[index], what=_name(target), source=_MTU)

        probe = Probe(kind=Kind.MTU, host=target.host, port=target.port, timeout_s=_MTU_TIMEOUT_S)
        return Cell(probe=probe, judge=judge, diagnose=why(engine, pod, target))

    patience = engine.pacing.patience_s
    own = _own_cell(pod, "udp", engine.pacing.connect_timeout_s, patience)
    return look_at_all(
        engine,
        pod,
        [*map(cell, found), *own],
        what=f"the path MTU to {len(found)} targets from pods of node {pod.node}",
        by_hand=_by_hand(_MTU_BY_HAND, found),
        budget_s=_MTU_TIMEOUT_S + patience + _GRACE_S,
        control=len(found) if own else None,
    )


def _resolved(targets: Sequence[To], port: int | None) -> list[Target]:
    if not targets:
        raise SettingsError("no targets to look at; name at least one")
    return [resolve(target, port) for target in targets]


def _name(target: Target) -> str:
    return f"{target.what} ({target.host}:{target.port})"


def _open(target: Target, protocol: Protocol, timeout_s: float, within_s: float) -> Probe:
    """A probe that is repeated until the target answers."""
    reflects = target.pod is not None and target.port == target.pod.port
    options = {"pod": target.pod.name} if target.pod is not None and reflects else {}
    if protocol == "udp":
        if not reflects and target.service is None:
            raise SettingsError(
                f"{target.what}: over UDP only a pod's reflector, or a Service in front of some, "
                "is known to answer"
            )
        kind = Kind.UDP
    else:
        kind = Kind.TCP if reflects else Kind.CONNECT
    return Probe(
        kind=kind,
        host=target.host,
        port=target.port,
        timeout_s=timeout_s,
        options=options,
        until=frozenset({Finding.OK}),
        within_s=within_s,
    )


def _own_cell(pod: PodRef, protocol: Protocol, timeout_s: float, within_s: float) -> list[Cell]:
    """The pod's own reflector, by its own address: no policy and no way may close that."""
    if not pod.port:
        return []
    itself = resolve(pod)
    probe = _open(itself, protocol, timeout_s, within_s)
    return [Cell(probe=probe, judge=_reached(itself))]


def _alive(engine: Engine, target: Target, protocol: Protocol) -> float:
    """How long a target takes to answer itself (seconds). Raises ControlFailed."""
    assert target.pod is not None
    wait = engine.pacing.control_patience_s
    probe = _open(target, protocol, wait, wait)
    batch = engine.prober.probe(pod_of(target.pod), [probe], budget_s=wait + _GRACE_S)
    answer = batch.answers[0]
    if answer is None or answer.finding is not Finding.OK:
        why = batch.problem if answer is None else answer.detail
        raise ControlFailed(
            f"the positive control that {target.what} answers itself did not hold, so a missing "
            f"answer proves nothing: {why}"
        )
    return answer.ms / 1000


def _reached(target: Target) -> Callable[[Batch, int], Verdict]:
    def judge(batch: Batch, index: int) -> Verdict:
        return judge_reached(batch.answers[index], what=_name(target), source=_MODEL)

    return judge


def why(engine: Engine, pod: PodRef, target: Target) -> Callable[[Answer], str]:
    """The diagnosis of a target that `pod` did not reach."""

    def diagnose(answer: Answer) -> str:
        if answer.finding is Finding.OK:
            return ""  # it was reached, and is bad for what it told
        seen = Connection(
            host=target.host,
            port=target.port,
            outcome=_OUTCOMES.get(answer.finding, ConnectOutcome.OTHER),
            detail=answer.detail,
        )
        return why_unreached(engine, pod, target, seen)

    return diagnose


def _by_hand(loop: str, targets: Sequence[Target]) -> tuple[str, ...]:
    addresses = [f"{target.host}:{target.port}" for target in targets[:_MOST_BY_HAND]]
    return ("sh", "-c", loop, "sh", *addresses)
